"""Directory look-ups that attribution and routing need. Cost never depends on the number of tenants.

Every answer belongs to the directory version current at the time of the call; implementations cache by version.
"""

from collections.abc import Sequence
from typing import Protocol

from gatepost.tenancy.evidence import Address, CertificateFacts
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector, SendConnector, Tenant


class Directory(Protocol):
    @property
    def version(self) -> int:
        """Grows with every change."""

    def tenant(self, name: str) -> Tenant | None: ...

    def connectors_naming(self, names: Sequence[str]) -> Sequence[InboundConnector]:
        """Connectors, enabled or not, with a certificate name that covers one of `names` (domain keys, perhaps with a
        leading `*.`): the name itself, `*.` before it, and `*.` before each of its parents. For a wildcard name
        `*.x`, connectors that name a host directly below `x` are included too, so that the reason can be told; at most
        50 of those."""

    def connectors_pinning(self, leaf: CertificateFacts) -> Sequence[InboundConnector]:
        """Connectors, enabled or not, that pin this certificate or its public key."""

    def connectors_listing(self, address: Address) -> Sequence[InboundConnector]:
        """Connectors, enabled or not, with a network that contains `address`."""

    def accepted_domain(self, domain: str, tenant: str) -> AcceptedDomain | None:
        """The tenant's own claim, verified or not, to exactly `domain`. Other tenants may have claimed it too."""

    def nearest_owner(self, domain: str) -> AcceptedDomain | None:
        """The *verified* accepted domain that equals `domain` or is its nearest parent, whoever owns it."""

    def covering_domain(self, domain: str) -> AcceptedDomain | None:
        """The *verified* accepted domain that equals `domain`, else the nearest verified parent if that one was added
        with `match_subdomains`."""

    def verified_below(self, tenant: str, domain: str) -> AcceptedDomain | None:
        """A *verified* accepted domain of `tenant` that is a proper sub-domain of `domain`, if there is one."""

    def partner_connectors(self, tenant: str) -> Sequence[InboundConnector]:
        """Enabled partner connectors of `tenant`, by name."""

    def connectors_of(self, tenant: str) -> Sequence[InboundConnector]:
        """Every inbound connector of `tenant`, enabled or not, by name; at most 50, for explanations."""

    def send_connectors(self, tenant: str | None, domain: str) -> Sequence[SendConnector]:
        """Enabled send connectors, of `tenant` and server-wide, with an address space that covers `domain`."""
