"""What is told of one session: accounts for the record, while it goes on and when it ends, and its last rows."""

from collections.abc import Callable
from typing import Final

from gatepost.carrier.session_log import SessionLog
from gatepost.protocol_log.record import Event
from gatepost.receiving.acceptance import Acceptance
from gatepost.receiving.account import SessionAccount
from gatepost.receiving.transaction import Peer

_LONG_SESSION_S: Final = 0.5


class SessionReport:
    def __init__(
        self,
        session_id: str,
        listener: str,
        began_at: float,
        now: Callable[[], float],
        acceptance: Acceptance,
        log: SessionLog | None,
        record: Callable[[SessionAccount], None],
    ) -> None:
        self._session_id = session_id
        self._listener = listener
        self._now = now
        self._began_at = began_at
        self._acceptance = acceptance
        self._log = log
        self._record = record
        self._ended = False

    def so_far(self, peer: Peer, now: float) -> None:
        """What was decided. The administrator who reads a refusal asks `why` before the session is over; other sessions
        are recorded before their end only where that is long in coming."""
        acceptance = self._acceptance
        if self._ended or not acceptance.has_unreported:
            return
        if acceptance.refused or now - self._began_at > _LONG_SESSION_S:
            self._record(self._account(peer, ""))

    def end(self, peer: Peer, why: str) -> None:
        """Once per session."""
        if self._ended:
            return
        self._ended = True
        acceptance = self._acceptance
        acceptance.end(peer.address_text)
        if self._log is not None:
            for reason, count in acceptance.refusals.untold.items():
                self._log.add(Event.INFORMATION, reason, f"refused {count} more times, not logged individually")
            self._log.add(Event.DISCONNECT, "", why)
        self._record(self._account(peer, why))

    def _account(self, peer: Peer, why: str) -> SessionAccount:
        acceptance = self._acceptance
        return SessionAccount(
            session_id=self._session_id,
            at=self._began_at,
            ended_at=self._now(),
            listener=self._listener,
            peer=peer,
            tenant=acceptance.tenant,
            by_stranger=acceptance.by_stranger,
            transactions=acceptance.take_unreported(),
            why=why,
        )
