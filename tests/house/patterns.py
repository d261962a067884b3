"""Every regular expression of the source, with how it is applied.

Each call of `re` is found in the syntax tree and its pattern is evaluated in its module. Where that needs a local name,
the name's value is looked for in the function, and what is passed to a parameter, in every call of the function in the
module. Patterns that a module computed are found among its values.
"""

import ast
import importlib
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import gatepost
from gatepost.doctor import sentences

SOURCE: Final = Path(gatepost.__file__).parent
_APPLIED: Final = frozenset({"search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer"})


@dataclass(frozen=True, kw_only=True)
class Applied:
    where: str
    """`mail/dsn.py:75`"""
    source: str
    """As the source writes it."""
    pattern: str | None
    """None: made from values that only a run knows."""
    flags: int = 0
    searching: bool = True
    whole: bool = False


@cache
def every_pattern() -> tuple[Applied, ...]:
    return tuple(_every_pattern())


def _every_pattern() -> Iterator[Applied]:
    trees = {file: ast.parse(file.read_text("utf-8")) for file in sorted(SOURCE.rglob("*.py"))}
    uses = _uses(trees.values())
    for file, tree in trees.items():
        calls = [call for call in ast.walk(tree) if isinstance(call, ast.Call) and _is_of_re(call)]
        if not calls:
            continue
        module = _Module(file, tree)
        seen: set[str | None] = set()
        for call in calls:
            for applied in module.applied(call, uses):
                seen.add(applied.pattern)
                yield applied
        for name, value in module.names.items():
            for each in _patterns_in(value):
                if _text(each.pattern) not in seen:
                    where = f"{file.relative_to(SOURCE)}:{name}"
                    yield Applied(where=where, source=name, pattern=_text(each.pattern), flags=each.flags & ~re.UNICODE)
    for name, pattern in sentences.patterns().items():
        yield Applied(where=f"doctor/sentences.py:{name}", source=name, pattern=pattern, flags=re.IGNORECASE)


def _patterns_in(value: Any) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, (tuple, list, set, frozenset)):
        for each in value:
            yield from _patterns_in(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _patterns_in(each)


def _text(pattern: str | bytes) -> str:
    return pattern if isinstance(pattern, str) else pattern.decode("latin-1")


class _Module:
    def __init__(self, file: Path, tree: ast.Module) -> None:
        self._file = file
        self._tree = tree
        self.names: dict[str, Any] = vars(importlib.import_module(_module(file)))
        self._parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}

    def applied(self, call: ast.Call, uses: dict[str, set[str]]) -> Iterator[Applied]:
        assert isinstance(call.func, ast.Attribute)
        methods = {call.func.attr}
        if call.func.attr == "compile":
            target = self._parents.get(call)
            name = target.targets[0] if isinstance(target, ast.Assign) else getattr(target, "target", None)
            methods = (uses.get(name.id) if isinstance(name, ast.Name) else None) or {"search"}
        where = f"{self._file.relative_to(SOURCE)}:{call.lineno}"
        source = ast.unparse(call.args[0])
        patterns = list(self._values(call.args[0], call))
        if not patterns:
            yield Applied(where=where, source=source, pattern=None)
        for pattern in patterns:
            yield Applied(
                where=where,
                source=source,
                pattern=_text(pattern),
                flags=self._flags(call) | (0 if isinstance(pattern, str) else re.ASCII),
                searching=not methods <= {"match", "fullmatch"},
                whole=methods == {"fullmatch"},
            )

    def _flags(self, call: ast.Call) -> int:
        at = {"compile": 1, "sub": 4, "subn": 4, "split": 3}.get(getattr(call.func, "attr", ""), 2)
        given = [each.value for each in call.keywords if each.arg == "flags"] + call.args[at : at + 1]
        return int(next(self._values(given[0], call))) if given else 0

    def _values(self, expression: ast.expr, at: ast.AST) -> Iterator[Any]:
        """What the expression may be; nothing where only a run knows."""
        locals_: list[dict[str, Any]] = [{}]
        function = self._function_around(at)
        for name in {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)} - set(self.names):
            found = list(self._values_of(name, function)) if function else []
            locals_ = [{**known, name: value} for known in locals_ for value in found]
        for known in locals_:
            with suppress(NameError, KeyError):
                yield eval(compile(ast.Expression(expression), "<pattern>", "eval"), {**self.names, **known})

    def _function_around(self, node: ast.AST | None) -> ast.FunctionDef | None:
        while node is not None and not isinstance(node, ast.FunctionDef):
            node = self._parents.get(node)
        return node

    def _values_of(self, name: str, function: ast.FunctionDef) -> Iterator[Any]:
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets):
                yield from self._values(node.value, node)
        parameters = [each.arg for each in function.args.args]
        if name not in parameters:
            return
        at = parameters.index(name)
        for call in ast.walk(self._tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == function.name:
                given = [each.value for each in call.keywords if each.arg == name] + call.args[at : at + 1]
                if given:
                    yield from self._values(given[0], call)


def _module(file: Path) -> str:
    parts = file.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _is_of_re(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
        and function.attr in {*_APPLIED, "compile"}
    )


def _uses(trees: Any) -> dict[str, set[str]]:
    """By the name that a compiled pattern has: which methods are called on it anywhere."""
    found: dict[str, set[str]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in _APPLIED and isinstance(node.value, ast.Name):
                found.setdefault(node.value.id, set()).add(node.attr)
    return found
