"""Who is a tenant's own server before attribution has said so: an address that was attributed lately, or that a
tenant's connector lists.

It is a guess that decides about places only, never about mail: whoever is taken for an own server has the reserve that
strangers cannot use, and is counted by itself instead of with its network.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from gatepost.tenancy.directory import Directory
from gatepost.tenancy.evidence import Address
from gatepost.tenancy.tenant import ConnectorType

_LATELY_S: Final = 86_400.0
_REMEMBERED: Final = 20_000


class OwnServers:
    """What one worker knows of them."""

    def __init__(self, directory: Directory, now: Callable[[], float]) -> None:
        self._directory = directory
        self._now = now
        self._attributed: OrderedDict[str, tuple[str, float]] = OrderedDict()
        """Of an address the tenant and when; the latest last."""
        self._listed: dict[str, str | None] = {}
        self._version = -1

    def attributed(self, address: str, tenant: str) -> None:
        """A session from `address` was found to be `tenant`'s."""
        self._attributed[address] = (tenant, self._now())
        self._attributed.move_to_end(address)
        if len(self._attributed) > _REMEMBERED:
            self._attributed.popitem(last=False)

    def tenant_at(self, address: Address, text: str) -> str | None:
        """Whose server `address`, written `text`, is taken for."""
        tenant, at = self._attributed.get(text, ("", 0.0))
        if tenant and self._now() - at < _LATELY_S:
            return tenant
        if self._version != self._directory.version or len(self._listed) >= _REMEMBERED:
            self._version = self._directory.version
            self._listed.clear()
        if text not in self._listed:
            self._listed[text] = self._lists(address)
        return self._listed[text]

    def _lists(self, address: Address) -> str | None:
        for connector in self._directory.connectors_listing(address, ()):
            tenant = connector.tenant
            on_premises = connector.type is ConnectorType.ON_PREMISES
            if connector.enabled and on_premises and self._directory.has_verified_domain(tenant):
                return tenant
        return None
