"""The trace: a list with every filter in its address, and the story of one message or session, event by event."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from starlette.responses import Response

from gatepost.admin.trace.choice import OUTCOMES, Words, said_as
from gatepost.admin.trace.tracing import LocalTraces
from gatepost.console.page import Page, Who
from gatepost.console.rendering import link, page, with_query
from gatepost.console.visit import Visit
from gatepost.console.watching import looked_at
from gatepost.errors import BadRequest, NotAllowed, NotFound

ROWS: Final = 50


def words_of(visit: Visit) -> Words:
    return Words(**{each.name: visit.said(said_as(each.name)) for each in fields(Words)})


def _list(visit: Visit) -> Response:
    words = words_of(visit)
    problem = found = None
    with visit.person.traces() as trace:
        try:
            found = trace.search(words, ROWS, visit.said("cursor"))
        except (BadRequest, NotAllowed) as error:
            if isinstance(error, NotFound):
                raise
            problem = error
    following = with_query(visit, cursor=found.next) if found and found.next else None
    return page(
        visit,
        "trace.html",
        409 if problem else 200,
        items=found.items if found else (),
        damaged=bool(found and found.damaged),
        following=following,
        export={each: link("/export", **{**visit.query, "cursor": None, "format": each}) for each in ("csv", "json")},
        is_filtered=any(getattr(words, each.name) for each in fields(words)),
        outcomes=OUTCOMES,
        problem=problem,
        problem_field=problem and problem.field and problem.field.name,
    )


def _story(visit: Visit) -> Response:
    with visit.person.traces() as trace:
        story = trace.story(visit.part["id"])
        session = session_of(visit, trace, story["session_id"])
    looked_at(visit, f"message {story['id']}")
    return page(visit, "story.html", story=story, session=session)


def session_of(visit: Visit, trace: LocalTraces, session_id: str | None) -> Mapping[str, Any] | None:
    """What is known of why; session records may be gone when the trace is not."""
    if session_id is None:
        return None
    try:
        return visit.person.recorded_in(trace.directory).document(session_id)
    except NotFound:
        return None


PAGES: Final = (
    Page("/trace", Who.TRACERS, _list),
    Page("/trace/{id:path}", Who.TRACERS, _story),
)
