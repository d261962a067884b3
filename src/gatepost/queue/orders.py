"""What an operator decides about mail that waits, and what that makes of a recipient.

An order says which recipients it reaches by what never changes of them (id, tenant, domain, reception) and perhaps by
their state. It holds from the moment it is written down; the rows follow later. Until they do, whoever looks at a
recipient asks `standing` what the orders that reach it make of it.

Laws: orders act in the order they were given; a recipient that was accepted after an order is not reached by it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from gatepost.queue.message import RecipientState

_QUEUED, _ACTIVE, _HELD, _BOUNCING = RecipientState


class Action(StrEnum):
    """What an operator can decide about recipients."""

    RETRY = "retry"
    HOLD = "hold"
    RELEASE = "release"
    REMOVE = "remove"
    BOUNCE = "bounce"


APPLIES_TO: Final[dict[Action, frozenset[RecipientState]]] = {
    Action.RETRY: frozenset({_QUEUED}),
    Action.HOLD: frozenset(RecipientState) - {_HELD},
    Action.RELEASE: frozenset({_HELD}),
    Action.REMOVE: frozenset(RecipientState),
    Action.BOUNCE: frozenset(RecipientState) - {_BOUNCING},
}

_MAKES: Final[dict[Action, RecipientState | None]] = {
    Action.RETRY: _QUEUED,
    Action.HOLD: _HELD,
    Action.RELEASE: _QUEUED,
    Action.REMOVE: None,
    Action.BOUNCE: _BOUNCING,
}


class Ordered(NamedTuple):
    """What was done to one recipient, and by whose order."""

    message_id: str
    number: int
    """Of the recipient within its message."""
    tenant: str | None
    order: "Order"


_MAKES_DUE: Final = frozenset({Action.RETRY, Action.RELEASE, Action.BOUNCE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    number: int
    """Within its queue; the order in which orders act."""
    action: Action
    given_at: float
    given_by: str
    message_id: str | None
    tenant: str | None
    domain: str | None
    state: RecipientState | None
    """None, here and above: any."""
    received_until: float | None
    recipients: int
    """How many it was to change when it was given."""
    next_id: int
    last_id: int
    """Recipients of these ids it still has to be carried out on; none, where next_id is the larger."""
    sender: str | None = None
    """As in `queue.store.QueueFilter`."""

    @property
    def carried_out(self) -> bool:
        return self.next_id > self.last_id


class Standing(NamedTuple):
    """What orders make of a recipient."""

    state: RecipientState | None
    """None: it is removed."""
    due_at: float | None
    """When at the latest; None: as before."""
    touched: bool
    """Some order changes its state, even where a later one changes it back."""


def standing(state: RecipientState, orders: Iterable[Order]) -> Standing:
    """What `orders` that reach a recipient in `state` make of it, the oldest order first."""
    now: RecipientState | None = state
    due_at, touched = None, False
    for order in orders:
        if now is None or now not in APPLIES_TO[order.action] or order.state not in (None, now):
            continue
        made = _MAKES[order.action]
        touched = touched or made is not now
        now = made
        if order.action in _MAKES_DUE:
            due_at = order.given_at if due_at is None else min(due_at, order.given_at)
    return Standing(now, due_at, touched)
