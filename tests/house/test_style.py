"""The words of docs/style.md that must not return: in the program's texts, and in the manual."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "gatepost"
ROW = re.compile(r"^\| (?P<words>[^|]+) \| [^|]+ \| (?P<where>everywhere|program) \|$", re.MULTILINE)
TAGLINE = "A mail relay that knows whose mail it carries"

NOT_FOR_PEOPLE = re.compile(r"\(\?|\\b|\b(?:CREATE TABLE|SELECT|INSERT|DELETE FROM|UPDATE|FROM)\b")
"""Patterns and SQL."""

# What others write, and must be recognised as it is.
FOREIGN = {SOURCE / "doctor" / "vocabulary.py"}


def _words(*where: str) -> re.Pattern[str]:
    rows = ROW.finditer((ROOT / "docs" / "style.md").read_text("utf-8"))
    words = [word for row in rows if row["where"] in where for word in row["words"].split(", ")]
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b", re.IGNORECASE)


def _texts(tree: ast.Module, *, is_command_line: bool) -> Iterator[tuple[int, str]]:
    """Literals of two words or more, but SQL and patterns. Docstrings are for readers of the source; a command's own is
    its help."""
    for_readers = {
        id(statement.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for statement in node.body
        if isinstance(statement, ast.Expr)
        and not (is_command_line and isinstance(node, ast.FunctionDef) and _is_command(node))
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in for_readers:
            continue
        if " " in node.value.strip() and not NOT_FOR_PEOPLE.search(node.value):
            yield node.lineno, node.value


def _is_command(function: ast.FunctionDef) -> bool:
    return any(isinstance(each, ast.Call) and "command" in ast.dump(each.func) for each in function.decorator_list)


def test_the_table_has_both_kinds() -> None:
    assert _words("everywhere").search("the peer is told")
    assert not _words("everywhere").search("a server whose name is known")
    assert _words("everywhere", "program").search("Whose server it is.")
    assert not _words("everywhere", "program").search("a domain whose TXT record is there")


@pytest.mark.parametrize(
    "file", sorted(set(SOURCE.rglob("*.py")) - FOREIGN), ids=lambda file: str(file.relative_to(SOURCE))
)
def test_the_program_speaks_the_trades_english(file: Path) -> None:
    forbidden = _words("everywhere", "program")
    texts = _texts(ast.parse(file.read_text("utf-8")), is_command_line="cli" in file.parts)
    found = [f"{line}: {text.strip()[:100]}" for line, text in texts if forbidden.search(text.replace(TAGLINE, ""))]
    assert found == [], "see docs/style.md"


@pytest.mark.parametrize(
    "page",
    [each for each in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]) if each.name not in ("style.md",)],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_manual_does_too(page: Path) -> None:
    forbidden = _words("everywhere")
    lines = enumerate(page.read_text("utf-8").splitlines(), start=1)
    assert [f"{number}: {line[:100]}" for number, line in lines if forbidden.search(line)] == [], "see docs/style.md"
