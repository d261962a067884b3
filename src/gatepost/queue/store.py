"""What receiving, delivery and the operator's commands ask of a queue. Both stores pass the same contract suite.

Laws: `accept` and `settle` complete only when their change is on stable storage; a failed sync is an error for every
change in that group, never retried as if it had succeeded.
"""

from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from gatepost.errors import GatepostError
from gatepost.queue.message import Claim, Content, NewMessage, QueuedMessage, QueuedRecipient, RecipientState
from gatepost.queue.orders import Order
from gatepost.queue.outcome import Settlement


class StoreError(GatepostError):
    """The store could not do it; nothing was changed. The message says what, where, and what to do."""


class StoreUnavailable(StoreError):
    """For now: locked, full, read-only. Peers get 452 or 451 and come back."""


class StoreInUse(StoreUnavailable):
    """Another process works the queue."""


class StoreInDoubt(StoreUnavailable):
    """The disk failed while it wrote: told as not done, and perhaps done nevertheless once the machine starts again."""


class StoreDamaged(StoreError):
    """What is stored cannot be trusted, or comes from a newer version."""


class Accepted(NamedTuple):
    """A message that is on stable storage."""

    message_id: str
    claims: Sequence[Claim]


Result = TypeVar("Result", covariant=True)


class Promise(Protocol[Result]):
    """A change on its way to stable storage, whether anybody waits for it or not. Each message brings two: who awaits
    one needs a task, who has it `tell` needs none."""

    def __await__(self) -> Generator[Any, None, Result]: ...

    def tell(self, told: Callable[["Promise[Result]"], None]) -> None:
        """Call `told` with this promise once its result is known."""

    def result(self) -> Result:
        """Once it is known. Raises `StoreError`."""


QueueKey = tuple[str | None, str]
"""A tenant and a domain: what one tenant has waiting for one domain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Avoid:
    """Whose mail stays in the store for now, due or not."""

    tenants: frozenset[str | None] = frozenset()
    keys: frozenset[QueueKey] = frozenset()


class QueueStore(Protocol):
    """One worker's queue."""

    def accept(self, message: NewMessage, *, claim: bool) -> Promise[Accepted]:
        """Keep a message. With `claim`, its recipients are claimed at once and returned grouped by tenant and domain,
        with the content in memory where it is small; without, they are due now and no claims are returned."""

    def claim_due(self, now: float, limit: int, avoid: Avoid) -> Sequence[Claim]:
        """Claim up to `limit` due deliveries. Tenants take turns, one claim each; of a tenant the oldest due comes
        first. Recipients that are to bounce come in claims of their own, by their state."""

    def claim_late(
        self, key: QueueKey, now: float, received_until: float, told_until: float, limit: int
    ) -> Sequence[Claim]:
        """Claim up to `limit` due deliveries of a key that is avoided: those received until `received_until`, and
        those received until `told_until` whose sender was not told of the delay."""

    def hasten(self, later_than: float, due_at: float) -> None:
        """What is queued and due later than `later_than` becomes due at `due_at`, a part with each commit."""

    def claimed(self) -> Collection[int]:
        """The recipients that were given out and are not settled."""

    def message_id_of(self, recipient: int) -> str: ...

    def overdue(self, since: float) -> Sequence[QueueKey]:
        """What has been due since then, as the file says it and not as it is remembered. To be called in a thread."""

    def next_due_at(self) -> float | None:
        """When the next queued recipient becomes due; None when nothing waits."""

    def still_wanted(self, claim: Claim) -> bool:
        """Whether no operator held or removed the claim's recipients meanwhile. Cheap when nobody touched the queue."""

    def settle(self, settlement: Settlement) -> Promise[Sequence[Claim]]:
        """Record an attempt. Gives claims for the notifications it queued. Recipients that are neither finished nor
        rescheduled go back and are due as before. When it fails the claim stands: to be settled again."""

    def open_content(self, message: QueuedMessage) -> Content:
        """The stored content. Raises `StoreUnavailable` when an operator has removed the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilter:
    """Which recipients an operator speaks of; the fields that are set must all hold."""

    message_id: str | None = None
    tenant: str | None = None
    domain: str | None = None
    state: RecipientState | None = None
    older_than_s: float | None = None
    """Received at least so many seconds ago."""
    received_since: float | None = None
    """Seconds since the epoch: what was received before is an earlier tenant's of the name."""
    sender: str | None = None
    """An address, `@` and the key of a domain, or empty: the null reverse-path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCount:
    tenant: str | None
    domain: str
    state: RecipientState
    recipients: int
    oldest_received_at: float


class QueueAdmin(Protocol):
    """The operator's view of all queues of a data folder, whether their workers run or not. What it was told to change
    is seen as changed from then on, however many recipients that are; mail that arrives later is not touched."""

    def unreadable(self) -> Sequence[str]:
        """For each queue that is damaged, one line: what, where, what to do. The others are worked on without it."""

    def counts(self, wanted: QueueFilter) -> Sequence[QueueCount]: ...

    def listed(self, wanted: QueueFilter, limit: int) -> Sequence[tuple[QueuedMessage, QueuedRecipient]]: ...

    def message(self, message_id: str) -> tuple[QueuedMessage, Sequence[QueuedRecipient]] | None: ...

    def content(self, message_id: str) -> Content | None: ...

    def orders(self, limit: int) -> Sequence[tuple[str, Order]]:
        """The newest first, each with the name of its queue."""

    def hold(self, wanted: QueueFilter) -> int:
        """These return how many recipients they changed."""

    def release(self, wanted: QueueFilter, now: float) -> int: ...

    def retry(self, wanted: QueueFilter, now: float) -> int: ...

    def remove(self, wanted: QueueFilter) -> int: ...

    def bounce(self, wanted: QueueFilter, now: float) -> int: ...
