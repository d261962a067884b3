"""One tenant of Exchange Online, as its exports tell: a directory that attribution can ask.

What flows: Get-InboundConnector and Get-AcceptedDomain, in whatever form they were exported, become connectors and
domains; what an export lost or left out becomes a sentence in `not_known`. Laws: an export is one tenant, so what is
not in it is not known rather than not there; without accepted domains there is no directory, for every name would look
unowned.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network, ip_address, ip_network
from typing import Final

from gatepost.doctor import evidence as seen
from gatepost.doctor.evidence import EvidenceBundle
from gatepost.errors import GatepostError
from gatepost.mail.domain import DomainError, domain_key, is_below, parents
from gatepost.tenancy.evidence import Address, CertificateFacts
from gatepost.tenancy.names import certificate_name_key, pattern_covers, without_wildcard
from gatepost.tenancy.proof import Proof
from gatepost.tenancy.tenant import (
    AcceptedDomain,
    ConnectorType,
    InboundConnector,
    Network,
    SendConnector,
    Tenant,
)

_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INITIAL = ".onmicrosoft.com"


class NotEnoughExported(GatepostError):
    """Nothing can be said from this; the message is the line for the administrator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedTenant:
    name: str
    directory: "ExportedDirectory"
    not_known: tuple[str, ...]
    """What the export does not tell, a sentence each."""
    associated_domains: frozenset[str]
    """Names of the connectors that AssociatedAcceptedDomains limits."""


def exported_tenant(bundle: EvidenceBundle) -> ExportedTenant:
    """Raises `NotEnoughExported`."""
    keys = {key: each.match_subdomains is True for each in bundle.accepted_domains if (key := _key(each.domain))}
    if not keys:
        raise NotEnoughExported(
            "no accepted domains among the exports: without them every name looks unowned; add "
            "Get-AcceptedDomain | ConvertTo-Json > accepted-domains.json"
        )
    listed_empty = any("inboundconnector" in each.command.casefold() for each in bundle.cmdlets_empty)
    if not bundle.inbound_connectors and not listed_empty:
        raise NotEnoughExported(
            "no inbound connectors among the exports; add Get-InboundConnector | ConvertTo-Json > connectors.json"
        )
    name = _name_of(bundle, keys)
    domains = [
        AcceptedDomain(domain=key, tenant=name, token="", verified=True, match_subdomains=below)
        for key, below in keys.items()
    ]
    latest = {each.name.casefold(): each for each in bundle.inbound_connectors}
    connectors = [connector_of(each, name, each.name) for each in latest.values()]
    rejects = any(each.flag("RejectDirectSend") for each in bundle.transport_services)
    return ExportedTenant(
        name=name,
        directory=ExportedDirectory(
            Tenant(name=name, created_at=_BEGINNING, reject_direct_send=rejects), domains, connectors
        ),
        not_known=tuple(sentence for each in latest.values() for sentence in _lost(each)),
        associated_domains=frozenset(each.name for each in latest.values() if each.values("AssociatedAcceptedDomains")),
    )


def _name_of(bundle: EvidenceBundle, keys: Iterable[str]) -> str:
    """What to call it: its initial domain's label, else its default domain, else one of its domains."""
    initial = (key.removesuffix(_INITIAL) for key in keys if _is_initial(key))
    default = (key for each in bundle.accepted_domains if each.flag("Default") and (key := _key(each.domain)))
    return next(initial, None) or next(default, None) or next(iter(keys))


def _is_initial(key: str) -> bool:
    return key.endswith(_INITIAL) and ".mail." not in key and "." not in key.removesuffix(_INITIAL)


def _key(domain: str) -> str | None:
    try:
        return domain_key(domain)
    except DomainError:
        return None


def connector_of(exported: seen.InboundConnector, tenant: str, called: str) -> InboundConnector:
    """An exported connector as attribution knows it; `called` is the name that the verdict says."""
    name = certificate_name_key(exported.certificate_name.strip())
    return InboundConnector(
        tenant=tenant,
        name=called,
        type=ConnectorType.PARTNER if exported.connector_type == "partner" else ConnectorType.ON_PREMISES,
        certificate_names=(name,) if name else (),
        addresses=tuple(network for each in exported.addresses if (network := _network(each))),
        sender_domains=tuple(_sender_domains(exported.values("SenderDomains"))),
        require_tls=exported.flag("RequireTls") is True,
        restrict_to_certificate=exported.flag("RestrictDomainsToCertificate") is True,
        restrict_to_address=exported.flag("RestrictDomainsToIPAddresses") is True,
        enabled=exported.enabled is not False,
    )


def _network(text: str) -> Network | None:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def _sender_domains(values: Sequence[str]) -> Iterator[str]:
    """`smtp:*;1` is how they are shown; the cost has no meaning here."""
    for value in values:
        pattern = value.strip().casefold().removeprefix("smtp:").partition(";")[0]
        if pattern == "*":
            yield pattern
        elif key := certificate_name_key(pattern):
            yield key


def _lost(exported: seen.InboundConnector) -> Iterator[str]:
    """What of a connector cannot be used, or is not told."""
    name = exported.name
    if not exported.connector_type:
        yield f"ConnectorType of '{name}' is not in the export; it was taken for OnPremises."
    if exported.enabled is None:
        yield f"Enabled of '{name}' is not in the export; it was taken for enabled."
    if exported.truncated("SenderIPAddresses"):
        yield f"SenderIPAddresses of '{name}' is cut off in the export; export it with ConvertTo-Json or Export-Clixml."
    if exported.has("TlsSenderCertificateName") and exported.certificate_name:
        if not certificate_name_key(exported.certificate_name.strip()):
            yield f"TlsSenderCertificateName of '{name}' is no domain name: {exported.certificate_name}"
    elif not exported.has("TlsSenderCertificateName"):
        yield f"TlsSenderCertificateName of '{name}' is not in the export."
    for each in exported.addresses:
        network = _network(each)
        if network is None:
            yield f"SenderIPAddresses of '{name}' holds what is no address: {each}"
        elif not isinstance(network, IPv4Network):
            yield f"SenderIPAddresses of '{name}' lists {each}, which Exchange Online cannot hold: it takes IPv4 only."


class ExportedDirectory:
    """`gatepost.tenancy.directory.Directory` over the objects of one tenant."""

    version = 0

    def __init__(
        self, tenant: Tenant, domains: Sequence[AcceptedDomain], connectors: Sequence[InboundConnector]
    ) -> None:
        self._tenant = tenant
        self._domains = {each.domain: each for each in domains}
        self._connectors = tuple(sorted(connectors, key=lambda each: each.name))

    def tenant(self, name: str) -> Tenant | None:
        return self._tenant if name == self._tenant.name else None

    def connectors_naming(self, names: Sequence[str], near: Sequence[str] = ()) -> Sequence[InboundConnector]:
        return tuple(each for each in self._connectors if any(_may_answer(each, name) for name in names))

    def connectors_pinning(self, leaf: CertificateFacts, near: Sequence[str] = ()) -> Sequence[InboundConnector]:
        """Exchange Online has no pins."""
        return ()

    def connectors_listing(self, address: Address, near: Sequence[str] = ()) -> Sequence[InboundConnector]:
        return tuple(each for each in self._connectors if any(address in network for network in each.addresses))

    def accepted_domain(self, domain: str, tenant: str) -> AcceptedDomain | None:
        return self._domains.get(domain) if tenant == self._tenant.name else None

    def bystanders(self, names: Sequence[str]) -> Sequence[InboundConnector]:
        """Every connector is looked at anyway."""
        return ()

    def tenants_pinning(self, leaf: CertificateFacts) -> Sequence[str]:
        return ()

    def tenants_listing(self, address: Address, *, enabled: bool = False) -> Sequence[str]:
        return (self._tenant.name,) if self.connectors_listing(address) else ()

    def proofs_of(self, pin: str) -> Sequence[Proof]:
        return ()

    def has_verified_domain(self, tenant: str) -> bool:
        return bool(self._domains)

    def claimants(self, domain: str) -> Sequence[AcceptedDomain]:
        """What is not verified is not in an export."""
        return ()

    def nearest_owner(self, domain: str) -> AcceptedDomain | None:
        return next((found for each in (domain, *parents(domain)) if (found := self._domains.get(each))), None)

    def covering_domain(self, domain: str) -> AcceptedDomain | None:
        nearest = self.nearest_owner(domain)
        return nearest if nearest and (nearest.domain == domain or nearest.match_subdomains) else None

    def verified_below(self, tenant: str, domain: str) -> AcceptedDomain | None:
        return next((each for each in self._domains.values() if is_below(each.domain, domain)), None)

    def partner_connectors(self, tenant: str) -> Sequence[InboundConnector]:
        return tuple(each for each in self._connectors if each.type is ConnectorType.PARTNER and each.enabled)

    def connectors_of(self, tenant: str) -> Sequence[InboundConnector]:
        return self._connectors

    def send_connectors(self, tenant: str | None, domain: str) -> Sequence[SendConnector]:
        """None are needed: Exchange Online takes mail for its mailboxes without a route of ours."""
        return ()


def _may_answer(connector: InboundConnector, presented: str) -> bool:
    """The name covers what was presented; or it is a host below a wildcard that was, so that the reason can be told."""
    base = without_wildcard(presented)
    return any(
        pattern_covers(pattern, base) or (base is not presented and pattern.partition(".")[2] == base)
        for pattern in connector.certificate_names
    )


# --- the session that a log tells of ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldSession:
    """How a sending server appears, by its own log."""

    address: Address | None
    certificate: CertificateFacts | None
    sources: tuple[str, ...]


def told_session(bundle: EvidenceBundle) -> ToldSession | None:
    """None where no log was handed in. Raises `NotEnoughExported` where sessions differ: then one must be chosen."""
    outgoing = [each for each in bundle.sessions if each.log in ("send", "postfix", "transcript")]
    addresses = {each.hello_address: str(each.source) for each in outgoing if each.hello_address}
    sent = {
        each.sent_certificate.thumbprint: each.sent_certificate
        for each in outgoing
        if each.sent_certificate is not None
    }
    if len(addresses) > 1:
        raise NotEnoughExported(
            f"the logs show sessions from {', '.join(sorted(addresses))}: choose one with --address"
        )
    if len(sent) > 1:
        raise NotEnoughExported("the logs show several certificates: choose one with --certificate PEM")
    if not addresses and not sent:
        return None
    certificate = next(iter(sent.values()), None)
    sources = [*addresses.values(), *([str(certificate.source)] if certificate else [])]
    return ToldSession(
        address=_address(next(iter(addresses), "")),
        certificate=facts_of(certificate) if certificate else None,
        sources=tuple(dict.fromkeys(sources)),
    )


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def facts_of(told: seen.CertificateSeen) -> CertificateFacts:
    """What is told of a certificate, as attribution reads it."""
    common = told.subject.common_name if told.subject else ""
    return CertificateFacts(
        der=b"",
        sha256=told.sha256.lower(),
        public_key_sha256="",
        subject=told.subject.text if told.subject else "",
        issuer=told.issuer.text if told.issuer else "",
        serial=told.serial.lower(),
        not_before=_time(told.not_before),
        not_after=_time(told.not_after),
        common_names=(common,) if common else (),
        dns_names=told.names,
        purposes=told.purposes,
        key="",
        signature_algorithm=told.signature_algorithm,
    )


def _time(moment: seen.Moment | None) -> datetime | None:
    return datetime.fromtimestamp(moment.at, UTC) if moment is not None and moment.at is not None else None
