"""Long lists in pages. A cursor is the last name of a page: what is added or removed meanwhile shifts nothing.

Laws: a cursor opens the list that it was given for, and no other; a page has no more octets than a peer may be sent at
once.
"""

import re
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Query, Request

from gatepost.api.problems import Problem

_T = TypeVar("_T")

_LARGEST_PAGE: Final = 1024 * 1024
_MARK: Final = 6
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
        self.after = "" if cursor is None else _name_in(cursor, self._list)

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
                return {"items": shown, "next": _cursor(name(last), self._list)}
            last = each
            shown.append(show(each))
            size += len(str(shown[-1]))
        return {"items": shown, "next": None}


def _cursor(name: str, list_: str) -> str:
    return urlsafe_b64encode(_mark(list_) + name.encode()).decode().rstrip("=")


def _name_in(cursor: str, list_: str) -> str:
    try:
        octets = b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        if octets[:_MARK] == _mark(list_):
            return octets[_MARK:].decode()
    except (NotBase64, ValueError):
        pass
    raise _bad_cursor()


def _mark(list_: str) -> bytes:
    return sha256(list_.encode()).digest()[:_MARK]


def _bad_cursor() -> Problem:
    return Problem(400, "bad-cursor", "the cursor does not belong to this list", field="cursor", do="begin without")


PageOf = Annotated[Page, Depends()]
