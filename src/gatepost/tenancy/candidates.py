"""The few connectors and domains that could matter to a session, looked up in the directory.

`gather` collects facts and `attribute` judges them: nothing here depends on a rule set. Laws: look-ups only, so that
the cost does not depend on how many tenants there are, and what is looked at is bounded, so that it does not depend on
what they stored either; those whom the session concerns come first, in turns of a few connectors each, so that nobody
crowds another out: the owners of the names presented, the tenants of the reverse-path and of the recipient, and last
those that have only added the reverse-path's domain. A tenant's own trust anchors are consulted for that tenant's
connector alone, and only where the name is the tenant's.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from gatepost.mail.address import Mailbox
from gatepost.mail.domain import pattern_covers
from gatepost.tenancy.directory import Directory
from gatepost.tenancy.evidence import (
    Address,
    CertificateFacts,
    ClientCertificate,
    Evidence,
    VerifiedCertificate,
)
from gatepost.tenancy.names import (
    WILDCARD,
    MatchKind,
    NameMatch,
    PresentedName,
    answering,
    name_matches,
    presented_names,
    without_wildcard,
)
from gatepost.tenancy.ownership import NameOwnership, ownership
from gatepost.tenancy.proof import Proof, holder
from gatepost.tenancy.tenant import AcceptedDomain, ConnectorType, InboundConnector, Network

MOST_CANDIDATES: Final = 100
"""Connectors that one verdict looks at."""
MOST_JUDGEMENTS: Final = 16
"""Sets of trust anchors that one verdict judges a chain by, once for the sender's side and once for the recipient's."""
_MOST_NAMES_OF_A_CONNECTOR: Final = 32
_IN_A_ROUND: Final = 10
"""Connectors of one tenant that are looked at before the next tenant's turn."""


class ChainJudge(Protocol):
    """Judges a chain against `trust_anchors` (PEM) in place of the listener's roots."""

    def __call__(
        self, chain: tuple[CertificateFacts, ...], trust_anchors: tuple[str, ...], at: datetime, tenant: str = ""
    ) -> ClientCertificate:
        """`tenant`: whose anchors they are; what chains to them show is remembered for that tenant alone."""


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
    proof: Proof | None = None
    """Of the pin: that the connector's tenant has proven it, before any other."""
    pin_named_by: AcceptedDomain | None = None
    """Of a proven pin: the verified domain of another tenant that a verified name of the certificate is in."""
    network: Network | None = None
    """The narrowest of its networks that contains the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    directory_version: int
    connectors: tuple[Candidate, ...]
    """On-premises connectors that name, pin or list what was presented; by tenant and name. Disabled ones are only
    among them where they are the reverse-path's or the recipient's tenant's, or that of the name's owner."""
    name_owners: frozenset[str]
    """The tenants in whose verified domains a name of the certificate is, whether or not it verified."""
    sender: AcceptedDomain | None
    """The verified domain that owns the reverse-path."""
    sender_claims: tuple[AcceptedDomain, ...]
    """The unproven claims to a reverse-path's domain that nobody owns, of the tenants of `connectors`, as far as no
    domain that another has verified contradicts them. What else was claimed changes nothing that anybody is told."""
    recipient: AcceptedDomain | None
    """The verified domain that owns the last forward-path."""
    recipient_has_route: bool
    rejects_direct_send: bool
    """The recipient's tenant does."""
    partners: tuple[Candidate, ...]
    """Enabled partner connectors of the recipient's tenant, by name."""
    silent: tuple[InboundConnector, ...]
    """The on-premises connectors of the reverse-path's owner, or where nobody owns that, of the tenant that alone owns
    names of the certificate; none where one of them is among `connectors`."""


def gather(directory: Directory, evidence: Evidence, judge: ChainJudge, at: datetime) -> Candidates:
    sender_domain = _domain(evidence.reverse_path)
    recipient_domain = _domain(evidence.forward_paths[-1])
    sender = directory.covering_domain(sender_domain) if sender_domain else None
    recipient = directory.covering_domain(recipient_domain) if recipient_domain else None
    name_owners = _name_owners(directory, evidence.certificate)
    claims = _claims(directory, sender_domain, name_owners) if sender_domain and not sender else ()
    # The tenants whose connectors could decide about the paths. A claim that is not proven words a reason, no more.
    near = tuple(dict.fromkeys(owner.tenant for owner in (sender, recipient, *claims) if owner))
    connectors = _connectors(directory, evidence, name_owners, near, judge, at)
    return Candidates(
        directory_version=directory.version,
        connectors=connectors,
        name_owners=name_owners,
        sender=sender,
        sender_claims=_claims_of(connectors, claims),
        recipient=recipient,
        recipient_has_route=has_route(directory, recipient.tenant, recipient_domain) if recipient else False,
        rejects_direct_send=_rejects_direct_send(directory, recipient.tenant) if recipient else False,
        partners=_partners(directory, recipient.tenant, evidence, judge, at) if recipient else (),
        silent=_silent(directory, sender, name_owners, connectors),
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


def _claims(directory: Directory, domain: str, name_owners: frozenset[str]) -> Sequence[AcceptedDomain]:
    """The unproven claims to `domain` that may word a reason. Anybody may claim anything: below a verified domain its
    owner is heard alone, and with a certificate whose names have owners, those."""
    above = directory.nearest_owner(domain)
    return tuple(
        claim
        for claim in directory.claimants(domain)
        if (above is None or claim.tenant == above.tenant) and (not name_owners or claim.tenant in name_owners)
    )


def _claims_of(connectors: tuple[Candidate, ...], claims: Sequence[AcceptedDomain]) -> tuple[AcceptedDomain, ...]:
    tenants = {candidate.connector.tenant for candidate in connectors}
    return tuple(claim for claim in claims if claim.tenant in tenants)


def _rejects_direct_send(directory: Directory, name: str) -> bool:
    tenant = directory.tenant(name)
    return bool(tenant and tenant.reject_direct_send)


def _name_owners(directory: Directory, certificate: ClientCertificate | None) -> frozenset[str]:
    names = presented_names(certificate.leaf) if certificate else ()
    owners = (directory.nearest_owner(without_wildcard(name.key)) for name in names if not name.beside_san)
    return frozenset(owner.tenant for owner in owners if owner)


def _connectors(
    directory: Directory,
    evidence: Evidence,
    name_owners: frozenset[str],
    near: tuple[str, ...],
    judge: ChainJudge,
    at: datetime,
) -> tuple[Candidate, ...]:
    certificate = evidence.certificate
    address = unmapped(evidence.address)
    found: dict[tuple[str, str], InboundConnector] = {}
    concerned: set[tuple[str, str]] = set()
    if certificate:
        for connector in _concerned(directory, certificate.leaf, near):
            found[_key(connector)] = connector
            concerned.add(_key(connector))
    found |= {_key(connector): connector for connector in directory.connectors_listing(address, near)}
    judging = _Judging(directory, certificate, judge, at)
    holders = (*sorted(name_owners), *_provers(directory, certificate.leaf)) if certificate else ()
    turns = {tenant: turn for turn, tenant in enumerate(dict.fromkeys((*holders, *near)))}

    def importance(key: tuple[str, str]) -> tuple[int, bool, bool, tuple[str, str]]:
        return turns.get(key[0], len(turns)), key not in concerned, not found[key].enabled, key

    ranked = sorted((key for key in found if found[key].type is ConnectorType.ON_PREMISES), key=importance)
    candidates = {
        key: judging.candidate(found[key], address, concerned=key in concerned)
        for key in _in_rounds(ranked, turns)[:MOST_CANDIDATES]
    }
    return tuple(candidates[key] for key in sorted(candidates))


def _in_rounds(ranked: Sequence[tuple[str, str]], turns: Mapping[str, int]) -> list[tuple[str, str]]:
    """Some connectors of each tenant that has a turn, then some more of each, then everybody else's."""
    seen: Counter[str] = Counter()
    rounds = {}
    for key in ranked:
        rounds[key] = (key[0] not in turns, seen[key[0]] // _IN_A_ROUND)
        seen[key[0]] += 1
    return sorted(ranked, key=rounds.__getitem__)


def _provers(directory: Directory, leaf: CertificateFacts) -> Iterator[str]:
    for pin in filter(None, (leaf.sha256, leaf.public_key_sha256)):
        yield from (proof.tenant for proof in directory.proofs_of(pin))


def _concerned(directory: Directory, leaf: CertificateFacts, near: Sequence[str]) -> Iterable[InboundConnector]:
    """The connectors that name or pin this certificate."""
    if names := presented_names(leaf):
        yield from directory.connectors_naming([name.key for name in names], near)
    yield from directory.connectors_pinning(leaf, near)


class _Judging:
    """Looks at one session for one connector after the other; judgements by trust anchors are numbered."""

    def __init__(
        self, directory: Directory, certificate: ClientCertificate | None, judge: ChainJudge, at: datetime
    ) -> None:
        self._directory = directory
        self._certificate = certificate
        self._judge = judge
        self._at = at
        self._names: tuple[PresentedName, ...] = presented_names(certificate.leaf) if certificate else ()
        self._judged: dict[tuple[str, tuple[str, ...]], ClientCertificate] = {}

    def candidate(self, connector: InboundConnector, address: Address, *, concerned: bool = True) -> Candidate:
        network = _narrowest(connector, address)
        if self._certificate is None or not concerned:
            return Candidate(connector=connector, network=network)
        patterns = answering(self._names).of(connector.certificate_names)
        judged = self._judged_for(connector, patterns)
        pin, proof = self._pin(connector, judged.leaf)
        return Candidate(
            connector=connector,
            certificate=judged,
            names=self._name_claims(connector, patterns, judged) if isinstance(judged, VerifiedCertificate) else (),
            pin=pin,
            proof=proof,
            pin_named_by=_named_by(self._directory, connector.tenant, judged) if proof else None,
            network=network,
        )

    def _judged_for(self, connector: InboundConnector, patterns: tuple[str, ...]) -> ClientCertificate:
        """Partner connectors grant nothing, so a name that is not owned is worth a judgement there."""
        certificate, anchors = self._certificate, connector.trust_anchors
        assert certificate is not None
        if isinstance(certificate, VerifiedCertificate) or not anchors or not patterns:
            return certificate
        if connector.type is ConnectorType.ON_PREMISES and not self._owns_one(connector.tenant, patterns):
            return certificate
        key = connector.tenant, anchors
        if key not in self._judged:
            if len(self._judged) >= MOST_JUDGEMENTS:
                return certificate
            self._judged[key] = self._judge(certificate.chain, anchors, self._at, connector.tenant)
        return self._judged[key]

    def _owns_one(self, tenant: str, patterns: tuple[str, ...]) -> bool:
        for pattern in patterns:
            found = ownership(self._directory, pattern, tenant)
            if found.below or (found.nearest and found.nearest.tenant == tenant):
                return True
        return False

    def _name_claims(
        self, connector: InboundConnector, patterns: tuple[str, ...], certificate: VerifiedCertificate
    ) -> tuple[NameClaim, ...]:
        matches = sorted(name_matches(certificate, patterns), key=lambda match: match.specificity, reverse=True)
        return tuple(
            NameClaim(
                match,
                ownership(self._directory, match.pattern, connector.tenant),
                _presented_owner(self._directory, match),
            )
            for match in matches[:_MOST_NAMES_OF_A_CONNECTOR]
        )

    def _pin(self, connector: InboundConnector, leaf: CertificateFacts) -> tuple[str | None, Proof | None]:
        """Of the certificate's and the key's, one that the tenant has proven before one that it has not."""
        satisfied = []
        if leaf.sha256 in connector.certificate_sha256:
            satisfied.append(leaf.sha256)
        if leaf.public_key_sha256 and leaf.public_key_sha256 in connector.public_key_sha256:
            satisfied.append(leaf.public_key_sha256)
        for pin in satisfied:
            proof = holder(self._directory, pin, self._at)
            if proof and proof.tenant == connector.tenant:
                return pin, proof
        return next(iter(satisfied), None), None


def _presented_owner(directory: Directory, match: NameMatch) -> AcceptedDomain | None:
    if match.kind is MatchKind.WILDCARD and match.pattern.startswith(WILDCARD):
        return directory.nearest_owner(without_wildcard(match.presented))
    return None


def _named_by(directory: Directory, tenant: str, judged: ClientCertificate) -> AcceptedDomain | None:
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
    judging = _Judging(directory, evidence.certificate, judge, at)
    address = unmapped(evidence.address)
    partners = sorted(directory.partner_connectors(tenant), key=lambda connector: connector.name)
    return tuple(judging.candidate(connector, address) for connector in partners)


def _silent(
    directory: Directory, sender: AcceptedDomain | None, name_owners: frozenset[str], connectors: tuple[Candidate, ...]
) -> tuple[InboundConnector, ...]:
    tenants = (sender.tenant,) if sender else name_owners
    if len(tenants) != 1:
        return ()
    (tenant,) = tenants
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
