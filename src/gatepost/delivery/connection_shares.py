"""Who may open how many connections, of all that delivery may have open.

Law: as with memory, who has as many as are left free gets no more: hosts that never answer, or that take sessions and
then their time, take half from a tenant's neighbours at most.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

from gatepost.delivery.fair_queue import FairQueue


class Idle(Protocol):
    """A connection without work."""

    @property
    def tenant(self) -> str | None: ...


class Dialler(Protocol):
    """A destination, as far as it shares connections with others."""

    @property
    def waiting(self) -> FairQueue: ...

    @property
    def idle(self) -> Sequence[Idle]: ...

    def pump(self) -> None: ...

    def quit_idle(self, most: int) -> None: ...


class ConnectionShares:
    def __init__(self, most: int, destinations: Callable[[], Iterable[Dialler]]) -> None:
        self._most = most
        self._destinations = destinations
        self._open = 0
        self._by_tenant: dict[str | None, int] = {}
        """Whose mail they were dialled for."""
        self._starved: dict[Dialler, None] = {}

    def take(self, destination: Dialler) -> bool:
        """Whether one more may be opened for whose turn it is there; if not, `pump` is called when it may."""
        tenant = destination.waiting.tenant
        held, free = self._by_tenant.get(tenant, 0), self._most - self._open
        if held >= free:
            self._starved[destination] = None
            self._close_an_idle_one(of_tenants=None if free <= 0 else (tenant,))
            return False
        self._open += 1
        self._by_tenant[tenant] = held + 1
        return True

    def give_back(self, tenant: str | None) -> None:
        """One that was taken is closed, or could not be opened; `tenant`: whose turn it was."""
        self._open -= 1
        left = self._by_tenant[tenant] - 1
        if left:
            self._by_tenant[tenant] = left
        else:
            del self._by_tenant[tenant]
        if self._starved:
            destination = next(iter(self._starved))
            del self._starved[destination]
            asyncio.get_running_loop().call_soon(destination.pump)

    def one_is_idle(self) -> None:
        """Others may have none at all."""
        if self._starved:
            asyncio.get_running_loop().call_soon(self._close_an_idle_one)

    def _close_an_idle_one(self, of_tenants: Collection[str | None] | None = None) -> None:
        """The longest idle of some destination: anybody's, or one that was dialled for one of `of_tenants`."""
        for destination in self._destinations():
            if destination.idle and (of_tenants is None or destination.idle[0].tenant in of_tenants):
                destination.quit_idle(1)
                return
