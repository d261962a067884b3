"""One box for whatever somebody holds in their hands: it leads to the page that answers.

a session id, a message id, a reply           ─▶ the story, or the session
a bounce, or any text of several lines        ─▶ the doctor's answer, with the story
an IP address, a fingerprint                  ─▶ the trace, filtered
a mail address, a domain, a certificate name  ─▶ what there is of it, side by side
"""

import re
from ipaddress import ip_address
from typing import Final

from starlette.responses import RedirectResponse, Response

from gatepost.admin.trace.choice import Words, said_as
from gatepost.admin.trace.tracing import LocalTraces
from gatepost.admin.trace.tracing import Page as Found
from gatepost.console.diagnosis import of_bounce
from gatepost.console.page import Page, Who
from gatepost.console.rendering import link, page
from gatepost.console.visit import Visit
from gatepost.errors import BadRequest, NotFound, Refused

_SHOWN: Final = 10
_LONGEST: Final = 8000
"""A bounce with its header; a request's own header may have 32 KiB."""
_FINGERPRINT: Final = re.compile(r"(?:[0-9A-Fa-f]{2}:?){32}\Z")
_MAIL_ADDRESS: Final = re.compile(r"<?([^\s<>@]+@[^\s<>@]+)>?\Z")
_NAME: Final = re.compile(r"(?:\*\.)?[\w-]{1,63}(?:\.[\w-]{1,63}){1,30}\Z")


def _home(visit: Visit) -> Response:
    with visit.person.traces() as trace:
        refused = trace.search(Words(outcome="refused"), _SHOWN)
        latest = trace.search(Words(outcome="accepted"), _SHOWN)
    return page(visit, "home.html", refused=refused.items, latest=latest.items)


def _search(visit: Visit) -> Response:
    text = (visit.said("q") or "")[:_LONGEST]
    if not text:
        return RedirectResponse("/", 303)
    with visit.person.traces() as trace:
        if "\n" in text:
            return of_bounce(visit, trace, text)
        if leads_to := _leads_to(visit, trace, text):
            return RedirectResponse(leads_to, 303)
        parts = _parts(trace, text)
    return page(
        visit, "search.html", 200 if any(found.items for _, found, _ in parts) else 404, text=text, found_parts=parts
    )


def _leads_to(visit: Visit, trace: LocalTraces, text: str) -> str | None:
    """The one page that answers, where there is one."""
    if _FINGERPRINT.match(text):
        return link("/trace", certificate=text)
    try:
        return link("/trace", address=ip_address(text.strip("[]")))
    except ValueError:
        pass
    try:
        return link(f"/trace/{trace.story(text)['id']}")
    except NotFound:
        pass
    sessions = visit.person.recorded_in(trace.directory)
    try:
        return link(f"/sessions/{sessions.document(text)['session_id']}")
    except NotFound:
        return None


def _parts(trace: LocalTraces, text: str) -> list[tuple[str, Found, str]]:
    """A title, what was found, and where all of it is."""
    if found := _MAIL_ADDRESS.match(text):
        asked = {"Sent by this address": {"mail_from": found[1]}, "Sent to this address": {"rcpt_to": found[1]}}
    elif _NAME.match(text):
        asked = {"Mail of this domain": {"domain": text}, "With a certificate of this name": {"certificate": text}}
    else:
        return []
    return [(title, _found(trace, words), _address(words)) for title, words in asked.items()]


def _found(trace: LocalTraces, words: dict[str, str]) -> Found:
    try:
        return trace.search(Words(**words), _SHOWN)
    except (BadRequest, Refused):
        return Found((), None, ())


def _address(words: dict[str, str]) -> str:
    return link("/trace", **{f"{said_as(name)}_": value for name, value in words.items()})


PAGES: Final = (
    Page("/", Who.TRACERS, _home),
    Page("/search", Who.TRACERS, _search),
)
