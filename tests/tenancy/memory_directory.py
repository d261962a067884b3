"""A directory in memory, for tests of whatever asks a directory. Built whole; a changed one is a new one."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from gatepost.mail.domain import is_below, parents
from gatepost.tenancy.evidence import Address, CertificateFacts
from gatepost.tenancy.names import WILDCARD, pattern_covers, without_wildcard
from gatepost.tenancy.tenant import AcceptedDomain, ConnectorType, InboundConnector, SendConnector, Tenant

MOST = 50


class MemoryDirectory:
    """`gatepost.tenancy.directory.Directory` over plain dictionaries."""

    def __init__(
        self,
        tenants: Iterable[Tenant] = (),
        domains: Iterable[AcceptedDomain] = (),
        inbound_connectors: Iterable[InboundConnector] = (),
        send_connectors: Iterable[SendConnector] = (),
        version: int = 1,
    ) -> None:
        self.version = version
        self._tenants = {tenant.name: tenant for tenant in tenants}
        self._claims = {(domain.domain, domain.tenant): domain for domain in domains}
        self._owners = {domain.domain: domain for domain in self._claims.values() if domain.verified}
        self._inbound = list(inbound_connectors)
        self._send = [connector for connector in send_connectors if connector.enabled]
        self._naming = defaultdict(list)
        self._pinning = defaultdict(list)
        self._listing = defaultdict(list)
        self._hosts_below = defaultdict(list)
        self._of_tenant = defaultdict(list)
        for connector in sorted(self._inbound, key=lambda connector: connector.name):
            self._of_tenant[connector.tenant].append(connector)
        for connector in self._inbound:
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

    def connectors_naming(self, names: Sequence[str]) -> Sequence[InboundConnector]:
        found = {}
        for name in names:
            base = without_wildcard(name)
            keys = [name, WILDCARD + base, *(WILDCARD + parent for parent in parents(base))]
            for key in keys:
                for connector in self._naming.get(key, ()):
                    found[connector.label] = connector
            if base is not name:
                for connector in self._hosts_below.get(base, ())[:MOST]:
                    found[connector.label] = connector
        return tuple(found.values())

    def connectors_pinning(self, leaf: CertificateFacts) -> Sequence[InboundConnector]:
        pinning = [*self._pinning.get(leaf.sha256, ()), *self._pinning.get(leaf.public_key_sha256, ())]
        return tuple({connector.label: connector for connector in pinning}.values())

    def connectors_listing(self, address: Address) -> Sequence[InboundConnector]:
        found = {
            connector.label: connector
            for network, connectors in self._listing.items()
            if address in network
            for connector in connectors
        }
        return tuple(found.values())

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
