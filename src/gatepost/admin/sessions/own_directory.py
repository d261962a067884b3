"""The directory as one tenant may ask about it: what is its own, and what the server has for everybody.

Law: no answer depends on what another tenant has stored. Whoever asks `explain` names any certificate and any address
without having shown them, so a verdict on the whole directory would disclose what others configured.
"""

from collections.abc import Iterable, Sequence

from gatepost.mail.domain import parents
from gatepost.tenancy.directory import Directory
from gatepost.tenancy.evidence import Address, CertificateFacts
from gatepost.tenancy.proof import Proof
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector, SendConnector, Tenant


class OwnDirectory:
    """`gatepost.tenancy.directory.Directory` without other tenants."""

    def __init__(self, whole: Directory, tenant: str) -> None:
        self._whole = whole
        self._name = tenant

    @property
    def version(self) -> int:
        return self._whole.version

    def tenant(self, name: str) -> Tenant | None:
        return self._whole.tenant(name) if self._is_own(name) else None

    def connectors_naming(self, names: Sequence[str], near: Sequence[str]) -> Sequence[InboundConnector]:
        return self._own(self._whole.connectors_naming(names, (self._name,)))

    def connectors_pinning(self, leaf: CertificateFacts, near: Sequence[str]) -> Sequence[InboundConnector]:
        return self._own(self._whole.connectors_pinning(leaf, (self._name,)))

    def connectors_listing(self, address: Address, near: Sequence[str]) -> Sequence[InboundConnector]:
        return self._own(self._whole.connectors_listing(address, (self._name,)))

    def bystanders(self, names: Sequence[str]) -> Sequence[InboundConnector]:
        return self._own(self._whole.bystanders(names))

    def tenants_pinning(self, leaf: CertificateFacts) -> Sequence[str]:
        return [self._name] if self.connectors_pinning(leaf, ()) else []

    def tenants_listing(self, address: Address, *, enabled: bool = False) -> Sequence[str]:
        own = self.connectors_listing(address, ())
        return [self._name] if any(each.enabled or not enabled for each in own) else []

    def proofs_of(self, pin: str) -> Sequence[Proof]:
        return [each for each in self._whole.proofs_of(pin) if self._is_own(each.tenant)]

    def has_verified_domain(self, tenant: str) -> bool:
        return self._is_own(tenant) and self._whole.has_verified_domain(tenant)

    def accepted_domain(self, domain: str, tenant: str) -> AcceptedDomain | None:
        return self._whole.accepted_domain(domain, tenant) if self._is_own(tenant) else None

    def claimants(self, domain: str) -> Sequence[AcceptedDomain]:
        own = self.accepted_domain(domain, self._name)
        return [own] if own and not own.verified else []

    def nearest_owner(self, domain: str) -> AcceptedDomain | None:
        found = (self.accepted_domain(each, self._name) for each in (domain, *parents(domain)))
        return next((each for each in found if each and each.verified), None)

    def covering_domain(self, domain: str) -> AcceptedDomain | None:
        nearest = self.nearest_owner(domain)
        return nearest if nearest and (nearest.domain == domain or nearest.match_subdomains) else None

    def verified_below(self, tenant: str, domain: str) -> AcceptedDomain | None:
        return self._whole.verified_below(tenant, domain) if self._is_own(tenant) else None

    def partner_connectors(self, tenant: str) -> Sequence[InboundConnector]:
        return self._whole.partner_connectors(tenant) if self._is_own(tenant) else ()

    def connectors_of(self, tenant: str) -> Sequence[InboundConnector]:
        return self._whole.connectors_of(tenant) if self._is_own(tenant) else ()

    def send_connectors(self, tenant: str | None, domain: str) -> Sequence[SendConnector]:
        return self._whole.send_connectors(tenant if tenant == self._name else None, domain)

    def _is_own(self, tenant: str) -> bool:
        return tenant == self._name

    def _own(self, connectors: Iterable[InboundConnector]) -> Sequence[InboundConnector]:
        return [each for each in connectors if self._is_own(each.tenant)]
