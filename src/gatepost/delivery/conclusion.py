"""What follows from the outcomes of one attempt: the settlement to store, and the events to tell once it is stored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from gatepost.delivery.notifications import OwnMessage, notification, wants
from gatepost.delivery.unproven_senders import Telling
from gatepost.mail.address import Mailbox
from gatepost.mail.dsn import Action
from gatepost.queue.message import Claim, Content, QueuedRecipient
from gatepost.queue.outcome import Deferred, Delivered, DeliveryOutcome, Failed, Rescheduled, Settlement
from gatepost.queue.retry import RetrySettings, decide


@dataclass(frozen=True, slots=True, kw_only=True)
class ConclusionSettings:
    hostname: str
    retry: RetrySettings
    own_message: OwnMessage


class Conclusion(NamedTuple):
    settlement: Settlement
    outcomes: list[DeliveryOutcome]
    """Final ones: what was given up is `Failed` here."""
    asked: dict[Action, list[DeliveryOutcome]]
    """What the sender is to be notified of, for `notify`; the settlement does not hold that yet."""


def conclude(
    claim: Claim,
    outcomes: list[DeliveryOutcome],
    now: float,
    not_before: float,
    settings: ConclusionSettings,
    leapt_s: float = 0.0,
) -> Conclusion:
    """`leapt_s`: by how much the clock leapt forward in the message's time; it is that much younger than it seems."""
    if all(type(outcome) is Delivered and outcome.recipient.dsn.notify is None for outcome in outcomes):
        return Conclusion(_settlement(claim, claim.recipients), outcomes, {})
    final: list[DeliveryOutcome] = []
    rescheduled: list[Rescheduled] = []
    told: dict[Action, list[DeliveryOutcome]] = {}
    for attempted in outcomes:
        outcome = attempted
        if isinstance(outcome, Deferred):
            decision = decide(outcome, claim.message.received_at + leapt_s, now, settings.retry, not_before)
            if isinstance(decision, Failed):
                outcome = decision
            else:
                rescheduled.append(decision)
                if decision.delay_notified and not outcome.recipient.delay_notified:
                    told.setdefault(Action.DELAYED, []).append(outcome)
        if isinstance(outcome, Failed):
            told.setdefault(Action.FAILED, []).append(outcome)
        elif isinstance(outcome, Delivered) and not outcome.dsn_passed_on:
            told.setdefault(Action.RELAYED, []).append(outcome)
        final.append(outcome)
    finished = tuple(outcome.recipient for outcome in final if not isinstance(outcome, Deferred))
    asked = {
        action: wanted
        for action, about in told.items()
        if isinstance(claim.message.envelope.reverse_path, Mailbox)
        and (wanted := [outcome for outcome in about if wants(outcome, action)])
    }
    return Conclusion(_settlement(claim, finished, tuple(rescheduled)), final, asked)


def notify(
    conclusions: Sequence[Conclusion],
    tenant: str | None,
    now: float,
    settings: ConclusionSettings,
    open_content: Callable[[], Content],
    may_tell: Telling,
) -> list[Conclusion]:
    """Those conclusions, about one message, with the notifications that they ask for: one for each action. The first
    holds them all and must be settled before the others: then nothing is removed without its notification.
    `tenant`: of the notifications."""
    asked: dict[Action, list[DeliveryOutcome]] = {}
    for conclusion in conclusions:
        for action, wanted in conclusion.asked.items():
            asked.setdefault(action, []).extend(wanted)
    if may_tell is Telling.NOT_AT_ALL:
        return list(conclusions)
    first, *others = conclusions
    claim, expiry_s, in_brief = first.settlement.claim, settings.retry.expiry_s, may_tell is Telling.IN_BRIEF
    notifications = [
        made
        for action, wanted in asked.items()
        if (
            made := notification(
                claim,
                tenant,
                action,
                wanted,
                now,
                settings.hostname,
                expiry_s,
                open_content,
                settings.own_message,
                in_brief,
            )
        )
    ]
    return [first._replace(settlement=replace(first.settlement, notifications=tuple(notifications))), *others]


def _settlement(
    claim: Claim,
    finished: tuple[QueuedRecipient, ...],
    rescheduled: tuple[Rescheduled, ...] = (),
) -> Settlement:
    return Settlement(claim=claim, finished=finished, rescheduled=rescheduled, notifications=())


def given_back(claim: Claim) -> Settlement:
    """Nothing was attempted and nothing changes: the store decides what the claim's recipients are now."""
    return _settlement(claim, ())
