"""Three values become one: what was last applied, what is there now, what is wanted.

Law: what somebody changed by hand since the last apply stays, and is named. Of a list, each element counts by itself:
what was added by hand stays in, what was taken out by hand stays out.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Fields = Mapping[str, Any]
"""One object of a side: plain JSON values by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A value that somebody changed by hand, and that is therefore left alone."""

    side: str
    object: str
    field: str
    """Empty: the object as a whole, which was removed by hand."""
    now: Any
    wanted: Any

    @property
    def name(self) -> str:
        """How it is named to be overwritten all the same."""
        return f"{self.object}.{self.field}" if self.field else self.object


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    fields: Fields
    """The managed fields as they shall be."""
    kept: tuple[tuple[str, Any, Any], ...] = ()
    """Field, value now, value wanted."""


def merge(last: Fields | None, now: Fields, wanted: Fields, overwrite: Collection[str] = ()) -> Merged:
    """The managed fields of one object; `overwrite` names those in which the hand-made value gives way."""
    fields, kept = {}, []
    for field, value in wanted.items():
        present = now.get(field)
        merged = value if field in overwrite else _merged(last, field, present, value)
        fields[field] = merged
        if not _equal(merged, value):
            kept.append((field, present, value))
    return Merged(fields=fields, kept=tuple(kept))


def _merged(last: Fields | None, field: str, now: Any, wanted: Any) -> Any:
    if _equal(now, wanted):
        return now
    never_applied = last is None or field not in last
    if isinstance(wanted, list) and isinstance(now, list):
        return _merged_list(None if never_applied else (last or {})[field], now, wanted)
    if never_applied or now == (last or {})[field]:
        return wanted
    return now


def _merged_list(last: Sequence[Any] | None, now: Sequence[Any], wanted: Sequence[Any]) -> list[Any]:
    """In the order they have now, new ones behind."""
    if last is None:
        return [*now, *_without(wanted, now)]
    taken_out, put_in = _without(last, now), _without(now, last)
    result = [each for each in now if each in wanted or each in put_in]
    return [*result, *(each for each in wanted if each not in result and each not in taken_out)]


def _equal(one: Any, other: Any) -> bool:
    """The order in which a list was written says nothing."""
    if isinstance(one, list) and isinstance(other, list):
        return not _without(one, other) and not _without(other, one)
    return bool(one == other)


def _without(these: Iterable[Any], those: Sequence[Any]) -> list[Any]:
    return [each for each in these if each not in those]
