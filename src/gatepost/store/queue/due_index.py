"""Whose turn it is: the store's index in memory over the index on disk.

A key, tenant and domain, stands for what that tenant has waiting for that domain. Each key's time is a lower bound:
nothing of it is due earlier. A bound that is too low costs one look into the file, a bound that is too high would delay
mail; so bounds are lowered freely and raised only by who has looked.

Laws: tenants that have something due take turns, one claim each, whatever the age and the size of their backlogs;
within a tenant the key that is due first comes first.
"""

from collections import deque
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Final

from gatepost.queue.store import QueueKey

_NOBODY: Final = ""


class Bounds:
    """A lower bound for each key, the lowest first."""

    def __init__(self, bounds: Iterable[tuple[str, float]] = ()) -> None:
        self._bounds = dict(bounds)
        # Holds every current bound, and stale ones that no longer equal `_bounds`.
        self._heap = [(due_at, key) for key, due_at in self._bounds.items()]
        heapify(self._heap)

    def note(self, key: str, due_at: float) -> None:
        """Something of `key` becomes due at `due_at`."""
        known = self._bounds.get(key)
        if known is None or due_at < known:
            self.put(key, due_at)

    def put(self, key: str, due_at: float | None) -> None:
        """The first of `key` becomes due at `due_at`; None: it has nothing."""
        if due_at is None:
            self._bounds.pop(key, None)
        else:
            self._bounds[key] = due_at
            heappush(self._heap, (due_at, key))

    def earliest(self) -> float | None:
        """The lowest bound of all."""
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> tuple[float, str] | None:
        """Remove and return the key with the lowest bound, if that has come."""
        self._drop_stale()
        if not self._heap or self._heap[0][0] > now:
            return None
        due_at, key = heappop(self._heap)
        del self._bounds[key]
        return due_at, key

    def _drop_stale(self) -> None:
        heap, bounds = self._heap, self._bounds
        while heap and bounds.get(heap[0][1]) != heap[0][0]:
            heappop(heap)


class DueIndex:
    def __init__(self, bounds: Iterable[tuple[str | None, str, float]] = ()) -> None:
        self._domains: dict[str, Bounds] = {}
        self._resting = Bounds()
        # Of each tenant that is not in turn, a lower bound of all its keys.
        self._turn: deque[str] = deque()
        self._in_turn: set[str] = set()
        for tenant, domain, due_at in bounds:
            self.note((tenant, domain), due_at)

    def note(self, key: QueueKey, due_at: float) -> None:
        """Something of `key` becomes due at `due_at`."""
        tenant = key[0] or _NOBODY
        domains = self._domains.get(tenant)
        if domains is None:
            domains = self._domains[tenant] = Bounds()
        domains.note(key[1], due_at)
        if tenant not in self._in_turn:
            self._resting.note(tenant, due_at)

    def earliest(self) -> float | None:
        """The lowest bound of all."""
        bounds = [self._resting.earliest(), *[self._domains[tenant].earliest() for tenant in self._turn]]
        return min([bound for bound in bounds if bound is not None], default=None)

    def begin(self, now: float) -> None:
        """Tenants whose time has come join those in turn, behind them."""
        while first := self._resting.take(now):
            self._turn.append(first[1])
            self._in_turn.add(first[1])

    @property
    def anybody(self) -> bool:
        """Whether it is somebody's turn."""
        return bool(self._turn)

    @property
    def tenant(self) -> str | None:
        """Whose turn it is."""
        return self._turn[0] or None

    def take(self, now: float) -> tuple[float, QueueKey] | None:
        """Remove and return the key with the lowest bound of the tenant in turn, if that has come."""
        first = self._domains[self._turn[0]].take(now)
        return first and (first[0], (self.tenant, first[1]))

    def let_others(self) -> None:
        """The tenant in turn comes again after all the others."""
        self._turn.rotate(-1)

    def rest(self) -> None:
        """The tenant in turn comes again when its next key is due."""
        tenant = self._turn.popleft()
        self._in_turn.discard(tenant)
        earliest = self._domains[tenant].earliest()
        if earliest is None:
            del self._domains[tenant]
        self._resting.put(tenant, earliest)
