"""From a session's facts to a message on stable storage, or to the refusal that explains itself.

What flows through: the machine's questions (MAIL, RCPT, content) come in, replies go out. Here, and nowhere else, a
refusal of mail is decided; the verdict itself is `tenancy.attribution.attribute`. By subject: `transaction` is what
grows, `for_this_server` its postmaster and one-time addresses, `session_limits` what a tenant may, `content` what comes
in, `account` what is recorded of it.

Laws:
- 250 after the content only when the store says the message is durable.
- The peer is told about what it presented, never about anybody's configuration; the full reasoning goes to the
  session record and the operator's log.
- One verdict per forward-path; a message carries, recipient by recipient, whose mail it is. It holds at the end of the
  content too, or the message is not taken.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from gatepost.mail.address import ForwardPath
from gatepost.mail.reply import Reply
from gatepost.mail.trace import received_field, with_protocol
from gatepost.queue.message import Content, NewMessage, NewRecipient
from gatepost.queue.store import Accepted, Promise, StoreError
from gatepost.receiving import replies
from gatepost.receiving.account import TransactionAccount, Unreported
from gatepost.receiving.content import MessageContent
from gatepost.receiving.for_this_server import ForThisServer
from gatepost.receiving.refusals import Refusals
from gatepost.receiving.services import AcceptanceSettings, Services
from gatepost.receiving.session_limits import SessionLimits
from gatepost.receiving.transaction import Peer, RecipientDecision, Transaction
from gatepost.signing.message import MessageSigning, Signed
from gatepost.smtp.replies import bad_forward_path, bad_reverse_path
from gatepost.smtp.server_effects import AskMail, AskRecipient
from gatepost.tenancy.attribution import Attribution, Outcome, refusal_reply
from gatepost.tenancy.evidence import TlsEvidence, VerifiedCertificate
from gatepost.tenancy.one_time_address import OneTimeAddress

_Answer = Callable[[Reply], None]
"""Where the final reply to content goes."""


class Acceptance:
    """The decisions of one session."""

    def __init__(self, settings: AcceptanceSettings, services: Services, session_id: str) -> None:
        self._settings = settings
        self._services = services
        self._session_id = session_id
        self._limits = SessionLimits(services.tenants, session_id)
        self._unreported = Unreported()
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
        self.needs_flush = False
        """So much of it waits to be written that reading should pause until `flush`."""
        self._enrolling: asyncio.Task[None] | None = None

    # --- envelope ---------------------------------------------------------------------------------------------------

    def mail(self, ask: AskMail, peer: Peer) -> Reply:
        refusal = self._why_no_mail(peer)
        if refusal is not None:
            self.refusals.add(refusal.lines[0])
            return refusal
        self.transaction = Transaction(mail=ask, peer=peer)
        return replies.SENDER_OK

    def _why_no_mail(self, peer: Peer) -> Reply | None:
        if self._settings.require_tls and peer.tls is None:
            return replies.STARTTLS_FIRST
        if self._services.waiting() >= self._settings.most_waiting:
            return replies.STORE_BUSY
        return replies.QUEUE_FULL if self._services.is_full() else None

    def recipient(self, ask: AskRecipient) -> Reply:
        transaction = self._running()
        path = ask.forward_path
        if path.domain == self._settings.hostname or transaction.enrolment:
            reply = self._for_this_server(transaction, ask)
            if reply:
                self._note(transaction, RecipientDecision(forward_path=path, attribution=None, reply=reply))
                return reply
        attribution = self._attribute(transaction, path)
        if attribution.refusal:
            return self._refuse(transaction, path, attribution)
        refusal = self._over_limit(transaction, attribution) or self._not_for_strangers(transaction, ask, attribution)
        if refusal:
            self._note(transaction, RecipientDecision(forward_path=path, attribution=attribution, reply=refusal))
            return refusal
        transaction.recipients.append(
            NewRecipient(forward_path=path, tenant=attribution.tenant, connector=attribution.connector, dsn=ask.dsn)
        )
        self._learn_tenant(transaction, attribution)
        taken = RecipientDecision(forward_path=path, attribution=attribution, reply=replies.RECIPIENT_OK)
        self._note(transaction, taken)
        return replies.RECIPIENT_OK

    def _for_this_server(self, transaction: Transaction, ask: AskRecipient) -> Reply | None:
        """None: nothing special; attribution decides."""
        if transaction.enrolment:
            return replies.ENROLMENT_ALONE
        return self._not_for_strangers(transaction, ask, None) or self._here().recipient(transaction, ask)

    def _here(self) -> ForThisServer:
        return ForThisServer(self._settings, self._services, self._session_id)

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

    def _attribute(self, transaction: Transaction, path: ForwardPath) -> Attribution:
        return self._services.attribution(transaction.evidence(self._settings.listener, path), self._at())

    def _refuse(self, transaction: Transaction, path: ForwardPath, attribution: Attribution) -> Reply:
        assert attribution.refusal is not None
        refusal = refusal_reply(
            attribution.refusal, self._settings.hostname, self._at(), self._session_id, self._settings.help_link
        )
        if self._note(transaction, RecipientDecision(forward_path=path, attribution=attribution, reply=refusal)):
            self._services.events.emit(
                "refused",
                session_id=self._session_id,
                address=transaction.peer.address_text,
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
        tenant = attribution.tenant
        if tenant is None or attribution.outcome is Outcome.INCOMING:
            return None
        recipients, size = transaction.relaying.get(tenant, 0), transaction.mail.declared_size or 0
        return self._limits.refusal(tenant, recipients, size, self._services.now())

    def _learn_tenant(self, transaction: Transaction, attribution: Attribution) -> None:
        tenant = attribution.tenant
        self.tenant = self.tenant or tenant
        if tenant is None or attribution.outcome is Outcome.INCOMING:
            return
        transaction.relaying[tenant] = transaction.relaying.get(tenant, 0) + 1
        if self.by_stranger:
            # From here it is that server's session, whatever came before.
            self.tenant, self.by_stranger = tenant, False

    def _note(self, transaction: Transaction, decision: RecipientDecision) -> bool:
        """Whether it will be told, and not only counted."""
        reason = decision.reason_of_refusal
        if reason is not None:
            self.refused = True
            if not self.refusals.add(reason, telling=not transaction.decisions):
                transaction.more_refused += 1
                return False
        if not transaction.decisions:
            self._unreported.add(transaction)
        transaction.decisions.append(decision)
        return True

    # --- content ----------------------------------------------------------------------------------------------------

    def begin_content(self) -> None:
        transaction = self._running()
        tenant = next(iter(transaction.relaying), None)
        share = self._services.unfinished.share(tenant, transaction.peer.address)
        transaction.content = MessageContent(
            self._services.new_content(), share, self._received(transaction), self._signing(transaction)
        )

    def _signing(self, transaction: Transaction) -> MessageSigning | None:
        keys, tenants = self._services.signing_keys, transaction.relaying
        return MessageSigning(keys, tenants) if keys and tenants and keys.may_sign(tenants) else None

    def content(self, octets: bytes) -> None:
        content = self._running().content
        assert content is not None
        content.take(octets)
        self.needs_flush = content.needs_flush
        if self.no_room is None:
            self.no_room = content.why_no_room()

    async def flush(self) -> None:
        self.needs_flush = False
        if self.transaction and self.transaction.content:
            await self.transaction.content.flush()

    def end_content(self, size: int, answer: _Answer) -> Reply | None:
        """The final reply; None: `answer` gets it. A 2xx has the message on stable storage behind it."""
        transaction = self._running()
        content = transaction.content
        assert content is not None
        transaction.size, transaction.at, transaction.message_id = size, self._services.now(), content.message_id
        kept = self._services.tenants.keep_subjects([each.tenant for each in transaction.recipients])
        if kept:
            transaction.subject, transaction.subject_for = content.subject, kept
        self.needs_flush = False
        refusal, enrolment = self._why_not_kept(transaction, content), transaction.enrolment
        if refusal is None and enrolment is None:
            transaction.signing = signed = content.signed(transaction.at)
            before = signed.fields if isinstance(signed, Signed) else b""
            self._keep(transaction, content.finish(before), answer)
            return None
        content.discard()
        if refusal is not None:
            return self._ended(transaction, refusal)
        if enrolment is not None:
            # There are few of them: they may have a task.
            self._enrolling = asyncio.get_running_loop().create_task(self._enrol(transaction, enrolment, answer))
        return None

    def _ended(self, transaction: Transaction, reply: Reply) -> Reply:
        transaction.reply, transaction.took_s = reply, self._services.now() - transaction.at
        self._let_go(transaction)
        self.transaction = None
        self.refused = self.refused or reply.kind >= 4
        return reply

    def drop_content(self) -> None:
        """RSET, a malformed or too large message, or a peer that went away."""
        transaction, self.transaction = self.transaction, None
        if transaction and transaction.content:
            transaction.content.discard()
            self._let_go(transaction)

    def _let_go(self, transaction: Transaction) -> None:
        """The transaction stays for the session record; its content must not."""
        content, transaction.content = transaction.content, None
        self.no_room, self.needs_flush = None, False
        if content is not None:
            content.release()

    def _why_not_kept(self, transaction: Transaction, content: MessageContent) -> Reply | None:
        return (
            self.no_room
            or transaction.refused_later
            or (replies.TOO_MANY_HOPS if content.has_looped else None)
            or self._limits.too_large(transaction.relaying, transaction.size)
            or (replies.attribution_changed(self._session_id) if self._has_changed(transaction) else None)
        )

    def _has_changed(self, transaction: Transaction) -> bool:
        """Whether the tenant whose server this was no longer says so: content may come in for hours after RCPT."""
        for tenant in transaction.relaying:
            taken = next(each for each in transaction.decisions if each.is_taken_of(tenant))
            assert taken.attribution is not None
            if taken.attribution.directory_version != self._services.attribution.version:
                evidence = transaction.evidence(self._settings.listener, taken.forward_path)
                now = self._services.attribution(evidence, self._at())
                if (now.tenant, now.outcome) != (tenant, taken.attribution.outcome):
                    return True
        return False

    def _keep(self, transaction: Transaction, content: Content, answer: _Answer) -> None:
        services = self._services
        message = NewMessage(
            session_id=self._session_id,
            received_at=services.now(),
            envelope=transaction.mail.envelope,
            recipients=tuple(transaction.recipients),
            content=content,
        )
        kept = services.store.accept(message, claim=services.claim_at_once(transaction.recipients[0].tenant))
        kept.tell(partial(self._kept, transaction, answer))

    def _kept(self, transaction: Transaction, answer: _Answer, kept: Promise[Accepted]) -> None:
        try:
            reply = self._queued(transaction, kept.result())
        except Exception as error:
            reply = self._not_kept(error)
        answer(self._ended(transaction, reply))

    async def _enrol(self, transaction: Transaction, enrolment: OneTimeAddress, answer: _Answer) -> None:
        try:
            reply = await self._here().enrolled(transaction, enrolment)
        except Exception as error:
            reply = self._not_kept(error)
        answer(self._ended(transaction, reply))

    def _not_kept(self, error: Exception) -> Reply:
        if isinstance(error, StoreError):
            self._services.events.emit("store-unavailable", session_id=self._session_id, problem=str(error))
        else:
            # A bug of ours must not leave the peer waiting: it keeps its mail and comes back.
            asyncio.get_running_loop().call_exception_handler(
                {"message": "content was not accepted", "exception": error}
            )
        return replies.store_unavailable(self._session_id)

    def _queued(self, transaction: Transaction, accepted: Accepted) -> Reply:
        services = self._services
        transaction.queue_id = accepted.message_id
        self._limits.count(transaction.relaying, services.now())
        services.events.emit(
            "accepted",
            session_id=self._session_id,
            queue_id=transaction.queue_id,
            tenant=transaction.recipients[0].tenant,
            mail_from=str(transaction.mail.envelope.reverse_path),
            recipients=len(transaction.recipients),
            size=transaction.size,
        )
        services.submit(accepted.claims)
        return replies.queued(transaction.queue_id)

    def _received(self, transaction: Transaction) -> bytes:
        peer, smtputf8 = transaction.peer, transaction.mail.envelope.smtputf8
        return received_field(
            ehlo=peer.ehlo,
            address=peer.address_text,
            hostname=self._settings.hostname,
            protocol=with_protocol(extended=peer.extended, tls=peer.tls is not None, smtputf8=smtputf8),
            id=self._session_id,
            facts="; ".join((*_tls_facts(peer.tls), *_attribution_facts(transaction))),
            at=self._services.now(),
        )

    # --- account and end --------------------------------------------------------------------------------------------

    @property
    def has_unreported(self) -> bool:
        return self._unreported.is_any(self.transaction)

    def take_unreported(self) -> tuple[TransactionAccount, ...]:
        """What was decided since this was last asked."""
        return self._unreported.take(self.transaction)

    def end(self, address_text: str) -> None:
        """The session is over."""
        self.drop_content()
        for reason, count in self.refusals.untold.items():
            self._services.events.emit(
                "refused-again", session_id=self._session_id, address=address_text, reason=reason, recipients=count
            )
        self._limits.leave(self._services.now())

    def _running(self) -> Transaction:
        assert self.transaction is not None, "the machine asks in order: MAIL before RCPT before content"
        return self.transaction

    def _at(self) -> datetime:
        return datetime.fromtimestamp(self._services.now(), UTC)


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
    for decision in transaction.decisions:
        found = decision.attribution
        if found and not found.refusal and found.tenant:
            return (f"gatepost: {found.outcome}, by {found.basis}",)
    return ()
