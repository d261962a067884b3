"""Delivery's outcomes as lines of the operator's log, in the next hop's own words."""

from gatepost.protocol_log.codec import timestamp_text
from gatepost.queue.message import Claim
from gatepost.queue.outcome import Deferred, Delivered, DeliveryOutcome, Failed, Rescheduled
from gatepost.store.event_log import EventLog


class DeliveryEventLog:
    def __init__(self, log: EventLog) -> None:
        self._log = log

    def delivered(self, claim: Claim, outcome: Delivered) -> None:
        self._log.emit("delivered", **_facts(claim, outcome))

    def deferred(self, claim: Claim, outcome: Deferred, next_attempt: Rescheduled) -> None:
        self._log.emit(
            "deferred",
            **_facts(claim, outcome),
            why=outcome.why,
            status=outcome.status,
            next_attempt_at=timestamp_text(next_attempt.due_at),
        )

    def failed(self, claim: Claim, outcome: Failed) -> None:
        self._log.emit("failed", **_facts(claim, outcome), why=outcome.why, status=outcome.status)

    def stuck(self, what: str, alarms: int) -> None:
        self._log.emit("message-stuck", problem=f"{what} is due and nobody sees to it", alarms=alarms)

    def warning(self, text: str) -> None:
        self._log.emit("delivery-warning", problem=text)


def _facts(claim: Claim, outcome: DeliveryOutcome) -> dict[str, object]:
    return {
        "queue_id": claim.message.id,
        "tenant": claim.tenant,
        "rcpt_to": outcome.recipient.forward_path,
        "host": outcome.host,
        "reply": str(outcome.reply) if outcome.reply else None,
    }
