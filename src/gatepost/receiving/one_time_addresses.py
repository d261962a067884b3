"""One-time addresses as receiving sees them: `app` keeps them, `tenancy.appointment` says what they are."""

from datetime import datetime
from typing import Protocol

from gatepost.tenancy.appointment import Appointment
from gatepost.tenancy.candidates import ChainJudge
from gatepost.tenancy.enrolment import Objection
from gatepost.tenancy.evidence import Evidence
from gatepost.tenancy.fields import Record


class OneTimeAddresses(Protocol):
    """Of this server."""

    def at(self, local_part: str) -> Appointment | None: ...

    def objection(
        self, appointment: Appointment, evidence: Evidence, judge: ChainJudge, at: datetime
    ) -> Objection | None:
        """Why the session does not prove its certificate to be the tenant's."""

    def refused(self, appointment: Appointment, seen: Record, objection: Objection) -> None:
        """Keep what was seen and why it proves nothing, a moment later."""

    def rehearsed(self, appointment: Appointment, seen: Record, at: datetime) -> None:
        """Keep what was seen, a moment later: no session waits for it."""

    async def enrolled(self, appointment: Appointment, seen: Record, at: datetime) -> bool:
        """Keep what was seen, on stable storage; False: somebody was seen there before. Raises `StoreError`."""
