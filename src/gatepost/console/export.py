"""A trace search as a file: CSV for a spreadsheet, JSON for a program; page after page, as it is read.

Laws: it holds what the search shows to whoever asks, and no formula; it ends within the time that a request has, and
says where to go on (`next` in JSON, the last line in CSV); that it was fetched, and by which filters, is kept.
"""

import csv
import io
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

from starlette.responses import Response, StreamingResponse

from gatepost.admin.trace.choice import Words, said_as
from gatepost.admin.trace.records import COLUMNS, cells
from gatepost.admin.trace.tracing import MOST_ON_A_PAGE
from gatepost.console.page import Page, Who
from gatepost.console.trace_pages import words_of
from gatepost.console.visit import Visit
from gatepost.console.watching import looked_at
from gatepost.errors import BadRequest, Named

MOST_ROWS: Final = 20_000
_LONGEST_S: Final = 20.0
_FORMAT: Final = Named(name="format", option="format")

Pages = Iterator[tuple[Sequence[Mapping[str, Any]], str | None]]
"""Items, and the cursor of what follows."""


def _export(visit: Visit) -> Response:
    form = visit.said("format") or "csv"
    if form not in _WRITERS:
        raise BadRequest(_FORMAT, f" {form}: must be one of {', '.join(_WRITERS)}")
    words, cursor = words_of(visit), visit.said("cursor")
    pages = _pages(visit, words, cursor)
    # What is wrong with the filters is said before anything is sent.
    first = next(pages)
    filters = {said_as(name): text for name, text in asdict(words).items() if text}
    looked_at(visit, f"an export of the trace as {form}, filters: {json.dumps(filters, ensure_ascii=False)}")
    media_type, write = _WRITERS[form]
    name = f"trace-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(write(chain([first], pages)), headers=headers, media_type=media_type)


def _pages(visit: Visit, words: Words, cursor: str | None) -> Pages:
    rows, until = 0, time.monotonic() + _LONGEST_S
    while True:
        # Opened for each page: the next one is asked for when the peer has taken this one.
        with visit.person.traces() as traces:
            found = traces.search(words, min(MOST_ON_A_PAGE, MOST_ROWS - rows), cursor)
        rows, cursor = rows + len(found.items), found.next
        yield found.items, cursor
        if cursor is None or rows >= MOST_ROWS or time.monotonic() > until:
            return


def _csv(pages: Pages) -> Iterator[str]:
    yield _lines([COLUMNS])
    following = None
    for page in pages:
        items, following = page
        yield _lines(map(cells, items))
    if following is not None:
        where = f"add &cursor={following} to the address of this export"
        yield _lines([[f"There is more. Narrow the filters, or {where}."]])


def _lines(rows: Any) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def _json(pages: Pages) -> Iterator[str]:
    yield '{"items": ['
    begun, following = False, None
    for page in pages:
        items, following = page
        if items:
            yield (",\n" if begun else "") + ",\n".join(map(json.dumps, items))
            begun = True
    yield f'], "next": {json.dumps(following)}}}\n'


_WRITERS: Final[dict[str, tuple[str, Callable[[Pages], Iterator[str]]]]] = {
    "csv": ("text/csv; charset=utf-8", _csv),
    "json": ("application/json", _json),
}

PAGES: Final = (Page("/export", Who.TRACERS, _export),)
