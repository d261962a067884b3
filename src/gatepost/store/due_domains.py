"""Which domain has something due, and when: the store's index in memory over the index on disk.

Each domain's time is a lower bound: nothing of the domain is due earlier. A bound that is too low costs one look into
the file, a bound that is too high would delay mail; so bounds are lowered freely and raised only by who has looked.
"""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush


class DueDomains:
    def __init__(self, bounds: Iterable[tuple[str, float]] = ()) -> None:
        self._bounds = dict(bounds)
        # Holds every current bound, and stale ones that no longer equal `_bounds`.
        self._heap = [(due_at, domain) for domain, due_at in self._bounds.items()]
        heapify(self._heap)

    def note(self, domain: str, due_at: float) -> None:
        """Something of `domain` becomes due at `due_at`."""
        known = self._bounds.get(domain)
        if known is None or due_at < known:
            self.put(domain, due_at)

    def put(self, domain: str, due_at: float | None) -> None:
        """The first of `domain` becomes due at `due_at`; None: it has nothing."""
        if due_at is None:
            self._bounds.pop(domain, None)
        else:
            self._bounds[domain] = due_at
            heappush(self._heap, (due_at, domain))

    def earliest(self) -> float | None:
        """The lowest bound of all."""
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> tuple[float, str] | None:
        """Remove and return the domain with the lowest bound, if that has come."""
        self._drop_stale()
        if not self._heap or self._heap[0][0] > now:
            return None
        due_at, domain = heappop(self._heap)
        del self._bounds[domain]
        return due_at, domain

    def _drop_stale(self) -> None:
        heap, bounds = self._heap, self._bounds
        while heap and bounds.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
