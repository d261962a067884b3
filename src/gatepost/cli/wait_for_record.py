"""Logs are written a tenth of a second behind the session: a question asked right after a refusal waits that long."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from gatepost.admin.sessions.why import NoSessionId, SessionNotFound, session_id_in
from gatepost.cli import context
from gatepost.mail.session_id import time_of

Found = TypeVar("Found")

_TRIES = 10
_PAUSE_S = 0.1
_RECENT = timedelta(minutes=10)


def wanted_session(text: str) -> str:
    """The session id in what was typed or pasted; without one the command fails."""
    session_id = session_id_in(text)
    if isinstance(session_id, NoSessionId):
        context.fail(str(session_id), context.WRONG_USE)
    return session_id


def found_soon(look: Callable[[], Found | SessionNotFound]) -> Found:
    """What `look` finds. A session of the last minutes is looked for again for a second; then the command fails."""
    for tries_left in range(_TRIES, -1, -1):
        found = look()
        if not isinstance(found, SessionNotFound):
            return found
        if not tries_left or not _is_recent(found.session_id):
            context.fail(str(found))
        time.sleep(_PAUSE_S)
    raise AssertionError("the last try returns or fails")


def _is_recent(session_id: str) -> bool:
    try:
        return abs(datetime.now(UTC) - time_of(session_id)) < _RECENT
    except ValueError:
        return False
