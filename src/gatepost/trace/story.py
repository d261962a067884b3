"""What is kept of one recipient: how it came, and every event since. Values only.

What flows through: `Received` and `Event` go into a trace store as they happen; `Item` and `Story` come out.

Laws: what was written is never changed, later events are rows of their own; an item's outcome follows from its events.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple


class Outcome(StrEnum):
    """Where one recipient stands."""

    REFUSED = "refused"
    QUEUED = "queued"
    DELIVERED = "delivered"
    DELAYED = "delayed"
    BOUNCED = "bounced"
    REMOVED = "removed"


OPEN: Final = frozenset({Outcome.QUEUED, Outcome.DELAYED})
"""Something will follow."""


class What(StrEnum):
    """What happened, under the names of the operator's log where that has it too."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    FAILED = "failed"
    HELD = "held"
    RELEASED = "released"
    RETRIED = "retried"
    RETURNED = "returned"
    """An administrator gave up delivery; `failed` follows."""
    REMOVED = "removed"


OUTCOME_AFTER: Final = {
    What.DELIVERED: Outcome.DELIVERED,
    What.DEFERRED: Outcome.DELAYED,
    What.FAILED: Outcome.BOUNCED,
    What.REMOVED: Outcome.REMOVED,
}
"""The others leave it as it was."""

FINAL: Final = frozenset({What.DELIVERED, What.FAILED, What.REMOVED})
"""Nothing follows."""


ATTEMPTED: Final = frozenset({What.DELIVERED, What.DEFERRED, What.FAILED})


class Certificate(NamedTuple):
    """Of the client, as far as it is searched for."""

    sha256: str
    public_key_sha256: str
    verified: bool
    names: tuple[str, ...]


class QueuePlace(NamedTuple):
    """Where a queue keeps a recipient."""

    message: str
    """Queue id of its message, `1-57`."""
    number: int
    """Of the recipient within that message."""


class Event(NamedTuple):
    at: float
    """Seconds since the epoch."""
    what: What
    host: str | None = None
    """The next hop, as `name[address]:port`."""
    tls: str | None = None
    """Protocol of the session with it."""
    took_s: float | None = None
    reply: str | None = None
    """The next hop's words, or ours to the sender."""
    why: str | None = None
    """For people, where the reply does not say it."""
    due_at: float | None = None
    """The next attempt."""
    by: str | None = None
    """Who decided it."""


class Received(NamedTuple):
    """One forward-path of a transaction, accepted or refused."""

    at: float
    session_id: str
    within: str
    """Its place in the session: `transaction.recipient`, or `queue id.recipient` for a message made here."""
    place: QueuePlace | None
    """None: it was refused."""
    tenant: str | None
    connector: str | None
    basis: str | None
    by_stranger: bool
    """No server of a tenant was recognised in the session."""
    address: str | None
    """Here and below, None for a message made here."""
    listener: str | None
    tls: str | None
    certificate: Certificate | None
    mail_from: str
    """Empty: the null reverse-path."""
    rcpt_to: str
    from_domain: str
    to_domain: str
    """Keys of `mail.domain`."""
    message_id: str | None
    subject: str | None
    size: int
    reason: str | None
    reply: str | None
    """Ours, where it was refused."""
    first: Event | None = None
    """What happened to it within the moment before it was written."""

    @property
    def id(self) -> str:
        return f"{self.session_id}.{self.within}"

    def followed_by(self, first: Event) -> "Received":
        # With every message: `_replace` takes twice as long.
        return Received(*self[:-1], first)

    @property
    def outcome(self) -> Outcome:
        if self.place is None:
            return Outcome.REFUSED
        return OUTCOME_AFTER[self.first.what] if self.first else Outcome.QUEUED


class LaterEvent(NamedTuple):
    """Of a recipient whose reception is written already."""

    place: QueuePlace
    tenant: str | None
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One recipient as a search finds it."""

    received: Received
    outcome: Outcome
    last: Event | None
    """The latest that says where it stands."""
    events: Sequence[Event] = ()
    """All, in order; only in a story."""

    @property
    def id(self) -> str:
        return self.received.id

    def discreet(self) -> "Item":
        """For a tenant that is connected with it by an address or a pin alone: domains, and no more of the people."""
        received = self.received._replace(
            mail_from=_domain_only(self.received.mail_from),
            rcpt_to=_domain_only(self.received.rcpt_to),
            message_id=None,
            subject=None,
        )
        return replace(self, received=received)


def _domain_only(path: str) -> str:
    _, at, domain = path.rpartition("@")
    return f"…@{domain}" if at else path


def events_of(received: Received, later: Sequence[Event]) -> tuple[Event, ...]:
    """Every event of a recipient, in order."""
    what = What.REFUSED if received.place is None else What.ACCEPTED
    beginning = Event(received.at, what, reply=received.reply)
    return tuple(sorted((beginning, *filter(None, (received.first,)), *later), key=lambda event: event.at))


def item_of(received: Received, later: Sequence[Event]) -> Item:
    """Where it stands after `later`, which are in order."""
    outcome, last = received.outcome, received.first
    for event in later:
        outcome = OUTCOME_AFTER.get(event.what, outcome)
        last = event if event.what in OUTCOME_AFTER else last
    return Item(received=received, outcome=outcome, last=last)
