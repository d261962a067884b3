"""Room for content that has begun and has not ended: who may hold how much of it.

What flows through: each message takes a share and tells it how large it has grown; a share that would be too much gets
the refusal. Laws: octets of a stranger count against its network and against strangers as a whole, those of a tenant's
own server against the tenant (law 6); strangers never touch the disk that is reserved for tenants; what is given back
is given back once. Counts are of the relay as a whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from gatepost.mail.reply import Reply
from gatepost.receiving import replies
from gatepost.receiving.capacity import Capacity
from gatepost.receiving.session_gate import network_of
from gatepost.tenancy.evidence import Address

_STEP: Final = 64 * 1024
"""What is smaller is not counted: most mail, and it costs nothing."""


class UnfinishedCounts(Protocol):
    """Octets of unfinished content in the relay as a whole: each worker adds, and sees what all have added."""

    def add(self, key: str, octets: int, *, of_stranger: bool) -> None:
        """Negative: they are given back."""

    def of(self, key: str) -> int: ...

    @property
    def of_strangers(self) -> int: ...

    @property
    def ever(self) -> int:
        """Octets that were ever added: it only grows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedLimits:
    """Octets."""

    of_strangers: int
    of_network: int
    of_tenant: int


class UnfinishedContent:
    """What one worker knows of it."""

    def __init__(
        self, limits: UnfinishedLimits, counts: UnfinishedCounts, capacity: Capacity, emit: Callable[..., None]
    ) -> None:
        self._limits = limits
        self._counts = counts
        self._capacity = capacity
        self.emit = emit

    def share(self, tenant: str | None, address: Address) -> "Share":
        """Of a message that `tenant`'s own server sends, or with None a stranger at `address`."""
        return Share(self, tenant, address)

    @property
    def has_room_for_strangers(self) -> bool:
        """Whether they may begin another message."""
        return self._capacity.has_room_for_strangers(self._counts.ever)

    def take(self, key: str, more: int, *, of_stranger: bool) -> Reply | None:
        limits, counts = self._limits, self._counts
        counts.add(key, more, of_stranger=of_stranger)
        if of_stranger:
            over = counts.of(key) > limits.of_network or counts.of_strangers > limits.of_strangers
            over = over or not self._capacity.has_room_for_strangers(counts.ever)
        else:
            over = counts.of(key) > limits.of_tenant or not self._capacity.has_room(counts.ever)
        if not over:
            return None
        self.emit("content-full", whose=key, octets=counts.of(key))
        return replies.CONTENT_FULL

    def give_back(self, key: str, octets: int, *, of_stranger: bool) -> None:
        self._counts.add(key, -octets, of_stranger=of_stranger)


class Share:
    """Of one message."""

    __slots__ = ("_address", "_key", "_next", "_of", "_taken", "_tenant")

    def __init__(self, of: UnfinishedContent, tenant: str | None, address: Address) -> None:
        self._of = of
        self._tenant = tenant
        self._address = address
        self._key = ""
        self._taken = 0
        self._next = _STEP

    def grow(self, size: int) -> Reply | None:
        """The message has `size` octets so far. The refusal where that is too much."""
        if size < self._next:
            return None
        self._key = self._key or (network_of(self._address) if self._tenant is None else f"tenant {self._tenant}")
        more, self._taken, self._next = size - self._taken, size, size + _STEP
        return self._of.take(self._key, more, of_stranger=self._tenant is None)

    def release(self) -> None:
        """The content has ended, or was dropped."""
        if self._taken:
            self._of.give_back(self._key, self._taken, of_stranger=self._tenant is None)
            self._taken = 0
