"""What orders make of a recipient, in the order they were given."""

from gatepost.queue.message import RecipientState
from gatepost.queue.orders import Action, Order, Standing, standing


def order(number: int, action: Action, given_at: float) -> Order:
    return Order(
        number=number,
        action=action,
        given_at=given_at,
        given_by="tester",
        message_id=None,
        tenant=None,
        domain=None,
        state=None,
        received_until=None,
        recipients=1,
        next_id=0,
        last_id=9,
    )


def test_a_later_retry_puts_off_no_earlier_one() -> None:
    retries = [order(1, Action.RETRY, 100.0), order(2, Action.RETRY, 200.0)]
    assert standing(RecipientState.QUEUED, retries) == Standing(RecipientState.QUEUED, 100.0, False)


def test_what_is_held_is_not_retried_and_what_is_released_is_due_at_once() -> None:
    held = order(1, Action.HOLD, 100.0)
    retried = standing(RecipientState.QUEUED, [held, order(2, Action.RETRY, 200.0)])
    assert retried == Standing(RecipientState.HELD, None, True)
    released = standing(RecipientState.QUEUED, [held, order(2, Action.RELEASE, 200.0)])
    assert released == Standing(RecipientState.QUEUED, 200.0, True)
