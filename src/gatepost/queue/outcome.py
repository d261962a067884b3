"""What became of a delivery attempt, recipient by recipient, in the next hop's own words."""

from gatepost.mail.reply import RemoteReply
from gatepost.queue.message import Claim, NewMessage, QueuedRecipient
from gatepost.value import value

_OUR_FAULTS = frozenset({"4.3.0", "4.3.5"})
_DISCREET = "the recipient's mail server did not accept it"


@value(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The next hop took responsibility with a 2xx after the content."""

    recipient: QueuedRecipient
    reply: RemoteReply
    host: str
    """The next hop, as `name[address]:port`."""
    dsn_passed_on: bool
    """The next hop offered DSN, so that a wanted success report is its duty now (RFC 3461 5.2.1)."""
    discreet: bool = False
    """Here and below: the next hop is another tenant's own server. The sender reads its reply, never host or port."""
    tls: str | None = None
    """Here and below: protocol of the session with it, `TLSv1.3`; None: plain text, or none reached."""
    tls_policy: str | None = None
    """What was demanded of its TLS and came of it, in one line; None: nothing beyond what was offered."""
    took_s: float | None = None
    """Here and below: of the attempt, once the session was open."""


@value(frozen=True, slots=True, kw_only=True)
class Deferred:
    """Not now. `reply` is None where no host answered; `why` is for people, always."""

    recipient: QueuedRecipient
    why: str
    status: str
    """Enhanced status code for notifications, `4.4.1`."""
    reply: RemoteReply | None = None
    host: str | None = None
    glitch: bool = False
    """The connection failed before the next hop said anything about this message: the short retry interval."""
    refusal: "Failed | None" = None
    """Our own relay did not recognise this server: what this becomes once `hold_refused` is over."""
    discreet: bool = False
    tls: str | None = None
    took_s: float | None = None

    @property
    def why_told(self) -> str:
        """For the sender. A fault of this server's own files is the operator's matter: a notification travels, and
        must name neither files nor connectors."""
        if self.status in _OUR_FAULTS:
            return "a fault of this server, which its operator can see"
        return _DISCREET if self.discreet else self.why


@value(frozen=True, slots=True, kw_only=True)
class Failed:
    """Never. Leads to a notification unless the reverse-path is null or NOTIFY forbids it."""

    recipient: QueuedRecipient
    why: str
    status: str
    reply: RemoteReply | None = None
    host: str | None = None
    discreet: bool = False
    told: str | None = None
    """For the sender, where the operator reads more in `why`."""
    tls: str | None = None
    took_s: float | None = None

    @property
    def why_told(self) -> str:
        """For the sender."""
        return self.told or (_DISCREET if self.discreet else self.why)


DeliveryOutcome = Delivered | Deferred | Failed


@value(frozen=True, slots=True, kw_only=True)
class Rescheduled:
    """A deferred recipient and when its next attempt is due."""

    recipient: QueuedRecipient
    due_at: float
    reply: str
    delay_notified: bool


@value(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Everything one attempt changes, written in one transaction: nothing is removed without its notification."""

    claim: Claim
    finished: tuple[QueuedRecipient, ...]
    """Delivered or failed: their rows go, and the message with the last of them."""
    rescheduled: tuple[Rescheduled, ...]
    notifications: tuple[NewMessage, ...]
