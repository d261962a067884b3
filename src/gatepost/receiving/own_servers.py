"""Who is a tenant's own server before attribution has said so: an address that was attributed lately, or that a
tenant's connector lists.

It is a guess that decides about places only, never about mail: whoever is taken for an own server has the reserve that
strangers cannot use, and is counted by itself instead of with its network. What was attributed before a restart is
remembered, else the neighbours of a server could keep it out from then on. An address that several tenants could claim
is counted by itself: what one of them does, or writes down, takes no place from another.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from math import inf
from typing import Final

from gatepost.tenancy.directory import Directory
from gatepost.tenancy.evidence import Address

LATELY_S: Final = 86_400.0
REMEMBERED: Final = 20_000


class OwnServers:
    """What one worker knows of them."""

    def __init__(
        self, directory: Directory, now: Callable[[], float], seen: Iterable[tuple[str, str, float]] = ()
    ) -> None:
        """`seen`: address, tenant and time of what was attributed before this worker began, the latest last."""
        self._directory = directory
        self._now = now
        self._attributed: OrderedDict[str, tuple[str, float]] = OrderedDict()
        """Of an address the tenant and when; the latest last."""
        self._attributed.update((address, (tenant, at)) for address, tenant, at in seen)
        self._found: dict[str, tuple[str | None, float]] = {}
        """What was found for an address last, and until when it holds."""
        self._version = -1

    def attributed(self, address: str, tenant: str) -> None:
        """A session from `address` was found to be `tenant`'s."""
        now = self._now()
        if self._lately_at(address, now) != tenant:
            self._found.pop(address, None)
        self._attributed[address] = (tenant, now)
        self._attributed.move_to_end(address)
        if len(self._attributed) > REMEMBERED:
            forgotten, _ = self._attributed.popitem(last=False)
            self._found.pop(forgotten, None)

    def tenant_at(self, address: Address, text: str) -> str | None:
        """Whose server `address`, written `text`, is taken for; "contoso or fabrikam" where it may be either's."""
        if self._version != self._directory.version or len(self._found) >= REMEMBERED:
            self._version = self._directory.version
            self._found.clear()
        now = self._now()
        tenant, until = self._found.get(text, (None, 0.0))
        if now >= until:
            tenant, _ = self._found[text] = self._find(address, text, now)
        return tenant

    def _find(self, address: Address, text: str, now: float) -> tuple[str | None, float]:
        tenants = set(self._directory.tenants_listing(address, enabled=True))
        until = inf
        if lately := self._lately_at(text, now):
            until = self._attributed[text][1] + LATELY_S
            if self._directory.has_verified_domain(lately):
                tenants.add(lately)
        return " or ".join(sorted(tenants)) or None, until

    def _lately_at(self, text: str, now: float) -> str | None:
        tenant, at = self._attributed.get(text, (None, -inf))
        return tenant if now < at + LATELY_S else None
