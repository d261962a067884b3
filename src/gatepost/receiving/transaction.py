"""One mail transaction of a session, as it grows, and what the peer had shown when it began."""

from collections.abc import Collection
from dataclasses import dataclass, field

from gatepost.mail.address import ForwardPath
from gatepost.mail.reply import Reply
from gatepost.queue.message import NewRecipient
from gatepost.receiving.content import MessageContent
from gatepost.signing.message import Signed, Unsigned
from gatepost.smtp.server_effects import AskMail
from gatepost.tenancy.attribution import Attribution, Outcome
from gatepost.tenancy.evidence import Address, Evidence, TlsEvidence
from gatepost.tenancy.one_time_address import OneTimeAddress
from gatepost.value import value


@value(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who speaks, as far as the session has shown. RFC 3207 4.2, RFC 5321 4.1.4: no transaction outlives a change."""

    address: Address
    address_text: str
    tls: TlsEvidence | None = None
    ehlo: str = ""
    """As it was at the last MAIL."""
    extended: bool = True
    """EHLO, not HELO."""


@value(frozen=True, slots=True, kw_only=True)
class RecipientDecision:
    """What was decided about one forward-path, and the peer's reply."""

    forward_path: ForwardPath
    attribution: Attribution | None
    """None where nothing was to be attributed: mail for this server's own postmaster."""
    reply: Reply

    @property
    def reason_of_refusal(self) -> str | None:
        """A word that stands for it; None where the recipient was taken."""
        refusal = self.attribution and self.attribution.refusal
        if refusal:
            return str(refusal.reason)
        return str(self.reply).partition(" ")[2][:60] if self.reply.kind >= 4 else None

    def is_taken_of(self, tenant: str) -> bool:
        """The recipient was taken because the session is a server of the tenant."""
        found = self.attribution
        return bool(
            found and found.tenant == tenant and found.outcome is not Outcome.INCOMING and not self.reason_of_refusal
        )


@dataclass(slots=True, kw_only=True)
class Transaction:
    mail: AskMail
    peer: Peer
    recipients: list[NewRecipient] = field(default_factory=list)
    relaying: dict[str, int] = field(default_factory=dict)
    """How many of them each tenant's own servers sent, which its limits count."""
    decisions: list[RecipientDecision] = field(default_factory=list)
    refused_later: Reply | None = None
    """`refuse_at = "end-of-data"`: the refusal that waits for the end of the content."""
    enrolment: OneTimeAddress | None = None
    """The message is for this one-time address, and for nobody else."""
    content: MessageContent | None = None
    more_refused: int = 0
    """Recipients that were refused like earlier ones of the session, and are not among the decisions."""
    reply: Reply | None = None
    queue_id: str | None = None
    size: int = 0
    at: float = 0.0
    """When the content was whole; 0: it is not."""
    message_id: str | None = None
    subject: bytes | None = None
    """As it was written, for the trace of the tenants `subject_for`."""
    subject_for: Collection[str] = ()
    signing: Signed | Unsigned | None = None
    """By which keys it was signed, or why not; None: nobody who sent it signs anything."""
    took_s: float = 0.0
    """From then to the final reply."""

    def evidence(self, listener: str, forward_path: ForwardPath) -> Evidence:
        peer = self.peer
        return Evidence(
            address=peer.address,
            listener=listener,
            tls=peer.tls,
            ehlo=peer.ehlo,
            reverse_path=self.mail.envelope.reverse_path,
            forward_paths=(forward_path,),
        )
