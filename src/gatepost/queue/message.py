"""What is queued: a message, its recipients, and where its content is."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, Protocol

from gatepost.mail.address import ForwardPath
from gatepost.mail.envelope import NO_DSN_REQUEST, DsnRequest, Envelope
from gatepost.value import value


@value(frozen=True, slots=True, kw_only=True)
class NewRecipient:
    """A forward-path that was accepted, and whose mail that is."""

    forward_path: ForwardPath
    tenant: str | None
    connector: str | None
    """The inbound connector that gave the right, if one did."""
    dsn: DsnRequest = NO_DSN_REQUEST


class Content(Protocol):
    """The octets of a message, in CRLF form as they go over the wire (no dot-stuffing, no final dot)."""

    @property
    def size(self) -> int: ...

    def chunks(self) -> Iterator[bytes]:
        """The content in pieces of a bounded size, from the start; may be called again."""

    def release(self) -> None:
        """Give back what holds it (a file handle, memory). Idempotent."""


class MemoryContent:
    """Content that is small enough to keep."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    @property
    def size(self) -> int:
        return len(self._octets)

    def chunks(self) -> Iterator[bytes]:
        return iter((self._octets,))

    def release(self) -> None:
        """Nothing to give back: the memory goes with the last reference."""


@value(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A mail transaction whose content has come in whole. Durable only once the store says so."""

    session_id: str
    received_at: float
    """Seconds since the epoch."""
    envelope: Envelope
    recipients: tuple[NewRecipient, ...]
    content: Content


RECIPIENTS_PER_MESSAGE: Final = 65536
"""A recipient's id is its message's number times this, plus its place in the message."""


class RecipientState(StrEnum):
    """Where one recipient of a queued message stands. A recipient that is done (delivered, failed, removed) has no
    row any more: its end is in the delivery events."""

    QUEUED = "queued"
    """Waits until `due_at`."""
    ACTIVE = "active"
    """Claimed: an attempt is under way or about to begin. Reverts to queued when its worker dies."""
    HELD = "held"
    """Waits until an operator releases it."""
    BOUNCING = "bouncing"
    """An operator asked for it to fail now; the worker writes the notification at its next turn."""


@value(frozen=True, slots=True, kw_only=True)
class QueuedRecipient:
    id: int
    """Unique within its queue file."""
    forward_path: str
    domain: str
    """Key of the forward-path's domain."""
    tenant: str | None
    connector: str | None
    dsn: DsnRequest
    state: RecipientState
    due_at: float
    attempts: int
    last_reply: str | None
    """The next hop's words at the last attempt, or ours about it."""
    delay_notified: bool


@value(frozen=True, slots=True, kw_only=True)
class QueuedMessage:
    id: str
    """`<queue>-<number>`, shown to people and in trace fields; never used twice."""
    session_id: str
    received_at: float
    envelope: Envelope
    size: int


@value(frozen=True, slots=True, kw_only=True)
class Claim:
    """Recipients of one message in one domain, claimed by this worker: what one delivery attempt works on."""

    message: QueuedMessage
    domain: str
    tenant: str | None
    recipients: tuple[QueuedRecipient, ...]
    content: Content | None = None
    """The content where it is still in memory from reception; else the store opens it."""
