"""What delivery tells operators, as it happens."""

from collections.abc import Sequence
from typing import Protocol

from gatepost.queue.message import Claim
from gatepost.queue.outcome import Deferred, Delivered, Failed, Rescheduled
from gatepost.tenancy.tenant import SendConnector


class DeliveryEvents(Protocol):
    """Each is told once the change is on stable storage."""

    def delivered(self, claim: Claim, outcome: Delivered) -> None: ...

    def deferred(self, claim: Claim, outcome: Deferred, next_attempt: Rescheduled) -> None: ...

    def not_recognised(self, claim: Claim, outcome: Deferred) -> None:
        """Our own relay refuses this server's mail; it is kept for now. Follows on `deferred`."""

    def failed(self, claim: Claim, outcome: Failed) -> None: ...

    def next_hop_is_down(self, connector: SendConnector, why: str) -> None:
        """No smart host of the connector takes mail for now."""

    def next_hop_takes_mail(self, connector: SendConnector) -> None:
        """One of its smart hosts answered about a message."""

    def notification_queued(self, claims: Sequence[Claim]) -> None:
        """Messages of this server to senders."""

    def notification_withheld(self, claim: Claim) -> None:
        """The sender is not notified: the mailbox may be, or has become, somebody else's (`unproven_senders`)."""

    def stuck(self, what: str, alarms: int) -> None:
        """Mail is due and nobody sees to it; so many alarms since the start."""

    def warning(self, text: str) -> None:
        """Something an operator should look at; one line."""
