"""One tenant of Exchange Online, as its exports tell: a directory that attribution can ask.

What flows: Get-InboundConnector and Get-AcceptedDomain, in whatever form they were exported, become connectors and
domains; what an export lost or left out becomes a sentence in `not_known`. Laws: an export is one tenant, so what is
not in it is not known rather than not there; without accepted domains there is no directory, for every name would look
unowned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gatepost.errors import GatepostError
from gatepost.exchange.objects import Exports
from gatepost.exchange.translate import connector_of, not_told
from gatepost.mail.domain import DomainError, domain_key, is_below, parents
from gatepost.tenancy.evidence import (
    Address,
    CertificateFacts,
    ClientCertificate,
    PresentedCertificate,
    VerificationError,
    VerifiedCertificate,
)
from gatepost.tenancy.names import PresentedName, answering
from gatepost.tenancy.proof import Proof
from gatepost.tenancy.tenant import (
    AcceptedDomain,
    ConnectorType,
    InboundConnector,
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


def exported_tenant(exports: Exports) -> ExportedTenant:
    """Raises `NotEnoughExported`."""
    if not accepted_domains(exports, ""):
        raise NotEnoughExported(
            "no accepted domains among the exports: without them every name looks unowned; add "
            "Get-AcceptedDomain | ConvertTo-Json > accepted-domains.json"
        )
    if not exports.inbound_connectors and not exports.lists_no("InboundConnector"):
        raise NotEnoughExported(
            "no inbound connectors among the exports; add Get-InboundConnector | ConvertTo-Json > connectors.json"
        )
    name = _name_of(exports)
    domains = accepted_domains(exports, name)
    latest = {each.name.casefold(): each for each in exports.inbound_connectors}
    connectors = [connector_of(each, name, each.name) for each in latest.values()]
    rejects = any(each.flag("RejectDirectSend") for each in exports.transport_services)
    return ExportedTenant(
        name=name,
        directory=ExportedDirectory(
            Tenant(name=name, created_at=_BEGINNING, reject_direct_send=rejects), domains, connectors
        ),
        not_known=tuple(sentence for each in latest.values() for sentence in not_told(each)),
        associated_domains=frozenset(each.name for each in latest.values() if each.values("AssociatedAcceptedDomains")),
    )


def accepted_domains(exports: Exports, tenant: str) -> tuple[AcceptedDomain, ...]:
    """As attribution knows them; what is no domain name is left out, and of two of one name the last counts."""
    below = {key: each.match_subdomains is True for each in exports.accepted_domains if (key := _key(each.domain))}
    return tuple(
        AcceptedDomain(domain=key, tenant=tenant, token="", verified=True, match_subdomains=match)
        for key, match in below.items()
    )


def judge_as_told(
    chain: tuple[CertificateFacts, ...], trust_anchors: tuple[str, ...], at: datetime, tenant: str = ""
) -> ClientCertificate:
    """For a certificate that a log tells of, whose chain nobody can verify: taken as trusted, unless the log itself
    shows why not."""
    leaf = chain[0]
    error = None
    if leaf.not_after is not None and leaf.not_after < at:
        error = VerificationError(code=10, depth=0, text="certificate has expired")
    elif leaf.issuer and leaf.issuer == leaf.subject:
        error = VerificationError(code=18, depth=0, text="self-signed certificate")
    if error:
        return PresentedCertificate(leaf=leaf, chain=chain, errors=(error,))
    return VerifiedCertificate(leaf=leaf, chain=chain, anchor="")


def _name_of(exports: Exports) -> str:
    """What to call it: its initial domain's label, else its default domain, else one of its domains."""
    keys = [key for each in exports.accepted_domains if (key := _key(each.domain))]
    initial = (key.removesuffix(_INITIAL) for key in keys if _is_initial(key))
    default = (key for each in exports.accepted_domains if each.flag("Default") and (key := _key(each.domain)))
    return next(initial, None) or next(default, None) or keys[0]


def _is_initial(key: str) -> bool:
    return key.endswith(_INITIAL) and ".mail." not in key and "." not in key.removesuffix(_INITIAL)


def _key(domain: str) -> str | None:
    try:
        return domain_key(domain)
    except DomainError:
        return None


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
        asked = answering(tuple(map(PresentedName, names)))
        return tuple(each for each in self._connectors if asked.of(each.certificate_names))

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
