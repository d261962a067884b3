"""From a session's facts to a message on stable storage, or to the refusal that explains itself.

What flows through: the machine's questions (MAIL, RCPT, content) come in, replies go out. Here, and nowhere else, a
refusal of mail is decided; the verdict itself is `tenancy.attribution.attribute`.

Laws:
- 250 after the content only when the store says the message is durable.
- The peer is told about what it presented, never about anybody's configuration; the full reasoning goes to the
  session record and the operator's log.
- One verdict per forward-path; a message carries, recipient by recipient, whose mail it is.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from gatepost.mail.address import ForwardPath, Mailbox, ReversePath
from gatepost.mail.reply import Reply
from gatepost.mail.trace import MOST_HOPS, hops, received_field, with_protocol
from gatepost.queue.message import Claim, Content, NewMessage, NewRecipient
from gatepost.queue.store import QueueStore, StoreError
from gatepost.receiving import replies
from gatepost.receiving.limits import OverLimit, TenantGate
from gatepost.receiving.refusals import Refusals
from gatepost.receiving.unfinished import Share, UnfinishedContent
from gatepost.smtp.replies import bad_forward_path, bad_reverse_path
from gatepost.smtp.server_effects import AskMail, AskRecipient
from gatepost.tenancy.appointment import Appointment, Purpose, State, may_be_appointment, sighting
from gatepost.tenancy.attribution import GATEPOST, Attribution, Outcome, RuleSet, attribute, refusal_reply
from gatepost.tenancy.candidates import ChainJudge, gather
from gatepost.tenancy.directory import RefreshedDirectory
from gatepost.tenancy.enrolment import Objection
from gatepost.tenancy.evidence import Address, Evidence, TlsEvidence, VerifiedCertificate
from gatepost.tenancy.fields import Record

_HEADER_WATCHED = 256 * 1024
"""Octets at the start of a message that are searched for Received fields."""

_VERDICTS_KEPT = 4096


class ContentWriter(Protocol):
    """Takes the content of one message, in memory while it is small."""

    def write(self, octets: bytes) -> None: ...

    @property
    def size(self) -> int: ...

    @property
    def needs_flush(self) -> bool:
        """So much waits to be written that reading should pause until `flush`."""

    async def flush(self) -> None: ...

    def finish(self) -> Content: ...

    def discard(self) -> None: ...


class Appointments(Protocol):
    """One-time addresses of this server."""

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


class Events(Protocol):
    """The operator's structured log."""

    def emit(self, event: str, /, **fields: object) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was decided about one forward-path, and what the peer was told."""

    forward_path: ForwardPath
    attribution: Attribution | None
    """None where nothing was to be attributed: mail for this server's own postmaster."""
    reply: Reply


@dataclass(slots=True, kw_only=True)
class Transaction:
    """One mail transaction, as it grows."""

    mail: AskMail
    recipients: list[NewRecipient] = field(default_factory=list)
    relaying: dict[str, int] = field(default_factory=dict)
    """How many of them each tenant's own servers sent, which its limits count."""
    verdicts: list[Verdict] = field(default_factory=list)
    refused_later: Reply | None = None
    """`refuse_at = "end-of-data"`: the refusal that waits for the end of the content."""
    enrolment: Appointment | None = None
    """The message is for this one-time address, and for nobody else."""
    writer: ContentWriter | None = None
    header: bytearray | None = None
    share: Share | None = None
    """Of the room for unfinished content, from its first octet to its last."""
    more_refused: int = 0
    """Recipients that were refused like earlier ones of the session, and are not among the verdicts."""
    reply: Reply | None = None
    queue_id: str | None = None
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What became of one transaction since it was last told of."""

    number: int
    """Of the transaction within its session."""
    transaction: Transaction
    first: int
    """How many verdicts were told before."""
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptanceSettings:
    """What one listener decides about accepting."""

    hostname: str
    listener: str
    refuse_at_end: bool = False
    require_tls: bool = False
    help_link: str | None = None
    postmaster: Mailbox | None = None
    irregular_paths_of_strangers: bool = False
    """Whether irregular paths are taken of others than tenants' own servers, too."""
    most_waiting: int = 20_000
    """Messages waiting for their commit in this worker before new ones get 452."""


class Attributor:
    """Attribution with a memory: equal facts under the same directory version get the same verdict within a minute.

    The verdict depends on the reverse-path and forward-paths through their domains only, which makes the memory small.
    No refusal rests on an outdated directory: an administrator who has repaired a connector may send the next moment.
    """

    def __init__(self, directory: RefreshedDirectory, judge: ChainJudge, rules: RuleSet = GATEPOST) -> None:
        self._directory = directory
        self.judge = judge
        self._rules = rules
        self._kept: OrderedDict[tuple[object, ...], Attribution] = OrderedDict()

    def __call__(self, evidence: Evidence, at: datetime) -> Attribution:
        attribution = self._remembered(evidence, at)
        if attribution.refusal and self._directory.refresh():
            return self._remembered(evidence, at)
        return attribution

    def _remembered(self, evidence: Evidence, at: datetime) -> Attribution:
        key = self._key(evidence, at)
        kept = self._kept.get(key)
        if kept is None:
            candidates = gather(self._directory, evidence, self.judge, at)
            kept = self._kept[key] = attribute(evidence, candidates, at, self._rules)
            if len(self._kept) > _VERDICTS_KEPT:
                self._kept.popitem(last=False)
        return kept

    def _key(self, evidence: Evidence, at: datetime) -> tuple[object, ...]:
        tls, certificate, reverse_path = evidence.tls, evidence.certificate, evidence.reverse_path
        return (
            self._directory.version,
            int(at.timestamp() // 60),
            evidence.address,
            tls is not None,
            certificate and (type(certificate), tuple([each.sha256 for each in certificate.chain])),
            # What was learnt of intermediates meanwhile words the reason anew.
            getattr(certificate, "missing_issuer", ""),
            reverse_path.domain if isinstance(reverse_path, Mailbox) else None,
            tuple(path.domain for path in evidence.forward_paths),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What acceptance uses of the worker; shared by all its sessions."""

    attributor: Attributor
    store: QueueStore
    new_content: Callable[[], ContentWriter]
    waiting: Callable[[], int]
    """Messages waiting for their commit."""
    submit: Callable[[Sequence[Claim]], None]
    """Hands freshly accepted mail to delivery."""
    claim_at_once: Callable[[str | None], bool]
    """Whether delivery has room for a tenant's mail that has just been accepted."""
    is_full: Callable[[], bool]
    """Whether the disk, or the queue, has no room for more."""
    unfinished: UnfinishedContent
    tenants: TenantGate
    events: Events
    now: Callable[[], float]
    appointments: Appointments | None = None


class Acceptance:
    """The decisions of one session."""

    def __init__(self, settings: AcceptanceSettings, services: Services, session_id: str, address: Address) -> None:
        self._settings = settings
        self._services = services
        self._session_id = session_id
        self.address = address
        self.address_text = str(address)
        self._tenant_entered: str | None = None
        self.tls: TlsEvidence | None = None
        self.ehlo = ""
        self.extended = True
        self.transaction: Transaction | None = None
        self.tenant: str | None = None
        """Whose mail was first taken; None: nobody's yet."""
        self.by_stranger = True
        """No server of a tenant has been recognised in the session."""
        self.refused = False
        """Some mail was, whatever the reason."""
        self.refusals = Refusals()
        self.no_room: Reply | None = None
        """Why the content that is coming in cannot be kept."""
        self._untold: list[Transaction] = []
        """Those with a verdict whose end is not in the session record yet."""
        self._told_transactions = 0
        self._told_verdicts = 0
        """Of the first in `_untold`."""

    # --- envelope ---------------------------------------------------------------------------------------------------

    def mail(self, ask: AskMail) -> Reply:
        refusal = self._why_no_mail()
        if refusal is not None:
            self.refusals.add(refusal.lines[0])
            return refusal
        self.transaction = Transaction(mail=ask)
        return replies.SENDER_OK

    def _why_no_mail(self) -> Reply | None:
        if self._settings.require_tls and self.tls is None:
            return replies.STARTTLS_FIRST
        if self._services.waiting() >= self._settings.most_waiting:
            return replies.STORE_BUSY
        return replies.QUEUE_FULL if self._services.is_full() else None

    def recipient(self, ask: AskRecipient) -> Reply:
        transaction = self._running()
        path = ask.forward_path
        if path.domain == self._settings.hostname or transaction.enrolment:
            taken = self._for_this_server(transaction, ask)
            if taken:
                return taken
        attribution = self._attribute(transaction, path)
        if attribution.refusal:
            return self._refuse(transaction, path, attribution)
        refusal = self._over_limit(transaction, attribution) or self._not_for_strangers(transaction, ask, attribution)
        if refusal:
            self._note(transaction, Verdict(forward_path=path, attribution=attribution, reply=refusal))
            return refusal
        transaction.recipients.append(
            NewRecipient(forward_path=path, tenant=attribution.tenant, connector=attribution.connector, dsn=ask.dsn)
        )
        self.tenant = self.tenant or attribution.tenant
        if attribution.tenant is not None and attribution.outcome is not Outcome.INCOMING:
            transaction.relaying[attribution.tenant] = transaction.relaying.get(attribution.tenant, 0) + 1
            if self.by_stranger:
                # From here it is that server's session, whatever came before.
                self.tenant, self.by_stranger = attribution.tenant, False
        self._note(transaction, Verdict(forward_path=path, attribution=attribution, reply=replies.RECIPIENT_OK))
        return replies.RECIPIENT_OK

    def _not_for_strangers(
        self, transaction: Transaction, ask: AskRecipient, attribution: Attribution | None
    ) -> Reply | None:
        """What is taken of tenants' own servers alone: paths that the grammar does not know, and what is left of the
        disk. Whose server it is, is not known before the first recipient."""
        if attribution is not None and attribution.outcome is not Outcome.INCOMING:
            return None
        if not self._settings.irregular_paths_of_strangers:
            if transaction.mail.irregular:
                return bad_reverse_path(transaction.mail.irregular)
            if ask.irregular:
                return bad_forward_path(ask.irregular)
        return None if self._services.unfinished.has_room_for_strangers else replies.QUEUE_FULL

    def evidence(self, reverse_path: ReversePath, forward_paths: tuple[ForwardPath, ...]) -> Evidence:
        return Evidence(
            address=self.address,
            listener=self._settings.listener,
            tls=self.tls,
            ehlo=self.ehlo,
            reverse_path=reverse_path,
            forward_paths=forward_paths,
        )

    # --- mail for this server itself ---

    def _for_this_server(self, transaction: Transaction, ask: AskRecipient) -> Reply | None:
        """None: nothing special; attribution decides."""
        path, postmaster = ask.forward_path, self._settings.postmaster
        if transaction.enrolment:
            return self._told(transaction, path, replies.ENROLMENT_ALONE)
        refusal = self._not_for_strangers(transaction, ask, None)
        if refusal:
            return self._told(transaction, path, refusal)
        if postmaster and path.local_part.lower() == "postmaster":
            return self._taken_for_postmaster(transaction, ask, postmaster)
        if self._services.appointments and may_be_appointment(path.local_part):
            return self._told(
                transaction, path, self._at_one_time_address(transaction, ask, self._services.appointments)
            )
        return None

    def _at_one_time_address(self, transaction: Transaction, ask: AskRecipient, appointments: Appointments) -> Reply:
        path, at = ask.forward_path, self._at()
        appointment = appointments.at(path.local_part)
        if appointment is None or appointment.state(at) is not State.WAITING:
            return replies.ONE_TIME_ADDRESS
        if appointment.purpose is Purpose.REHEARSAL:
            appointments.rehearsed(appointment, self._sighting(transaction, path), at)
            self._services.events.emit("rehearsal", session_id=self._session_id, tenant=appointment.tenant)
            return replies.rehearsal_seen(self._session_id)
        if transaction.recipients:
            return replies.ENROLMENT_ALONE
        evidence = self.evidence(transaction.mail.envelope.reverse_path, (path,))
        if objection := appointments.objection(appointment, evidence, self._services.attributor.judge, at):
            appointments.refused(appointment, self._sighting(transaction, path), objection)
            self._services.events.emit(
                "enrolment-refused",
                session_id=self._session_id,
                tenant=appointment.tenant,
                reason=objection.code,
                claimed_by=list(objection.claimed_by),
            )
            return replies.enrolment_refused(objection.code, objection.says, self._session_id)
        transaction.enrolment = appointment
        return replies.RECIPIENT_OK

    async def _enrolled(self, transaction: Transaction, appointment: Appointment) -> Reply:
        assert self._services.appointments is not None
        seen = self._sighting(transaction, transaction.verdicts[0].forward_path)
        try:
            if not await self._services.appointments.enrolled(appointment, seen, self._at()):
                return replies.ONE_TIME_ADDRESS
        except StoreError as error:
            return self._not_stored(error)
        self._services.events.emit("enrolment", session_id=self._session_id, tenant=appointment.tenant)
        return replies.enrolled(self._session_id)

    def _sighting(self, transaction: Transaction, path: ForwardPath) -> Record:
        return sighting(self.evidence(transaction.mail.envelope.reverse_path, (path,)), self._session_id, self._at())

    def _told(self, transaction: Transaction, path: ForwardPath, said: Reply) -> Reply:
        self._note(transaction, Verdict(forward_path=path, attribution=None, reply=said))
        return said

    def _taken_for_postmaster(self, transaction: Transaction, ask: AskRecipient, postmaster: Mailbox) -> Reply:
        """RFC 5321 4.5.1: mail for postmaster of this server is taken from anybody; it goes where the operator says."""
        transaction.recipients.append(NewRecipient(forward_path=postmaster, tenant=None, connector=None, dsn=ask.dsn))
        return self._told(transaction, ask.forward_path, replies.RECIPIENT_OK)

    def _attribute(self, transaction: Transaction, path: ForwardPath) -> Attribution:
        earlier = tuple(recipient.forward_path for recipient in transaction.recipients)
        evidence = self.evidence(transaction.mail.envelope.reverse_path, (*earlier, path))
        return self._services.attributor(evidence, self._at())

    def _refuse(self, transaction: Transaction, path: ForwardPath, attribution: Attribution) -> Reply:
        assert attribution.refusal is not None
        refusal = refusal_reply(
            attribution.refusal, self._settings.hostname, self._at(), self._session_id, self._settings.help_link
        )
        if self._note(transaction, Verdict(forward_path=path, attribution=attribution, reply=refusal)):
            self._services.events.emit(
                "refused",
                session_id=self._session_id,
                address=self.address_text,
                mail_from=str(transaction.mail.envelope.reverse_path),
                rcpt_to=str(path),
                reason=attribution.refusal.reason,
                reply=str(refusal),
            )
        if self._settings.refuse_at_end:
            transaction.refused_later = transaction.refused_later or refusal
            return replies.RECIPIENT_OK
        return refusal

    def _over_limit(self, transaction: Transaction, attribution: Attribution) -> Reply | None:
        tenant, tenants = attribution.tenant, self._services.tenants
        if tenant is None or attribution.outcome is Outcome.INCOMING:
            return None
        now = self._services.now()
        over = tenants.over(tenant, now, transaction.relaying.get(tenant, 0))
        if over is None and self._tenant_entered is None:
            entered = tenants.enter(tenant, now)
            if entered is True:
                self._tenant_entered = tenant
            over = entered if isinstance(entered, OverLimit) else None
        if over:
            return replies.tenant_over_limit(over.says, over.after, now, self._session_id)
        return self._too_large(tenant, transaction.mail.declared_size or 0)

    def _too_large(self, tenant: str, size: int) -> Reply | None:
        most = self._services.tenants.largest_message(tenant)
        return replies.tenant_message_too_large(most, self._session_id) if most and size > most else None

    def _note(self, transaction: Transaction, verdict: Verdict) -> bool:
        """Whether it will be told, and not only counted."""
        reason = _reason_of_refusal(verdict)
        if reason is not None:
            self.refused = True
            if not self.refusals.add(reason, telling=not transaction.verdicts):
                transaction.more_refused += 1
                return False
        if not transaction.verdicts:
            self._untold.append(transaction)
        transaction.verdicts.append(verdict)
        return True

    @property
    def has_news(self) -> bool:
        untold = self._untold
        return bool(untold) and (untold[0] is not self.transaction or len(untold[0].verdicts) > self._told_verdicts)

    def news(self) -> tuple[News, ...]:
        """What was decided since this was last asked. It is told once and then forgotten, so that neither our memory
        nor the record grows faster than what the peer does."""
        news = []
        for number, transaction in enumerate(self._untold, self._told_transactions):
            first, self._told_verdicts = self._told_verdicts, 0
            verdicts = tuple(transaction.verdicts[first:])
            news.append(News(number=number, transaction=transaction, first=first, verdicts=verdicts))
        running = [transaction for transaction in self._untold if transaction is self.transaction]
        self._told_transactions += len(self._untold) - len(running)
        self._told_verdicts = len(running[0].verdicts) if running else 0
        self._untold = running
        return tuple(news)

    # --- content ----------------------------------------------------------------------------------------------------

    def begin_content(self) -> None:
        transaction = self._running()
        transaction.header = bytearray()
        transaction.writer = self._services.new_content()
        transaction.writer.write(self._received(transaction))
        tenant = next(iter(transaction.relaying), None)
        transaction.share = self._services.unfinished.share(tenant, self.address)

    def content(self, octets: bytes) -> None:
        transaction = self._running()
        assert transaction.writer is not None
        transaction.writer.write(octets)
        assert transaction.share is not None
        if self.no_room is None:
            self.no_room = transaction.share.grow(transaction.writer.size)
        header = transaction.header
        if header is not None and len(header) < _HEADER_WATCHED:
            header += octets

    @property
    def needs_flush(self) -> bool:
        return bool(self.transaction and self.transaction.writer and self.transaction.writer.needs_flush)

    async def flush(self) -> None:
        if self.transaction and self.transaction.writer:
            await self.transaction.writer.flush()

    async def end_content(self, size: int) -> Reply:
        """The final reply. A 2xx has the message on stable storage behind it."""
        transaction = self._running()
        transaction.size = size
        transaction.reply = await self._stored(transaction)
        self._let_go(transaction)
        self.transaction = None
        self.refused = self.refused or transaction.reply.kind >= 4
        return transaction.reply

    def drop_content(self) -> None:
        """RSET, a malformed or too large message, or a peer that went away."""
        transaction, self.transaction = self.transaction, None
        if transaction and transaction.writer:
            transaction.writer.discard()
            self._let_go(transaction)

    def _let_go(self, transaction: Transaction) -> None:
        """The transaction stays for the session record; its content must not."""
        transaction.writer = transaction.header = None
        self.no_room = None
        if transaction.share is not None:
            transaction.share.release()
            transaction.share = None

    def end(self) -> None:
        """The session is over."""
        self.drop_content()
        for reason, count in self.refusals.untold.items():
            self._services.events.emit(
                "refused-again", session_id=self._session_id, address=self.address_text, reason=reason, recipients=count
            )
        if self._tenant_entered is not None:
            self._services.tenants.leave(self._tenant_entered, self._services.now())
            self._tenant_entered = None

    async def _stored(self, transaction: Transaction) -> Reply:
        writer = transaction.writer
        assert writer is not None
        refusal = (
            self.no_room
            or transaction.refused_later
            or self._loop(transaction)
            or self._too_large_for_some(transaction)
        )
        if refusal:
            writer.discard()
            return refusal
        if transaction.enrolment:
            writer.discard()
            return await self._enrolled(transaction, transaction.enrolment)
        try:
            if writer.needs_flush:
                await writer.flush()
            accepted = await self._services.store.accept(
                self._message(transaction, writer.finish()),
                claim=self._services.claim_at_once(transaction.recipients[0].tenant),
            )
        except StoreError as error:
            writer.discard()
            return self._not_stored(error)
        transaction.queue_id = accepted.message_id
        self._count(transaction)
        self._services.events.emit(
            "accepted",
            session_id=self._session_id,
            queue_id=transaction.queue_id,
            tenant=transaction.recipients[0].tenant,
            mail_from=str(transaction.mail.envelope.reverse_path),
            recipients=len(transaction.recipients),
            size=transaction.size,
        )
        self._services.submit(accepted.claims)
        return replies.queued(transaction.queue_id)

    def _not_stored(self, error: StoreError) -> Reply:
        self._services.events.emit("store-unavailable", session_id=self._session_id, problem=str(error))
        return replies.store_unavailable(self._session_id)

    def _loop(self, transaction: Transaction) -> Reply | None:
        header = bytes(transaction.header or b"").partition(b"\r\n\r\n")[0]
        return replies.TOO_MANY_HOPS if hops(header) > MOST_HOPS else None

    def _too_large_for_some(self, transaction: Transaction) -> Reply | None:
        for tenant in transaction.relaying:
            if refusal := self._too_large(tenant, transaction.size):
                return refusal
        return None

    def _message(self, transaction: Transaction, content: Content) -> NewMessage:
        return NewMessage(
            session_id=self._session_id,
            received_at=self._services.now(),
            envelope=transaction.mail.envelope,
            recipients=tuple(transaction.recipients),
            content=content,
        )

    def _count(self, transaction: Transaction) -> None:
        now = self._services.now()
        for tenant, recipients in transaction.relaying.items():
            self._services.tenants.count_message(tenant, now, recipients)

    def _received(self, transaction: Transaction) -> bytes:
        tls = self.tls
        return received_field(
            ehlo=self.ehlo,
            address=self.address_text,
            hostname=self._settings.hostname,
            protocol=with_protocol(
                extended=self.extended, tls=tls is not None, smtputf8=transaction.mail.envelope.smtputf8
            ),
            id=self._session_id,
            facts="; ".join((*_tls_facts(tls), *_attribution_facts(transaction))),
            at=self._services.now(),
        )

    def _running(self) -> Transaction:
        assert self.transaction is not None, "the machine asks in order: MAIL before RCPT before content"
        return self.transaction

    def _at(self) -> datetime:
        return datetime.fromtimestamp(self._services.now(), UTC)


def _reason_of_refusal(verdict: Verdict) -> str | None:
    """A word that stands for it; None where the recipient was taken."""
    refusal = verdict.attribution and verdict.attribution.refusal
    if refusal:
        return str(refusal.reason)
    return str(verdict.reply).partition(" ")[2][:60] if verdict.reply.kind >= 4 else None


def _tls_facts(tls: TlsEvidence | None) -> tuple[str, ...]:
    if tls is None:
        return ()
    protocol = f"using {tls.protocol} with cipher {tls.cipher} {tls.cipher_bits} bits"
    certificate = tls.certificate
    if certificate is None:
        return (protocol, "no client certificate")
    verified = "verified" if isinstance(certificate, VerifiedCertificate) else "not verified"
    name = certificate.leaf.names[0] if certificate.leaf.names else certificate.leaf.subject
    return (protocol, f"client certificate {name.replace(';', ',')} {verified}")


def _attribution_facts(transaction: Transaction) -> tuple[str, ...]:
    """How the sender was recognised. Whose it is, is no business of whoever reads the message: the id leads there."""
    for verdict in transaction.verdicts:
        found = verdict.attribution
        if found and not found.refusal and found.tenant:
            return (f"gatepost: {found.outcome}, by {found.basis}",)
    return ()
