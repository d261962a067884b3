"""Mail that waits, for the operator: look, choose, and decide about it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Final

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.errors import BadRequest, Named, NotAllowed, NotFound
from gatepost.mail.domain import DomainError, domain_key
from gatepost.queue.message import Content, QueuedMessage, QueuedRecipient, RecipientState
from gatepost.queue.orders import APPLIES_TO, Action, Order
from gatepost.queue.store import QueueAdmin, QueueCount, QueueFilter
from gatepost.tenancy.notation import duration_s

_SENDER: Final = Named(name="sender", option="sender")
_MESSAGE_ID: Final = re.compile(r"[0-9]+-[0-9]+\Z")


# A header section larger than this is not shown whole.
_HEADERS_SHOWN: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    counts: Sequence[QueueCount]
    first: Sequence[tuple[QueuedMessage, QueuedRecipient]]
    """The oldest that were chosen."""

    @property
    def recipients(self) -> int:
        return sum(count.recipients for count in self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    message: QueuedMessage
    recipients: Sequence[QueuedRecipient]
    headers: str


def choice(
    *,
    message_id: str | None = None,
    tenant: str | None = None,
    domain: str | None = None,
    state: str | None = None,
    older_than: str | None = None,
    received_since: float | None = None,
    sender: str | None = None,
) -> QueueFilter:
    """A filter from the words an operator wrote. Raises `BadRequest`."""
    return QueueFilter(
        message_id=None if message_id is None else _message_id(message_id),
        tenant=tenant,
        domain=None if domain is None else _domain(domain),
        state=None if state is None else _state(state),
        older_than_s=None if older_than is None else duration_s(older_than),
        received_since=received_since,
        sender=None if sender is None else _sender(sender),
    )


def overview(admin: QueueAdmin, wanted: QueueFilter, limit: int) -> Overview:
    return Overview(counts=admin.counts(wanted), first=admin.listed(wanted, limit))


def shown(admin: QueueAdmin, message_id: str) -> MessageView:
    """One message with all its recipients. Raises `Refused`."""
    found = admin.message(_message_id(message_id))
    if found is None:
        raise NotFound(f"message {message_id} is not in the queue: it is done with, or was removed")
    message, recipients = found
    content = admin.content(message_id)
    return MessageView(message=message, recipients=recipients, headers=_headers(content) if content else "")


def affected(admin: QueueAdmin, action: Action, wanted: QueueFilter) -> int:
    """How many recipients `action` would change now."""
    return sum(count.recipients for count in admin.counts(wanted) if count.state in APPLIES_TO[action])


def carry_out(admin: QueueAdmin, directory: DirectoryEditor, action: Action, wanted: QueueFilter, now: float) -> int:
    """Do it, and audit it. Returns how many recipients were changed; raises `No` when there was none."""
    changed = _CARRY_OUT[action](admin, wanted, now)
    if not changed:
        raise _nothing_to_do(admin, action, wanted)
    chosen = {name: each for name, each in asdict(wanted).items() if each is not None}
    directory.note(action, "queue", {**chosen, "recipients": changed})
    return changed


_CARRY_OUT: Final[dict[Action, Callable[[QueueAdmin, QueueFilter, float], int]]] = {
    Action.RETRY: lambda admin, wanted, now: admin.retry(wanted, now),
    Action.HOLD: lambda admin, wanted, now: admin.hold(wanted),
    Action.RELEASE: lambda admin, wanted, now: admin.release(wanted, now),
    Action.REMOVE: lambda admin, wanted, now: admin.remove(wanted),
    Action.BOUNCE: lambda admin, wanted, now: admin.bounce(wanted, now),
}


def orders(admin: QueueAdmin, limit: int) -> Sequence[tuple[str, Order]]:
    """What operators ordered, the newest first, each with its queue."""
    return admin.orders(limit)


def _nothing_to_do(admin: QueueAdmin, action: Action, wanted: QueueFilter) -> NotAllowed:
    states = sorted({count.state.value for count in admin.counts(wanted)})
    if not states:
        return NotAllowed("no queued mail matches", next_step="see: gatepost queue list")
    return NotAllowed(f"nothing to {action.value}: the matching mail is {' and '.join(states)}")


def _message_id(text: str) -> str:
    if not _MESSAGE_ID.match(text):
        raise BadRequest(f"'{text}' is not a message id: they look like 0-4711", next_step="see: gatepost queue list")
    return text


def _domain(text: str) -> str:
    if text.startswith("["):
        return text
    try:
        return domain_key(text.rpartition("@")[2])
    except DomainError as error:
        raise BadRequest(str(error)) from None


def _sender(text: str) -> str:
    """`ann@contoso.com`, `@contoso.com` or `<>`."""
    if text == "<>":
        return ""
    local_part, at, domain = text.rpartition("@")
    if not at:
        raise BadRequest(_SENDER, f" {text}: write an address, @ and a domain, or '<>' for notifications")
    return f"{local_part}@{_domain(domain)}"


def _state(text: str) -> RecipientState:
    try:
        return RecipientState(text)
    except ValueError:
        near = get_close_matches(text, list(RecipientState), n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(RecipientState)}"
        raise BadRequest(f"'{text}' is not a state of queued mail", next_step=hint) from None


def _headers(content: Content) -> str:
    start = b""
    for octets in content.chunks():
        start += octets
        if b"\r\n\r\n" in start or len(start) >= _HEADERS_SHOWN:
            break
    return start.partition(b"\r\n\r\n")[0][:_HEADERS_SHOWN].decode("utf-8", "replace").replace("\r\n", "\n").rstrip()
