"""Who is a tenant's own server before attribution has said so: an address that was attributed lately, or that a
tenant's connector lists.

It is a guess that decides about places only, never about mail: whoever is taken for an own server has the reserve that
strangers cannot use, and is counted by itself instead of with its network. What was attributed before a restart is
remembered, else the neighbours of a server could keep it out from then on. An address that several tenants could claim
is counted by itself: what one of them does, or writes down, takes no place from another.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
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
        self._listed: dict[str, tuple[str, ...]] = {}
        self._version = -1

    def attributed(self, address: str, tenant: str) -> None:
        """A session from `address` was found to be `tenant`'s."""
        self._attributed[address] = (tenant, self._now())
        self._attributed.move_to_end(address)
        if len(self._attributed) > REMEMBERED:
            self._attributed.popitem(last=False)

    def tenant_at(self, address: Address, text: str) -> str | None:
        """Whose server `address`, written `text`, is taken for; "contoso or fabrikam" where it may be either's."""
        return " or ".join(sorted({*self._listing(address, text), *self._lately_at(text)})) or None

    def _lately_at(self, text: str) -> tuple[str, ...]:
        tenant, at = self._attributed.get(text, ("", 0.0))
        lately = self._now() - at < LATELY_S
        return (tenant,) if tenant and lately and self._directory.has_verified_domain(tenant) else ()

    def _listing(self, address: Address, text: str) -> tuple[str, ...]:
        if self._version != self._directory.version or len(self._listed) >= REMEMBERED:
            self._version = self._directory.version
            self._listed.clear()
        if text not in self._listed:
            self._listed[text] = tuple(self._directory.tenants_listing(address, enabled=True))
        return self._listed[text]
