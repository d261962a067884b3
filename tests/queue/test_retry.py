"""When deferred mail is tried again, told of, and given up."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.mail.envelope import NO_DSN_REQUEST
from gatepost.mail.reply import RemoteReply
from gatepost.queue.message import QueuedRecipient, RecipientState
from gatepost.queue.outcome import Deferred, Failed, Rescheduled
from gatepost.queue.retry import RetrySettings, decide, pause

DEFAULTS = RetrySettings()
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def deferred(attempts: int = 0, glitch: bool = False, told: bool = False, **more: Any) -> Deferred:
    recipient = QueuedRecipient(
        id=1,
        forward_path="bob@fabrikam.example",
        domain="fabrikam.example",
        tenant="contoso",
        connector=None,
        dsn=NO_DSN_REQUEST,
        state=RecipientState.ACTIVE,
        due_at=0.0,
        attempts=attempts,
        last_reply=None,
        delay_notified=told,
    )
    return Deferred(recipient=recipient, why="no answer", status="4.4.1", glitch=glitch, **more)


def test_the_intervals_are_exchanges() -> None:
    assert [pause(attempt, True, DEFAULTS) for attempt in range(12)] == [60.0] * 4 + [300.0] * 6 + [900.0] * 2
    assert [pause(attempt, False, DEFAULTS) for attempt in range(8)] == [300.0] * 6 + [900.0] * 2


def test_mail_is_given_up_after_two_days_and_not_before() -> None:
    assert isinstance(decide(deferred(), 0.0, 2 * DAY - 1, DEFAULTS), Rescheduled)
    failed = decide(deferred(reply=RemoteReply(451, None, ("451 later",)), host="mx"), 0.0, 2 * DAY, DEFAULTS)
    assert isinstance(failed, Failed)
    assert failed.status == "4.4.7"
    assert failed.why == "gave up after 2 days: no answer"
    assert str(failed.reply) == "451 later"


def test_the_sender_is_told_once_of_a_delay_after_four_hours() -> None:
    assert not decide(deferred(), 0.0, 4 * HOUR - 1, DEFAULTS).delay_notified  # type: ignore[union-attr]
    assert decide(deferred(), 0.0, 4 * HOUR, DEFAULTS).delay_notified  # type: ignore[union-attr]
    assert decide(deferred(told=True), 0.0, MINUTE, DEFAULTS).delay_notified  # type: ignore[union-attr]


def test_a_host_left_alone_is_left_alone() -> None:
    decision = decide(deferred(), 0.0, 10.0, DEFAULTS, not_before=5000.0)
    assert isinstance(decision, Rescheduled)
    assert decision.due_at == 5000.0


@pytest.mark.parametrize("reply", [None, RemoteReply(451, "4.2.1", ("451-4.2.1 not", "451 now"))])
def test_the_last_words_are_kept_for_people(reply: RemoteReply | None) -> None:
    decision = decide(deferred(reply=reply), 0.0, 10.0, DEFAULTS)
    assert isinstance(decision, Rescheduled)
    assert decision.reply == ("451-4.2.1 not\n451 now" if reply else "no answer")


@given(attempts=st.integers(0, 500), glitch=st.booleans(), age=st.floats(0, 3 * DAY))
def test_a_retry_is_always_in_the_future_and_within_the_longest_interval(
    attempts: int, glitch: bool, age: float
) -> None:
    decision = decide(deferred(attempts, glitch), 0.0, age, DEFAULTS)
    if isinstance(decision, Rescheduled):
        assert age < decision.due_at <= age + DEFAULTS.interval_s


def test_mail_that_our_own_relay_does_not_recognise_is_kept_for_hold_refused_and_then_fails_as_it_was_refused() -> None:
    refused = RemoteReply(550, "5.7.64", ("550 5.7.64 TenantAttribution; Relay Access Denied",))
    outcome = deferred(reply=refused)
    refusal = Failed(recipient=outcome.recipient, why="refused", status="5.7.64", reply=refused, host="relay")
    kept = deferred(reply=refused, refusal=refusal)
    decision = decide(kept, 0.0, 4 * HOUR - 1, DEFAULTS)
    assert isinstance(decision, Rescheduled)
    assert decision.reply == str(refused)
    assert decide(kept, 0.0, 4 * HOUR, DEFAULTS) is refusal
    assert decide(kept, 0.0, 0.0, RetrySettings(hold_refused_s=0.0)) is refusal
