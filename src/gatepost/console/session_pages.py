"""One session: what was presented, every connector that was considered and why, and for operators the dialogue."""

from typing import Final

from starlette.responses import Response

from gatepost.admin.sessions.protocol_logs import conversation, conversation_document
from gatepost.admin.sessions.why import NoSessionId, SessionNotFound, session_id_in
from gatepost.app import open_protocol_logs
from gatepost.console.page import Page, Who
from gatepost.console.rendering import page
from gatepost.console.visit import Visit, not_found
from gatepost.console.watching import looked_at


def _session(visit: Visit) -> Response:
    person = visit.person
    with person.directory() as directory:
        session = person.recorded_in(directory).document(visit.part["id"])
    looked_at(visit, f"session {session['session_id']}")
    return page(visit, "session.html", session=session)


def _protocol_log(visit: Visit) -> Response:
    session_id = session_id_in(visit.part["id"])
    if isinstance(session_id, NoSessionId):
        not_found()
    found = conversation(open_protocol_logs(visit.config), session_id)
    looked_at(visit, f"protocol log of {session_id}")
    missing = found if isinstance(found, SessionNotFound) else None
    records = [] if isinstance(found, SessionNotFound) else conversation_document(found)["records"]
    return page(
        visit, "protocol_log.html", 404 if missing else 200, session_id=session_id, records=records, missing=missing
    )


PAGES: Final = (
    Page("/sessions/{id}", Who.TRACERS, _session),
    Page("/sessions/{id}/protocol-log", Who.OPERATORS, _protocol_log),
)
