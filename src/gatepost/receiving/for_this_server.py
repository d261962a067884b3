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
from gatepost.tenancy.evidence import Evidence
from gatepost.tenancy.fields import Record
from gatepost.tenancy.one_time_address import OneTimeAddress, Purpose, State, may_be_one_time_address, seen_session


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
        if addresses is None or not may_be_one_time_address(local_part):
            return None
        at = datetime.fromtimestamp(self._services.now(), UTC)
        one_time_address = addresses.at(local_part)
        if one_time_address is None or one_time_address.state(at) is not State.WAITING:
            return replies.ONE_TIME_ADDRESS
        evidence = transaction.evidence(self._settings.listener, ask.forward_path)
        if one_time_address.purpose is Purpose.REHEARSAL:
            return self._rehearsed(addresses, one_time_address, evidence, at)
        if transaction.recipients:
            return replies.ENROLMENT_ALONE
        return self._may_enrol(addresses, one_time_address, evidence, at) or self._taken(transaction, one_time_address)

    def _rehearsed(
        self, addresses: OneTimeAddresses, one_time_address: OneTimeAddress, evidence: Evidence, at: datetime
    ) -> Reply:
        addresses.rehearsed(one_time_address, seen_session(evidence, self._session_id, at), at)
        self._services.events.emit("rehearsal", session_id=self._session_id, tenant=one_time_address.tenant)
        return replies.rehearsal_seen(self._session_id)

    def _may_enrol(
        self, addresses: OneTimeAddresses, one_time_address: OneTimeAddress, evidence: Evidence, at: datetime
    ) -> Reply | None:
        objection = addresses.objection(one_time_address, evidence, self._services.attribution.judge, at)
        if objection is None:
            return None
        addresses.refused(one_time_address, seen_session(evidence, self._session_id, at), objection)
        self._services.events.emit(
            "enrolment-refused",
            session_id=self._session_id,
            tenant=one_time_address.tenant,
            reason=objection.code,
            claimed_by=list(objection.claimed_by),
        )
        return replies.enrolment_refused(objection.code, objection.says, self._session_id)

    def _taken(self, transaction: Transaction, one_time_address: OneTimeAddress) -> Reply:
        transaction.enrolment = one_time_address
        return replies.RECIPIENT_OK

    async def enrolled(self, transaction: Transaction, one_time_address: OneTimeAddress) -> Reply:
        """The final reply to an enrolment's message. Raises `StoreError`."""
        addresses = self._services.one_time_addresses
        assert addresses is not None, "one was looked up there"
        at = datetime.fromtimestamp(self._services.now(), UTC)
        if not await addresses.enrolled(one_time_address, self._seen(transaction, at), at):
            return replies.ONE_TIME_ADDRESS
        self._services.events.emit("enrolment", session_id=self._session_id, tenant=one_time_address.tenant)
        return replies.enrolled(self._session_id)

    def _seen(self, transaction: Transaction, at: datetime) -> Record:
        path: ForwardPath = transaction.decisions[0].forward_path
        return seen_session(transaction.evidence(self._settings.listener, path), self._session_id, at)
