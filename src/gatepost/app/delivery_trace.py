"""What delivery does, as the trace keeps it: each outcome an event, each notification a message of
its own; and what was ordered about queued mail."""

import time
from collections.abc import Callable, Sequence

from gatepost.app.order_events import order_event
from gatepost.logs.trace_log import Settled, TraceLog
from gatepost.mail.address import Mailbox
from gatepost.queue.message import RECIPIENTS_PER_MESSAGE, Claim, QueuedRecipient
from gatepost.queue.orders import Ordered
from gatepost.queue.outcome import Deferred, Delivered, DeliveryOutcome, Failed
from gatepost.receiving.account import SessionAccount
from gatepost.trace.story import Event, QueuePlace, Received, What


class DeliveryTrace:
    def __init__(self, log: TraceLog[SessionAccount], clock: Callable[[], float] = time.time) -> None:
        self._log = log
        self._clock = clock

    def delivered(self, claim: Claim, outcome: Delivered) -> None:
        self._settled(claim, outcome, What.DELIVERED, outcome.tls_policy)

    def deferred(self, claim: Claim, outcome: Deferred, due_at: float) -> None:
        self._settled(claim, outcome, What.DEFERRED, _where_no_reply(outcome), due_at)

    def failed(self, claim: Claim, outcome: Failed) -> None:
        self._settled(claim, outcome, What.FAILED, _where_no_reply(outcome))

    def _settled(
        self, claim: Claim, outcome: DeliveryOutcome, what: What, why: str | None, due_at: float | None = None
    ) -> None:
        recipient, message = outcome.recipient, claim.message
        reply = str(outcome.reply) if outcome.reply else None
        event = Event(self._clock(), what, outcome.host, outcome.tls, outcome.took_s, reply, why, due_at)
        self._log.add(Settled(place_of(message.id, recipient), claim.tenant, event, is_first=not recipient.attempts))

    def ordered(self, changes: Sequence[Ordered]) -> None:
        """Carried out by this worker, for an operator or a tenant."""
        for change in changes:
            event = order_event(change, self._clock())
            self._log.add(Settled(event.place, event.tenant, event.event, is_first=False))

    def made_here(self, claims: Sequence[Claim]) -> None:
        """Notifications and notices, which came by no session of their own."""
        for claim in claims:
            message, sender = claim.message, claim.message.envelope.reverse_path
            for recipient in claim.recipients:
                place = place_of(message.id, recipient)
                self._log.add(
                    Received(
                        at=message.received_at,
                        session_id=message.session_id,
                        within=f"{message.id}.{place.number}",
                        place=place,
                        tenant=claim.tenant,
                        connector=None,
                        basis=None,
                        by_stranger=False,
                        address=None,
                        listener=None,
                        tls=None,
                        certificate=None,
                        mail_from=str(sender),
                        rcpt_to=recipient.forward_path,
                        from_domain=sender.domain if isinstance(sender, Mailbox) else "",
                        to_domain=claim.domain,
                        message_id=None,
                        subject=None,
                        size=message.size,
                        reason=None,
                        reply=None,
                    )
                )


def _where_no_reply(outcome: Deferred | Failed) -> str | None:
    return None if outcome.reply else outcome.why


def place_of(message_id: str, recipient: QueuedRecipient) -> QueuePlace:
    return QueuePlace(message_id, recipient.id % RECIPIENTS_PER_MESSAGE)
