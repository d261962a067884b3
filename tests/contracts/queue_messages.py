"""Messages and settlements for tests of queues, by what matters in them."""

from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox
from gatepost.mail.envelope import NO_DSN_REQUEST, DsnRequest, Envelope
from gatepost.queue.message import Claim, Content, MemoryContent, NewMessage, NewRecipient, QueuedRecipient
from gatepost.queue.outcome import Rescheduled, Settlement

RECEIVED_AT = 1_800_000_000.0


def mailbox(text: str) -> Mailbox:
    local_part, _, domain = text.rpartition("@")
    return Mailbox(local_part, domain.lower(), text)


def recipient(text: str, tenant: str | None = "contoso", dsn: DsnRequest = NO_DSN_REQUEST) -> NewRecipient:
    return NewRecipient(forward_path=mailbox(text), tenant=tenant, connector="on-premises", dsn=dsn)


def message(
    *recipients: str | NewRecipient,
    content: bytes | Content = b"Subject: hello\r\n\r\nHello.\r\n",
    received_at: float = RECEIVED_AT,
    reverse_path: str | None = "alice@contoso.example",
    tenant: str | None = "contoso",
) -> NewMessage:
    return NewMessage(
        session_id="08DF0A1B2C3D4E40",
        received_at=received_at,
        envelope=Envelope(reverse_path=NULL_REVERSE_PATH if reverse_path is None else mailbox(reverse_path)),
        recipients=tuple(
            recipient(each, tenant) if isinstance(each, str) else each
            for each in recipients or ("bob@fabrikam.example",)
        ),
        content=MemoryContent(content) if isinstance(content, bytes) else content,
    )


def finished(claim: Claim, *notifications: NewMessage) -> Settlement:
    """Every recipient delivered or failed."""
    return Settlement(claim=claim, finished=claim.recipients, rescheduled=(), notifications=notifications)


def rescheduled(
    claim: Claim, due_at: float, reply: str = "451 4.3.2 later", delay_notified: bool = False
) -> Settlement:
    """Every recipient deferred."""
    return Settlement(
        claim=claim,
        finished=(),
        rescheduled=tuple(
            Rescheduled(recipient=each, due_at=due_at, reply=reply, delay_notified=delay_notified)
            for each in claim.recipients
        ),
        notifications=(),
    )


def given_back(claim: Claim) -> Settlement:
    """Nothing was attempted."""
    return Settlement(claim=claim, finished=(), rescheduled=(), notifications=())


def paths(*claims: Claim) -> list[str]:
    return [each.forward_path for claim in claims for each in claim.recipients]


def only(recipients: tuple[QueuedRecipient, ...]) -> QueuedRecipient:
    (found,) = recipients
    return found
