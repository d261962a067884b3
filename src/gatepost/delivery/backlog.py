"""What waits in memory for its next hop, for all destinations together: bounded in number and in octets.

Laws: beyond the bound in octets, content is read again from the store; who has as much in memory as is left free gets
no more, so that one tenant takes half at most, and some is always free for another.
"""

from collections.abc import Iterator
from dataclasses import replace

from gatepost.queue.message import Claim


class Backlog:
    def __init__(self, most: int, most_octets: int) -> None:
        self._most = most
        self._most_octets = most_octets
        self._count = 0
        self._by_tenant: dict[str | None, int] = {}
        self._octets = 0

    def __len__(self) -> int:
        return self._count

    @property
    def has_room(self) -> bool:
        """For anybody's."""
        return self._count < self._most

    def has_room_for(self, tenant: str | None) -> bool:
        return self._by_tenant.get(tenant, 0) < self._most - self._count

    def without_room(self) -> Iterator[str | None]:
        """The tenants that have their share."""
        return (tenant for tenant in self._by_tenant if not self.has_room_for(tenant))

    def kept(self, claim: Claim) -> Claim:
        """The claim as it waits, until it is `taken`: without its content where that is too much."""
        self._count += 1
        self._by_tenant[claim.tenant] = self._by_tenant.get(claim.tenant, 0) + 1
        if claim.content is None:
            return claim
        if self._octets + claim.message.size > self._most_octets:
            claim.content.release()
            return replace(claim, content=None)
        self._octets += claim.message.size
        return claim

    def taken(self, claim: Claim) -> None:
        """It waits no more."""
        self._count -= 1
        left = self._by_tenant[claim.tenant] - 1
        if left:
            self._by_tenant[claim.tenant] = left
        else:
            del self._by_tenant[claim.tenant]
        if claim.content is not None:
            self._octets -= claim.message.size
