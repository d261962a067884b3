"""How a list of a connector changes: it is replaced, or something is added to it and taken from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gatepost.admin.refusal import BadRequest

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEdit:
    """As it was written: what is added at the end, and what goes."""

    add: Sequence[str] = ()
    remove: Sequence[str] = ()


ListChange = Sequence[str] | ListEdit | None
"""None: as it is; a list: instead of the stored one."""


def edited(stored: tuple[T, ...], changes: ListChange, read: Callable[[str], T], option: str) -> tuple[T, ...]:
    """Each once, in the order written. `option` names the list in a refusal: `certificate-name`."""
    if changes is None:
        return stored
    if not isinstance(changes, ListEdit):
        return tuple(dict.fromkeys(map(read, changes)))
    return with_edit(stored, [read(text) for text in changes.add], [read(text) for text in changes.remove], option)


def with_edit(stored: tuple[T, ...], add: Sequence[T], remove: Sequence[T], option: str) -> tuple[T, ...]:
    for each in remove:
        if each not in stored:
            raise BadRequest(f"--remove-{option}: {_short(each)} is not there; there is: {_listed(stored)}")
    return tuple(dict.fromkeys([*(each for each in stored if each not in remove), *add]))


def _listed(stored: tuple[T, ...]) -> str:
    return ", ".join(map(_short, stored[:10])) + (" and more" if len(stored) > 10 else "") or "nothing"


def _short(each: object) -> str:
    """A trust anchor is many lines."""
    text = str(each)
    return "this certificate" if text.startswith("-----BEGIN") else text
