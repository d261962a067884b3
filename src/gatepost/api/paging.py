"""Long lists in pages. A cursor is the last name of a page: what is added or removed meanwhile shifts nothing."""

from base64 import b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query

from gatepost.api.problems import Problem

_T = TypeVar("_T")


class Page:
    """Which page is asked for."""

    def __init__(
        self,
        limit: Annotated[int, Query(ge=1, le=500, description="How many.")] = 100,
        cursor: Annotated[str | None, Query(max_length=400, description="`next` of the page before.")] = None,
    ) -> None:
        self.limit = limit
        self.after = "" if cursor is None else _name_in(cursor)

    def of(self, items: Iterable[_T], name: Callable[[_T], str], show: Callable[[_T], Any]) -> dict[str, Any]:
        """`items` begin after `self.after`."""
        iterator: Iterator[_T] = iter(items)
        chosen = list(islice(iterator, self.limit))
        is_last = next(iterator, None) is None
        return {"items": [show(each) for each in chosen], "next": None if is_last else _cursor(name(chosen[-1]))}


def _cursor(name: str) -> str:
    return urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _name_in(cursor: str) -> str:
    try:
        return b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
    except (NotBase64, ValueError):
        raise Problem(409, "bad-cursor", "this cursor is none of ours", field="cursor", do="begin without") from None


PageOf = Annotated[Page, Depends()]
