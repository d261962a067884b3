"""Delivery's outcomes as lines of the operator's log, in the next hop's own words, and in the trace."""

import math
import time
from collections.abc import Sequence
from typing import Final

from gatepost.app.alarms import Alarm, Alarms
from gatepost.app.delivery_trace import DeliveryTrace
from gatepost.app.figures.counting import Figures
from gatepost.logs.event_log import EventLog
from gatepost.protocol_log.codec import timestamp_text
from gatepost.queue.message import Claim
from gatepost.queue.outcome import Deferred, Delivered, DeliveryOutcome, Failed, Rescheduled
from gatepost.tenancy.tenant import SendConnector

_TOLD_AGAIN_S: Final = 3600.0


class DeliveryEventLog:
    def __init__(
        self, log: EventLog, trace: DeliveryTrace, figures: Figures, alarms: Alarms, hold_refused_s: float
    ) -> None:
        self._log = log
        self._trace = trace
        self._figures = figures
        self._alarms = alarms
        self._hold_refused_s = hold_refused_s
        self._refusals_told: dict[tuple[str | None, str | None], float] = {}
        """When a relay's refusal of a tenant's mail was told last."""

    def delivered(self, claim: Claim, outcome: Delivered) -> None:
        self._trace.delivered(claim, outcome)
        self._figures.attempted("delivered", outcome)
        self._figures.next_hops.recognises_us(outcome.host, claim.tenant)
        said = {"tls_policy": outcome.tls_policy} if outcome.tls_policy else {}
        self._log.emit("delivered", **_facts(claim, outcome), **said)

    def deferred(self, claim: Claim, outcome: Deferred, next_attempt: Rescheduled) -> None:
        self._trace.deferred(claim, outcome, next_attempt.due_at)
        self._figures.attempted("deferred", outcome)
        self._log.emit(
            "deferred",
            **_facts(claim, outcome),
            why=outcome.why,
            status=outcome.status,
            next_attempt_at=timestamp_text(next_attempt.due_at),
        )

    def not_recognised(self, claim: Claim, outcome: Deferred) -> None:
        """Each recipient has its `deferred`; this tells the cause, once an hour."""
        reply = " ".join(outcome.reply.lines) if outcome.reply else ""
        kept_for = f"{self._hold_refused_s / 3600:g} h"
        says = (
            f"{outcome.host} does not recognise this server by its certificate or address, and refuses mail: "
            f"{reply}. Mail that it refuses is kept in the queue (gatepost queue list) until it is {kept_for} old, "
            "and tried again meanwhile; after that it is returned to its senders."
        )
        do = (
            "see what the certificate lacks: gatepost hybrid verify, or have the relay's operator run gatepost why "
            "with the session id in the reply; once the relay takes this server: gatepost queue retry"
        )
        self._figures.next_hops.refuses_us(outcome.host or "", claim.tenant, says, do, time.time())
        what, now = (outcome.host, claim.tenant), time.monotonic()
        if now - self._refusals_told.get(what, -math.inf) < _TOLD_AGAIN_S:
            return
        self._refusals_told = {each: at for each, at in self._refusals_told.items() if now - at < _TOLD_AGAIN_S}
        self._refusals_told[what] = now
        self._log.emit(
            "relay-refuses-us", host=outcome.host, tenant=claim.tenant, reply=reply, kept_for=kept_for, do=do
        )
        self._alarms.raise_(
            Alarm(
                code="relay-refuses-us",
                # A tenant reads its alarms, and must not read another's next hop.
                tenant=None if outcome.discreet else claim.tenant,
                subject=outcome.host or "",
                title=f"{outcome.host} refuses mail of this server",
                says=says,
                do=do,
            )
        )

    def failed(self, claim: Claim, outcome: Failed) -> None:
        self._trace.failed(claim, outcome)
        self._figures.attempted("failed", outcome)
        self._log.emit("failed", **_facts(claim, outcome), why=outcome.why, status=outcome.status)

    def next_hop_is_down(self, connector: SendConnector, why: str) -> None:
        self._figures.next_hops.is_down(connector, why, time.time())

    def next_hop_takes_mail(self, connector: SendConnector) -> None:
        self._figures.next_hops.takes_mail(connector)

    def notification_queued(self, claims: Sequence[Claim]) -> None:
        self._trace.made_here(claims)

    def notification_withheld(self, claim: Claim) -> None:
        mail_from = str(claim.message.envelope.reverse_path)
        self._log.emit("notification-withheld", queue_id=claim.message.id, tenant=claim.tenant, mail_from=mail_from)

    def stuck(self, what: str, alarms: int) -> None:
        self._log.emit("message-stuck", problem=f"{what} is overdue and not being processed", alarms=alarms)

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
