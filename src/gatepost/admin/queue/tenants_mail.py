"""What waits of one tenant's mail, as its operator and as the tenant itself may see and decide.

Laws: mail from before the tenant was created is an earlier tenant's of the name; a decision says which mail it means.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.queue import waiting_mail
from gatepost.admin.queue.waiting_mail import MessageView, Overview
from gatepost.admin.sessions.tenant_view import own_recipients
from gatepost.errors import BadRequest, NotFound
from gatepost.queue.message import QueuedMessage, QueuedRecipient
from gatepost.queue.orders import Action
from gatepost.queue.store import QueueAdmin, QueueFilter
from gatepost.tenancy.tenant import Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class MailOf:
    """The queued mail of `owner`; None: of all tenants, and of none."""

    queue: QueueAdmin
    directory: DirectoryEditor
    owner: Tenant | None
    to_tenant: bool
    """Whether the tenant itself asks."""

    def overview(self, said: QueueFilter, limit: int) -> Overview:
        found = waiting_mail.overview(self.queue, self._bounded(said), limit)
        return replace(found, first=self._told(found.first))

    def shown(self, message_id: str) -> MessageView:
        """Raises `Refused`."""
        found = waiting_mail.shown(self.queue, message_id)
        if self.owner is None:
            return found
        own = [each for each in found.recipients if each.tenant == self.owner.name]
        if not own or found.message.received_at < self.owner.created_at.timestamp():
            raise NotFound(f"message {message_id} is not in the queue: it is done with, or was removed")
        told = [recipient for _, recipient in self._told([(found.message, each) for each in own])]
        return replace(found, recipients=told)

    def affected(self, action: Action, said: QueueFilter) -> int:
        """How many recipients `action` would change now."""
        return waiting_mail.affected(self.queue, action, self._bounded(said))

    def carry_out(self, action: Action, said: QueueFilter, *, meant: bool = False) -> int:
        """`meant`: that all mail is meant by a choice that leaves nothing out. Raises `Refused`."""
        everything = QueueFilter(tenant=self.owner.name if self.owner else None)
        if (self._of_owner(said) == everything) is not meant:
            raise BadRequest("choose the mail: message_id, domain, state, older_than, sender, or all alone")
        return waiting_mail.carry_out(self.queue, self.directory, action, self._bounded(said), time.time())

    def _of_owner(self, said: QueueFilter) -> QueueFilter:
        return said if self.owner is None else replace(said, tenant=self.owner.name)

    def _bounded(self, said: QueueFilter) -> QueueFilter:
        if self.owner is None:
            return said
        return replace(said, tenant=self.owner.name, received_since=self.owner.created_at.timestamp())

    def _told(
        self, found: Sequence[tuple[QueuedMessage, QueuedRecipient]]
    ) -> list[tuple[QueuedMessage, QueuedRecipient]]:
        """To the tenant; an operator reads all."""
        if self.owner is None or not self.to_tenant:
            return list(found)
        return own_recipients(self.directory, self.owner.name, found)
