"""What was ordered about queued mail, as the trace keeps it."""

from typing import Final

from gatepost.queue.orders import Action, Ordered
from gatepost.trace.story import Event, LaterEvent, QueuePlace, What

_WHAT_AN_ORDER_DOES: Final = {
    Action.HOLD: What.HELD,
    Action.RELEASE: What.RELEASED,
    Action.RETRY: What.RETRIED,
    Action.BOUNCE: What.RETURNED,
    Action.REMOVE: What.REMOVED,
}


def order_event(change: Ordered, now: float) -> LaterEvent:
    what = _WHAT_AN_ORDER_DOES[change.order.action]
    return LaterEvent(
        QueuePlace(change.message_id, change.number), change.tenant, Event(now, what, by=change.order.given_by)
    )
