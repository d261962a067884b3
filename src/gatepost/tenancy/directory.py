"""Directory look-ups that attribution and routing need. Cost never depends on the number of tenants, nor on what a
tenant whom the session does not concern has stored.

Every answer belongs to the directory version current at the time of the call; implementations cache by version.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from gatepost.tenancy.evidence import Address, CertificateFacts
from gatepost.tenancy.proof import Proof
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector, SendConnector, Tenant

MOST_OF_A_TENANT: Final = 50
"""Connectors of one tenant that answer to one name, pin or network, beyond which no more are looked at."""
MOST_CLAIMANTS: Final = 10
"""Tenants with a claim to one domain, certificate or address that are looked at."""
MOST_OF_OTHERS: Final = 20
"""Connectors of tenants that a session does not concern, which are told about and decide nothing."""


class Directory(Protocol):
    @property
    def version(self) -> int:
        """Grows with every change."""

    def tenant(self, name: str) -> Tenant | None: ...

    # Of these three: on-premises connectors, and of one tenant, the enabled ones first, `MOST_OF_A_TENANT` at most.

    def connectors_naming(self, names: Sequence[str], near: Sequence[str]) -> Sequence[InboundConnector]:
        """Connectors with a certificate name that covers one of `names` (domain keys, perhaps with a leading `*.`): the
        name itself, `*.` before it, and `*.` before each of its parents. Those of the tenant that owns the covering
        name, and those of the tenants `near`. For a wildcard name `*.x`, connectors that name a host directly below
        `x` are included too."""

    def connectors_pinning(self, leaf: CertificateFacts, near: Sequence[str]) -> Sequence[InboundConnector]:
        """Connectors that pin this certificate or its public key: those of the tenants `near`, those of the tenants
        that have proven it, and `MOST_OF_OTHERS` enabled ones of others."""

    def connectors_listing(self, address: Address, near: Sequence[str]) -> Sequence[InboundConnector]:
        """Connectors with a network that contains `address`: those of the tenants `near`, and `MOST_OF_OTHERS` enabled
        ones of others."""

    def bystanders(self, names: Sequence[str]) -> Sequence[InboundConnector]:
        """Connectors of any tenant, enabled or not, with a certificate name that covers one of `names`, owned or not;
        `MOST_OF_OTHERS`. For explanations only."""

    def tenants_pinning(self, leaf: CertificateFacts) -> Sequence[str]:
        """Tenants that pin this certificate or its public key on some connector, enabled or not; `MOST_CLAIMANTS`."""

    def tenants_listing(self, address: Address, *, enabled: bool = False) -> Sequence[str]:
        """Tenants that list `address` on some connector, enabled or not, or on an `enabled` one; `MOST_CLAIMANTS`."""

    def proofs_of(self, pin: str) -> Sequence[Proof]:
        """Every tenant's proof of a certificate's or key's SHA-256, whether it still counts or not."""

    def has_verified_domain(self, tenant: str) -> bool: ...

    def accepted_domain(self, domain: str, tenant: str) -> AcceptedDomain | None:
        """The tenant's own claim, verified or not, to exactly `domain`. Other tenants may have claimed it too."""

    def claimants(self, domain: str) -> Sequence[AcceptedDomain]:
        """Unproven claims to exactly `domain`, `MOST_CLAIMANTS` at most."""

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


class RefreshedDirectory(Directory, Protocol):
    """One that answers from a memory of its own, which may lag behind what others have changed."""

    def refresh(self) -> bool:
        """Whether others had changed something; from now on the answers include it. Cheap when nobody had."""
