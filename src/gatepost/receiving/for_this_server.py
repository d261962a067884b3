"""Mail for this server itself: its postmaster, and one-time addresses of rehearsals and enrolments.

Laws: a rehearsal accepts nothing; an enrolment address takes a message of its own, and its 250 has what was seen on
stable storage behind it (`Acceptance` waits for `enrolled`).
"""

from datetime import UTC, datetime

from gatepost.mail.address import ForwardPath
from gatepost.mail.reply import Reply
from gatepost.queue.message import NewRecipient
from gatepost.receiving import replies
from gatepost.receiving.services import AcceptanceSettings, OneTimeAddresses, Services
from gatepost.receiving.transaction import Transaction
from gatepost.smtp.server_effects import AskRecipient
from gatepost.tenancy.appointment import Appointment, Purpose, State, may_be_appointment, sighting
from gatepost.tenancy.evidence import Evidence
from gatepost.tenancy.fields import Record


class ForThisServer:
    """What one session sends here."""

    __slots__ = ("_services", "_session_id", "_settings")

    def __init__(self, settings: AcceptanceSettings, services: Services, session_id: str) -> None:
        self._settings = settings
        self._services = services
        self._session_id = session_id

    def recipient(self, transaction: Transaction, ask: AskRecipient) -> Reply | None:
        """None: nothing special; attribution decides."""
        local_part, postmaster = ask.forward_path.local_part, self._settings.postmaster
        if postmaster and local_part.lower() == "postmaster":
            # RFC 5321 4.5.1: taken from anybody; it goes where the operator says.
            transaction.recipients.append(
                NewRecipient(forward_path=postmaster, tenant=None, connector=None, dsn=ask.dsn)
            )
            return replies.RECIPIENT_OK
        addresses = self._services.one_time_addresses
        if addresses is None or not may_be_appointment(local_part):
            return None
        at = datetime.fromtimestamp(self._services.now(), UTC)
        appointment = addresses.at(local_part)
        if appointment is None or appointment.state(at) is not State.WAITING:
            return replies.ONE_TIME_ADDRESS
        evidence = transaction.evidence(self._settings.listener, ask.forward_path)
        if appointment.purpose is Purpose.REHEARSAL:
            return self._rehearsed(addresses, appointment, evidence, at)
        if transaction.recipients:
            return replies.ENROLMENT_ALONE
        return self._may_enrol(addresses, appointment, evidence, at) or self._taken(transaction, appointment)

    def _rehearsed(
        self, addresses: OneTimeAddresses, appointment: Appointment, evidence: Evidence, at: datetime
    ) -> Reply:
        addresses.rehearsed(appointment, sighting(evidence, self._session_id, at), at)
        self._services.events.emit("rehearsal", session_id=self._session_id, tenant=appointment.tenant)
        return replies.rehearsal_seen(self._session_id)

    def _may_enrol(
        self, addresses: OneTimeAddresses, appointment: Appointment, evidence: Evidence, at: datetime
    ) -> Reply | None:
        objection = addresses.objection(appointment, evidence, self._services.attribution.judge, at)
        if objection is None:
            return None
        addresses.refused(appointment, sighting(evidence, self._session_id, at), objection)
        self._services.events.emit(
            "enrolment-refused",
            session_id=self._session_id,
            tenant=appointment.tenant,
            reason=objection.code,
            claimed_by=list(objection.claimed_by),
        )
        return replies.enrolment_refused(objection.code, objection.says, self._session_id)

    def _taken(self, transaction: Transaction, appointment: Appointment) -> Reply:
        transaction.enrolment = appointment
        return replies.RECIPIENT_OK

    async def enrolled(self, transaction: Transaction, appointment: Appointment) -> Reply:
        """The final reply to an enrolment's message. Raises `StoreError`."""
        addresses = self._services.one_time_addresses
        assert addresses is not None, "one was looked up there"
        at = datetime.fromtimestamp(self._services.now(), UTC)
        if not await addresses.enrolled(appointment, self._seen(transaction, at), at):
            return replies.ONE_TIME_ADDRESS
        self._services.events.emit("enrolment", session_id=self._session_id, tenant=appointment.tenant)
        return replies.enrolled(self._session_id)

    def _seen(self, transaction: Transaction, at: datetime) -> Record:
        path: ForwardPath = transaction.decisions[0].forward_path
        return sighting(transaction.evidence(self._settings.listener, path), self._session_id, at)
