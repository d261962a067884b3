"""The evidence bundle as JSON and back: the types of the evidence are the schema.

Laws: what was saved is loaded as the same value; defaults are left out; a file of another kind gives one clear line.
"""

import json
import types
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from gatepost.doctor.evidence import EvidenceBundle
from gatepost.errors import GatepostError

_VERSION: Final = 1


class BundleError(GatepostError, ValueError):
    """A file that holds no bundle we can load; the message is one line."""


def dump_bundle(bundle: EvidenceBundle) -> str:
    """JSON, one fact a line, so that people can look through it and cut it."""
    parts = [f'"gatepost-evidence-bundle": {_VERSION}']
    for each in fields(bundle):
        facts = getattr(bundle, each.name)
        if facts:
            rows = ",\n  ".join(json.dumps(_plain(fact), ensure_ascii=False) for fact in facts)
            parts.append(f'"{each.name}": [\n  {rows}\n ]')
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {
            each.name: _plain(getattr(value, each.name))
            for each in fields(value)
            if getattr(value, each.name) != each.default
        }
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value


def load_bundle(text: str) -> EvidenceBundle:
    """Raises `BundleError` for what is no bundle of this version."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"not a saved evidence bundle: {error}") from None
    version = value.get("gatepost-evidence-bundle") if isinstance(value, dict) else None
    if version is None:
        raise BundleError("not a saved evidence bundle: make one with 'gatepost doctor --save FILE'")
    if version != _VERSION:
        raise BundleError(f"an evidence bundle of version {version}; this program reads version {_VERSION}")
    del value["gatepost-evidence-bundle"]
    try:
        bundle = _typed(EvidenceBundle, value)
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise BundleError(f"a damaged evidence bundle: {error}") from None
    if not isinstance(bundle, EvidenceBundle):
        raise BundleError("a damaged evidence bundle")
    return bundle


@lru_cache(maxsize=256)
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _typed(kind: Any, value: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return None if value is None else _typed(next(each for each in get_args(kind) if each is not type(None)), value)
    if origin is Literal:
        if value not in get_args(kind):
            raise ValueError(f"{value!r} is none of {', '.join(map(str, get_args(kind)))}")
        return value
    if origin is tuple:
        return _typed_tuple(get_args(kind), value)
    if is_dataclass(kind):
        if not isinstance(value, dict):
            raise TypeError(f"{getattr(kind, '__name__', kind)}: expected an object")
        hints = _hints(kind)  # type: ignore[arg-type]
        unknown = set(value) - set(hints)
        if unknown:
            raise ValueError(f"unknown field {sorted(unknown)[0]!r}")
        return kind(**{name: _typed(hints[name], each) for name, each in value.items()})  # type: ignore[operator]
    if isinstance(kind, type) and issubclass(kind, tuple):
        names = _hints(kind)
        if len(value) > len(names):
            raise ValueError(f"{kind.__name__}: too many values")
        return kind(*(_typed(hint, each) for hint, each in zip(names.values(), value, strict=False)))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and not isinstance(value, kind):
        raise TypeError(f"expected {kind.__name__}, not {type(value).__name__}")
    return value


def _typed_tuple(arguments: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError("expected a list")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_typed(arguments[0], each) for each in value)
    return tuple(_typed(kind, each) for kind, each in zip(arguments, value, strict=True))
