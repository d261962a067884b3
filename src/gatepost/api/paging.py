"""Long lists in pages. A cursor is the last name of a page: what is added or removed meanwhile shifts nothing.

Laws: a cursor opens the list that it was given for, and no other; a page has no more octets than a peer may be sent at
once.
"""

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Query, Request

from gatepost.admin.trace.cursors import cursor_of, place_in
from gatepost.https.problem import Problem

_T = TypeVar("_T")

_LARGEST_PAGE: Final = 1024 * 1024
_VERSION: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


class Page:
    """Which page is asked for."""

    def __init__(
        self,
        request: Request,
        limit: Annotated[int, Query(ge=1, le=500, description="How many.")] = 100,
        cursor: Annotated[str | None, Query(max_length=1000, description="`next` of the page before.")] = None,
    ) -> None:
        self.limit = limit
        self._list = request.url.path
        after = "" if cursor is None else place_in(self._list, cursor)
        if after is None:
            raise _bad_cursor()
        self.after = after

    @property
    def after_version(self) -> int | None:
        """Where the list goes by version, that of `after`."""
        if not self.after:
            return None
        if not _VERSION.fullmatch(self.after):
            raise _bad_cursor()
        return int(self.after)

    def of(self, items: Iterable[_T], name: Callable[[_T], str], show: Callable[[_T], Any]) -> dict[str, Any]:
        """`items` begin after `self.after`."""
        shown: list[Any] = []
        last, size = None, 0
        for each in items:
            if last is not None and (len(shown) == self.limit or size > _LARGEST_PAGE):
                return {"items": shown, "next": cursor_of(self._list, name(last))}
            last = each
            shown.append(show(each))
            size += len(str(shown[-1]))
        return {"items": shown, "next": None}


def _bad_cursor() -> Problem:
    return Problem(400, "bad-cursor", "the cursor does not belong to this list", field="cursor", do="begin without")


PageOf = Annotated[Page, Depends()]
