"""Every order about queued mail is an event with the name of whoever gave it."""

from gatepost.app.order_events import order_event
from gatepost.queue.orders import Action, Order, Ordered
from gatepost.trace.story import QueuePlace, What


def test_each_action_has_its_event() -> None:
    found = {}
    for action in Action:
        order = Order(
            number=1,
            action=action,
            given_at=1.0,
            given_by="olga",
            message_id=None,
            tenant="contoso",
            domain=None,
            state=None,
            received_until=None,
            sender=None,
            recipients=1,
            next_id=0,
            last_id=0,
        )
        event = order_event(Ordered("1-57", 3, "contoso", order), 9.0)
        assert (event.place, event.tenant) == (QueuePlace("1-57", 3), "contoso")
        assert (event.event.at, event.event.by) == (9.0, "olga")
        found[action] = event.event.what
    assert found == {
        Action.HOLD: What.HELD,
        Action.RELEASE: What.RELEASED,
        Action.RETRY: What.RETRIED,
        Action.BOUNCE: What.RETURNED,
        Action.REMOVE: What.REMOVED,
    }
