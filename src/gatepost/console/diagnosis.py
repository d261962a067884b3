"""The doctor's answer about a message: what somebody pasted, and what the relay itself recorded of it.

    the pasted text, the story, its session ─▶ texts by name ─▶ the doctor, apart ─▶ causes and repairs

Law: the records are those that whoever asks may see; without a pasted text the records alone are the evidence.
"""

import json
import time
from base64 import b64decode, encodebytes
from collections.abc import Iterator, Mapping
from typing import Any, Final

from starlette.responses import Response

from gatepost.admin.trace.tracing import LocalTraces
from gatepost.app.diagnosing import GivenUp, diagnosed
from gatepost.console.page import Page, Who
from gatepost.console.rendering import page
from gatepost.console.trace_pages import session_of
from gatepost.console.visit import Visit
from gatepost.console.watching import looked_at
from gatepost.errors import NotFound
from gatepost.https.gate import must_not_hurry
from gatepost.https.rates import Rate

_ASKED: Final = Rate(12)
"""Of each person, in a minute: a diagnosis takes seconds of a processor."""
_ASKED_BY_TENANT: Final = Rate(24)
_GIVEN_UP: Final = {
    GivenUp.BUSY: "other diagnoses are running. Try again in half a minute",
    GivenUp.TOO_LONG: "it took too long",
    GivenUp.FAILED: "the doctor ended without a report",
}

Record = Mapping[str, Any]


def diagnosis_of(visit: Visit, traces: LocalTraces, pasted: str, story: Record | None) -> dict[str, Any] | GivenUp:
    now, tenant = time.monotonic(), visit.person.of_tenant
    must_not_hurry(_ASKED.wait_s(visit.person.name, now), "to diagnose, by this person")
    if tenant is not None:
        must_not_hurry(_ASKED_BY_TENANT.wait_s(tenant.casefold(), now), "to diagnose, by this tenant")
    session = session_of(visit, traces, story["session_id"]) if story else None
    return diagnosed(dict(_texts(pasted, story, session)), tenant)


def _shown(visit: Visit, text: str, story: Record | None, found: dict[str, Any] | GivenUp) -> Response:
    given_up = _GIVEN_UP[found] if isinstance(found, GivenUp) else None
    report = None if isinstance(found, GivenUp) else found
    return page(visit, "diagnosis.html", text=text, story=story, found=report, given_up=given_up)


def _texts(pasted: str, story: Record | None, session: Record | None) -> Iterator[tuple[str, str]]:
    if pasted:
        yield "what you pasted", pasted
    if session:
        yield "the relay's record of the session", json.dumps(_without_certificates(session))
        if chain := _pem(session):
            yield "the certificate as it was presented", chain
    elif story and story["reply"]:
        yield "the relay's trace", story["reply"]
    if story and (attempts := "\n".join(_attempts(story))):
        yield "the relay's delivery attempts", attempts


def _attempts(story: Record) -> Iterator[str]:
    for event in story["events"]:
        if event.get("host") and event["reply"]:
            yield f"<{event['rcpt_to']}>: host {event['host']} said: {event['reply']}"


def _without_certificates(session: Record) -> Record:
    """They are handed over beside it."""
    return {name: value for name, value in session.items() if name != "transactions"}


def _pem(session: Record) -> str:
    certificate = (session["evidence"]["tls"] or {}).get("certificate") or {}
    blocks = (encodebytes(b64decode(each["der"])).decode() for each in certificate.get("chain", ()) if each.get("der"))
    return "".join(f"-----BEGIN CERTIFICATE-----\n{each}-----END CERTIFICATE-----\n" for each in blocks)


def _of_message(visit: Visit) -> Response:
    with visit.person.traces() as traces:
        story = traces.story(visit.part["id"])
        found = diagnosis_of(visit, traces, "", story)
    looked_at(visit, f"message {story['id']}")
    return _shown(visit, "", story, found)


def of_bounce(visit: Visit, traces: LocalTraces, text: str) -> Response:
    try:
        story = traces.story(text)
    except NotFound:
        story = None
    if story:
        looked_at(visit, f"message {story['id']}")
    found = diagnosis_of(visit, traces, text, story)
    return _shown(visit, text, story, found)


PAGES: Final = (Page("/diagnosis/{id:path}", Who.TRACERS, _of_message),)
