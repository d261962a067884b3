"""A directory in memory, for tests of whatever asks a directory. Built whole; a changed one is a new one."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from gatepost.mail.domain import is_below, parents, pattern_covers
from gatepost.tenancy.directory import MOST_CLAIMANTS, MOST_OF_A_TENANT, MOST_OF_OTHERS
from gatepost.tenancy.evidence import Address, CertificateFacts
from gatepost.tenancy.names import WILDCARD, covering_patterns, without_wildcard
from gatepost.tenancy.proof import Proof
from gatepost.tenancy.tenant import AcceptedDomain, ConnectorType, InboundConnector, SendConnector, Tenant

MOST = 50


def proofs_by(connector: InboundConnector, ends_at: datetime | None = None) -> list[Proof]:
    """That what the connector says is proven was."""
    return [
        Proof(
            tenant=connector.tenant,
            certificate_sha256=pin,
            public_key_sha256="",
            at=datetime(2026, 1, 1, tzinfo=UTC),
            session_id="",
            address="",
            ends_at=ends_at,
        )
        for pin in sorted(connector.proven_pins)
    ]


def _others(connectors: Sequence[InboundConnector]) -> list[InboundConnector]:
    return [each for each in connectors if each.enabled][:MOST_OF_OTHERS]


def _once(connectors: Sequence[InboundConnector]) -> tuple[InboundConnector, ...]:
    return tuple({each.label: each for each in connectors}.values())


class MemoryDirectory:
    """`gatepost.tenancy.directory.Directory` over plain dictionaries."""

    def __init__(
        self,
        tenants: Iterable[Tenant] = (),
        domains: Iterable[AcceptedDomain] = (),
        inbound_connectors: Iterable[InboundConnector] = (),
        send_connectors: Iterable[SendConnector] = (),
        version: int = 1,
        proofs: Iterable[Proof] | None = None,
        is_export: bool = False,
    ) -> None:
        """`is_export`: as a directory of exports, which looks at every connector, also with names that nobody owns.
        `proofs` None: what the connectors say is proven, all at one time and without an end."""
        self.version = version
        self._tenants = {tenant.name: tenant for tenant in tenants}
        self._everybody = list(self._tenants) if is_export else []
        self._claims = {(domain.domain, domain.tenant): domain for domain in domains}
        self._owners = {domain.domain: domain for domain in self._claims.values() if domain.verified}
        self._inbound = list(inbound_connectors)
        self._proofs = list(proofs) if proofs is not None else [each for c in self._inbound for each in proofs_by(c)]
        self._send = [connector for connector in send_connectors if connector.enabled]
        self._naming = defaultdict(list)
        self._pinning = defaultdict(list)
        self._listing = defaultdict(list)
        self._hosts_below = defaultdict(list)
        self._of_tenant = defaultdict(list)
        for connector in sorted(self._inbound, key=lambda connector: connector.name):
            self._of_tenant[connector.tenant].append(connector)
        for connector in sorted(self._inbound, key=lambda connector: connector.label):
            if connector.type is ConnectorType.PARTNER:
                continue
            for name in connector.certificate_names:
                self._naming[name].append(connector)
                if not name.startswith(WILDCARD):
                    self._hosts_below[name.partition(".")[2]].append(connector)
            for pin in connector.pins:
                self._pinning[pin].append(connector)
            for network in connector.addresses:
                self._listing[network].append(connector)

    def tenant(self, name: str) -> Tenant | None:
        return self._tenants.get(name)

    def connectors_naming(self, names: Sequence[str], near: Sequence[str]) -> Sequence[InboundConnector]:
        found: list[InboundConnector] = []
        near = [*near, *self._everybody]
        for name in names:
            base = without_wildcard(name)
            for pattern in (name, WILDCARD + base, *(WILDCARD + parent for parent in parents(base))):
                found += self._concerning(self._naming.get(pattern, ()), (*near, *self._owner_of(pattern)))
            if base is not name:
                below = self._hosts_below.get(base, ())
                found += self._concerning(below, (*near, *self._owner_of(base)))
                live = [each for each in below if each.enabled][:MOST_OF_A_TENANT]
                found += [
                    each for each in live if any(each.tenant in self._owner_of(n) for n in each.certificate_names)
                ]
        return _once(found)

    def _owner_of(self, pattern: str) -> Sequence[str]:
        owner = self.nearest_owner(without_wildcard(pattern))
        return (owner.tenant,) if owner else ()

    def connectors_pinning(self, leaf: CertificateFacts, near: Sequence[str]) -> Sequence[InboundConnector]:
        found: list[InboundConnector] = []
        for pin in (leaf.sha256, leaf.public_key_sha256):
            pinning = self._pinning.get(pin, ())
            found += self._concerning(pinning, (*near, *(proof.tenant for proof in self.proofs_of(pin))))
            found += _others(pinning)
        return _once(found)

    def connectors_listing(self, address: Address, near: Sequence[str]) -> Sequence[InboundConnector]:
        found: list[InboundConnector] = []
        near = [*near, *self._everybody]
        for network, connectors in self._listing.items():
            if address in network:
                found += [*self._concerning(connectors, near), *_others(connectors)]
        return _once(found)

    @staticmethod
    def _concerning(connectors: Sequence[InboundConnector], tenants: Sequence[str]) -> list[InboundConnector]:
        """Of each of the tenants, the enabled ones first."""
        found: list[InboundConnector] = []
        for tenant in dict.fromkeys(tenants):
            theirs = (each for each in connectors if each.tenant == tenant)
            found += sorted(theirs, key=lambda each: not each.enabled)[:MOST_OF_A_TENANT]
        return found

    def bystanders(self, names: Sequence[str]) -> Sequence[InboundConnector]:
        patterns = [pattern for name in names for pattern in covering_patterns(name)]
        return _once([each for pattern in patterns for each in self._naming.get(pattern, ())])[:MOST_OF_OTHERS]

    def tenants_pinning(self, leaf: CertificateFacts) -> Sequence[str]:
        pinning = [*self._pinning.get(leaf.sha256, ()), *self._pinning.get(leaf.public_key_sha256, ())]
        return self._verified_tenants(pinning)

    def tenants_listing(self, address: Address, *, enabled: bool = False) -> Sequence[str]:
        listing = [c for network in self._listing if address in network for c in self._listing[network]]
        return self._verified_tenants([each for each in listing if each.enabled or not enabled])

    def _verified_tenants(self, connectors: Sequence[InboundConnector]) -> Sequence[str]:
        tenants = sorted({each.tenant for each in connectors if self.has_verified_domain(each.tenant)})
        return tuple(tenants[:MOST_CLAIMANTS])

    def proofs_of(self, pin: str) -> Sequence[Proof]:
        return tuple(proof for proof in self._proofs if pin in proof.pins)

    def has_verified_domain(self, tenant: str) -> bool:
        return any(each.tenant == tenant for each in self._owners.values())

    def claimants(self, domain: str) -> Sequence[AcceptedDomain]:
        claims = (each for each in self._claims.values() if each.domain == domain and not each.verified)
        return tuple(sorted(claims, key=lambda each: each.tenant))[:MOST_CLAIMANTS]

    def accepted_domain(self, domain: str, tenant: str) -> AcceptedDomain | None:
        return self._claims.get((domain, tenant))

    def nearest_owner(self, domain: str) -> AcceptedDomain | None:
        return next((found for each in (domain, *parents(domain)) if (found := self._owners.get(each))), None)

    def covering_domain(self, domain: str) -> AcceptedDomain | None:
        nearest = self.nearest_owner(domain)
        return nearest if nearest and (nearest.domain == domain or nearest.match_subdomains) else None

    def verified_below(self, tenant: str, domain: str) -> AcceptedDomain | None:
        below = (each for each in self._owners.values() if each.tenant == tenant)
        return next((each for each in below if is_below(each.domain, domain)), None)

    def partner_connectors(self, tenant: str) -> Sequence[InboundConnector]:
        of_tenant = self._of_tenant.get(tenant, ())
        return tuple(each for each in of_tenant if each.type is ConnectorType.PARTNER and each.enabled)

    def connectors_of(self, tenant: str) -> Sequence[InboundConnector]:
        return tuple(self._of_tenant.get(tenant, ())[:MOST])

    def send_connectors(self, tenant: str | None, domain: str) -> Sequence[SendConnector]:
        return tuple(
            each
            for each in self._send
            if each.tenant in (None, tenant)
            and any(pattern_covers(space.space, domain) for space in each.address_spaces)
        )
