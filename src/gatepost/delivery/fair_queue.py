"""The claims that wait for one destination. Tenants take turns, so that nobody waits behind somebody else's backlog."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from itertools import chain

from gatepost.queue.message import Claim


class FairQueue:
    def __init__(self) -> None:
        # In the order of their turns; none is empty.
        self._by_tenant: OrderedDict[str | None, deque[Claim]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Claim]:
        return chain.from_iterable(self._by_tenant.values())

    def of(self, tenant: str | None) -> int:
        """How many of the tenant's wait."""
        return len(self._by_tenant.get(tenant, ()))

    @property
    def tenant(self) -> str | None:
        """Whose turn it is, where anything waits."""
        return next(iter(self._by_tenant))

    def append(self, claim: Claim) -> None:
        """Behind the tenant's others."""
        self._of(claim).append(claim)
        self._count += 1

    def appendleft(self, claim: Claim) -> None:
        """Before all others: its turn had come already."""
        self._of(claim).appendleft(claim)
        self._by_tenant.move_to_end(claim.tenant, last=False)
        self._count += 1

    def popleft(self) -> Claim:
        """The oldest claim of the tenant whose turn it is."""
        tenant, claims = next(iter(self._by_tenant.items()))
        claim = claims.popleft()
        self._count -= 1
        if claims:
            self._by_tenant.move_to_end(tenant)
        else:
            del self._by_tenant[tenant]
        return claim

    def _of(self, claim: Claim) -> deque[Claim]:
        claims = self._by_tenant.get(claim.tenant)
        if claims is None:
            claims = self._by_tenant[claim.tenant] = deque()
        return claims
