"""The few connectors and domains that could matter to a session, looked up in the directory.

`gather` collects facts and `attribute` judges them: nothing here depends on a rule set. Laws: look-ups only, so that
the cost does not depend on how many tenants there are; a tenant's own trust anchors are consulted for that tenant's
connector alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from gatepost.mail.address import Mailbox
from gatepost.tenancy.directory import Directory
from gatepost.tenancy.evidence import (
    Address,
    CertificateFacts,
    ClientCertificate,
    Evidence,
    PresentedCertificate,
    VerifiedCertificate,
)
from gatepost.tenancy.names import (
    WILDCARD,
    MatchKind,
    NameMatch,
    name_matches,
    pattern_covers,
    presented_names,
    without_wildcard,
)
from gatepost.tenancy.ownership import NameOwnership, ownership
from gatepost.tenancy.tenant import AcceptedDomain, ConnectorType, InboundConnector, Network


class ChainJudge(Protocol):
    """Judges a chain against `trust_anchors` (PEM) in place of the listener's roots."""

    def __call__(
        self, chain: tuple[CertificateFacts, ...], trust_anchors: tuple[str, ...], at: datetime
    ) -> ClientCertificate: ...


class NameClaim(NamedTuple):
    """A connector name that answers to the certificate, and who owns it."""

    match: NameMatch
    ownership: NameOwnership
    presented_owner: AcceptedDomain | None
    """Of a wildcard match: the nearest verified owner of the name that was presented."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A connector that has something to do with what was presented."""

    connector: InboundConnector
    certificate: ClientCertificate | None = None
    """As judged for this connector, where the connector names or pins what was presented."""
    names: tuple[NameClaim, ...] = ()
    """Never of a certificate that did not verify."""
    pin: str | None = None
    """The pin that the certificate satisfies; a pin is the key itself, so it needs no verification."""
    pin_named_by: AcceptedDomain | None = None
    """Of a proven pin: the verified domain of another tenant that a verified name of the certificate is in."""
    network: Network | None = None
    """The narrowest of its networks that contains the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    directory_version: int
    connectors: tuple[Candidate, ...]
    """On-premises connectors, enabled or not, that name, pin or list what was presented; by tenant and name."""
    sender: AcceptedDomain | None
    """The verified domain that owns the reverse-path."""
    sender_claims: tuple[AcceptedDomain, ...]
    """The unproven claims to a reverse-path's domain that nobody owns, of the tenants of `connectors`. What others
    claimed is not looked at: it changes nothing that anybody is told."""
    recipient: AcceptedDomain | None
    """The verified domain that owns the last forward-path."""
    recipient_has_route: bool
    rejects_direct_send: bool
    """The recipient's tenant does."""
    partners: tuple[Candidate, ...]
    """Enabled partner connectors of the recipient's tenant, by name."""
    silent: tuple[InboundConnector, ...]
    """The on-premises connectors of the reverse-path's owner, where none of them is among `connectors`."""


def gather(directory: Directory, evidence: Evidence, judge: ChainJudge, at: datetime) -> Candidates:
    sender_domain = _domain(evidence.reverse_path)
    recipient_domain = _domain(evidence.forward_paths[-1])
    sender = directory.covering_domain(sender_domain) if sender_domain else None
    recipient = directory.covering_domain(recipient_domain) if recipient_domain else None
    connectors = _connectors(directory, evidence, judge, at)
    return Candidates(
        directory_version=directory.version,
        connectors=connectors,
        sender=sender,
        sender_claims=_claims(directory, sender_domain, connectors) if sender_domain and not sender else (),
        recipient=recipient,
        recipient_has_route=has_route(directory, recipient.tenant, recipient_domain) if recipient else False,
        rejects_direct_send=_rejects_direct_send(directory, recipient.tenant) if recipient else False,
        partners=_partners(directory, recipient.tenant, evidence, judge, at) if recipient else (),
        silent=_silent(directory, sender.tenant, connectors) if sender else (),
    )


def has_route(directory: Directory, tenant: str, domain: str) -> bool:
    """Whether mail for the tenant's own `domain` has somewhere to go: a send connector of the tenant, or a server-wide
    one for that domain. The bare `*` of a server leads to the domain's MX, which may well be this relay."""
    return any(
        connector.tenant == tenant
        or any(each.space != "*" and pattern_covers(each.space, domain) for each in connector.address_spaces)
        for connector in directory.send_connectors(tenant, domain)
    )


def _domain(path: object) -> str:
    """The domain of a path; empty for the null reverse-path and for address literals, which nobody can own."""
    return path.domain if isinstance(path, Mailbox) and not path.domain.startswith("[") else ""


def _claims(directory: Directory, domain: str, connectors: tuple[Candidate, ...]) -> tuple[AcceptedDomain, ...]:
    tenants = dict.fromkeys(candidate.connector.tenant for candidate in connectors)
    claims = (directory.accepted_domain(domain, tenant) for tenant in tenants)
    return tuple(claim for claim in claims if claim and not claim.verified)


def _rejects_direct_send(directory: Directory, name: str) -> bool:
    tenant = directory.tenant(name)
    return bool(tenant and tenant.reject_direct_send)


def _connectors(directory: Directory, evidence: Evidence, judge: ChainJudge, at: datetime) -> tuple[Candidate, ...]:
    certificate = evidence.certificate
    address = unmapped(evidence.address)
    found = {_key(connector): connector for connector in directory.connectors_listing(address)}
    concerned: set[tuple[str, str]] = set()
    if certificate:
        for connector in _concerned(directory, certificate.leaf):
            found[_key(connector)] = connector
            concerned.add(_key(connector))
    return tuple(
        _candidate(directory, connector, certificate if key in concerned else None, address, judge, at)
        for key, connector in sorted(found.items(), key=lambda item: item[0])
        if connector.type is ConnectorType.ON_PREMISES
    )


def _concerned(directory: Directory, leaf: CertificateFacts) -> Iterable[InboundConnector]:
    """The connectors that name or pin this certificate."""
    if names := presented_names(leaf):
        yield from directory.connectors_naming([name.key for name in names])
    yield from directory.connectors_pinning(leaf)


def _candidate(
    directory: Directory,
    connector: InboundConnector,
    certificate: ClientCertificate | None,
    address: Address,
    judge: ChainJudge,
    at: datetime,
) -> Candidate:
    judged = _judged_for(connector, certificate, judge, at)
    pin = _pin(connector, judged.leaf) if judged else None
    return Candidate(
        connector=connector,
        certificate=judged,
        names=_name_claims(directory, connector, judged) if isinstance(judged, VerifiedCertificate) else (),
        pin=pin,
        pin_named_by=_named_by(directory, connector.tenant, judged) if pin in connector.proven_pins else None,
        network=_narrowest(connector, address),
    )


def _judged_for(
    connector: InboundConnector, certificate: ClientCertificate | None, judge: ChainJudge, at: datetime
) -> ClientCertificate | None:
    if isinstance(certificate, PresentedCertificate) and connector.trust_anchors:
        return judge(certificate.chain, connector.trust_anchors, at)
    return certificate


def _name_claims(
    directory: Directory, connector: InboundConnector, certificate: VerifiedCertificate
) -> tuple[NameClaim, ...]:
    return tuple(
        NameClaim(match, ownership(directory, match.pattern, connector.tenant), _presented_owner(directory, match))
        for match in name_matches(certificate, connector.certificate_names)
    )


def _presented_owner(directory: Directory, match: NameMatch) -> AcceptedDomain | None:
    if match.kind is MatchKind.WILDCARD and match.pattern.startswith(WILDCARD):
        return directory.nearest_owner(without_wildcard(match.presented))
    return None


def _pin(connector: InboundConnector, leaf: CertificateFacts) -> str | None:
    """Of the certificate's and the key's, a proven pin before one that is not."""
    satisfied = []
    if leaf.sha256 in connector.certificate_sha256:
        satisfied.append(leaf.sha256)
    if leaf.public_key_sha256 and leaf.public_key_sha256 in connector.public_key_sha256:
        satisfied.append(leaf.public_key_sha256)
    return max(satisfied, key=lambda pin: pin in connector.proven_pins, default=None)


def _named_by(directory: Directory, tenant: str, judged: ClientCertificate | None) -> AcceptedDomain | None:
    if not isinstance(judged, VerifiedCertificate):
        return None
    owners = (directory.nearest_owner(without_wildcard(name.key)) for name in presented_names(judged.leaf))
    return next((owner for owner in owners if owner and owner.tenant != tenant), None)


def _narrowest(connector: InboundConnector, address: Address) -> Network | None:
    containing = [network for network in connector.addresses if address in network]
    return max(containing, key=lambda network: network.prefixlen, default=None)


def _partners(
    directory: Directory, tenant: str, evidence: Evidence, judge: ChainJudge, at: datetime
) -> tuple[Candidate, ...]:
    address = unmapped(evidence.address)
    partners = sorted(directory.partner_connectors(tenant), key=lambda connector: connector.name)
    return tuple(_candidate(directory, connector, evidence.certificate, address, judge, at) for connector in partners)


def _silent(directory: Directory, tenant: str, connectors: tuple[Candidate, ...]) -> tuple[InboundConnector, ...]:
    if any(candidate.connector.tenant == tenant for candidate in connectors):
        return ()
    return tuple(
        connector for connector in directory.connectors_of(tenant) if connector.type is ConnectorType.ON_PREMISES
    )


def unmapped(address: Address) -> Address:
    """IPv4 as IPv4, also where it came in over an IPv6 socket (RFC 4291 2.5.5.2)."""
    return (address.ipv4_mapped or address) if address.version == 6 else address


def _key(connector: InboundConnector) -> tuple[str, str]:
    return connector.tenant, connector.name
