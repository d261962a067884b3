"""Session ids: sixteen upper-case hexadecimal digits that say when a session began and which worker had it.

The number is .NET ticks (100 ns since 0001-01-01 UTC), as in Exchange's protocol logs, with the worker in its lowest
six bits. Law: the ids of one worker strictly increase, so that none is used twice while the clock does not run
backwards across a restart.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_TICKS_PER_SECOND: Final = 10_000_000
_TICKS_AT_UNIX_EPOCH: Final = 621_355_968_000_000_000
_WORKER_BITS: Final = 6
MOST_WORKERS: Final = 1 << _WORKER_BITS

_ID_ALONE = re.compile(r"[0-9A-Fa-f]{16}\Z")
_ID_AT_END_OF_REPLY = re.compile(r"\[[^\[\]]*\s([0-9A-Fa-f]{16})\]")
_ID_ANYWHERE = re.compile(r"(?<![0-9A-Za-z])(0[0-9A-Fa-f]{15})(?![0-9A-Za-z])")


class SessionIds:
    """The ids of one worker."""

    __slots__ = ("_last", "_worker")

    def __init__(self, worker: int) -> None:
        if not 0 <= worker < MOST_WORKERS:
            raise ValueError(f"worker {worker}: a session id has room for workers 0 to {MOST_WORKERS - 1}")
        self._worker = worker
        self._last = 0

    def next(self, now: float) -> str:
        """The id of a session that begins at `now`, seconds since the epoch."""
        slot = (int(now * _TICKS_PER_SECOND) + _TICKS_AT_UNIX_EPOCH) >> _WORKER_BITS
        if slot <= self._last:
            slot = self._last + 1
        self._last = slot
        return f"{slot << _WORKER_BITS | self._worker:016X}"


def time_of(session_id: str) -> datetime:
    """When the session began. Raises `ValueError` where the digits speak of no year from 1 to 9999."""
    ticks = int(session_id, 16) & ~(MOST_WORKERS - 1)
    try:
        return datetime(1, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
    except OverflowError:
        raise ValueError(f"'{session_id}' is not a session id: its time is beyond the year 9999") from None


def worker_of(session_id: str) -> int:
    return int(session_id, 16) & (MOST_WORKERS - 1)


def find_session_id(text: str) -> str | None:
    """The session id in what a person pasted: the id alone in any case, or a reply that ends in `[host time id]`."""
    text = text.strip()
    if _ID_ALONE.match(text):
        return text.upper()
    # The last bracket counts: a remote host's quoted reply may stand before ours.
    bracketed = _ID_AT_END_OF_REPLY.findall(text) or _ID_ANYWHERE.findall(text)
    return bracketed[-1].upper() if bracketed else None
