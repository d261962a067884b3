"""Whether the session of an enrolment proves that a tenant holds the certificate's key, or why it does not.

Laws: what a forwarder does, or a provider that many share, proves nothing: the EHLO name must carry the one-time token,
which only who configures the server can bring about. A publicly issued certificate proves its names and nothing else.
A session that a connector of another tenant could claim, enabled or not, proves nothing either.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gatepost.mail.address import NullReversePath, ReversePath
from gatepost.tenancy.candidates import MOST_JUDGEMENTS, ChainJudge, unmapped
from gatepost.tenancy.directory import Directory
from gatepost.tenancy.evidence import ClientCertificate, Evidence, PresentedCertificate, VerifiedCertificate
from gatepost.tenancy.names import answering, presented_names, without_wildcard
from gatepost.tenancy.one_time_address import OneTimeAddress
from gatepost.tenancy.proof import holder

_WITHOUT_TRUSTED_ISSUER: Final = frozenset({2, 7, 18, 19, 20, 21, 27})
"""X509_V_ERR numbers of chains that lead to no trusted root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Why a session proves nothing. The peer is told `code` and `says`, which speak of what it presented."""

    code: str
    says: str
    claimed_by: tuple[str, ...] = ()
    """The other tenants that could claim the session: for the operator."""


def objection(
    directory: Directory,
    one_time_address: OneTimeAddress,
    evidence: Evidence,
    judge: ChainJudge,
    at: datetime,
    *,
    has_public_marks: bool = False,
) -> Objection | None:
    """None: the session proves the certificate to be the tenant's. `has_public_marks`: the certificate carries what
    only publicly trusted authorities apply."""
    certificate = evidence.certificate
    if not may_enrol(directory, one_time_address.tenant, evidence.reverse_path):
        return Objection(code="enrolment-sender", says="Send this from an address in a verified domain of the tenant")
    if not carries_token(evidence.ehlo, one_time_address):
        return Objection(
            code="enrolment-ehlo",
            says=f"The EHLO name must be the one printed with this address; it was '{evidence.ehlo}'",
        )
    if certificate is None:
        return Objection(code="enrolment-certificate", says="The session presented no client certificate")
    if has_public_marks or leads_to_root(certificate):
        return _public(certificate)
    return _claimed(directory, one_time_address.tenant, evidence, certificate, judge, at)


def may_enrol(directory: Directory, tenant: str, reverse_path: ReversePath) -> bool:
    """Whether the message comes from one of the tenant's verified domains."""
    if isinstance(reverse_path, NullReversePath):
        return False
    owner = directory.covering_domain(reverse_path.domain)
    return owner is not None and owner.tenant == tenant


def carries_token(ehlo: str, one_time_address: OneTimeAddress) -> bool:
    first, _, rest = ehlo.lower().partition(".")
    return bool(rest) and first == one_time_address.ehlo_token


def leads_to_root(certificate: ClientCertificate) -> bool:
    """Whether a trusted root stands behind it, also where it does not verify: expired, or without an intermediate."""
    if isinstance(certificate, VerifiedCertificate) or certificate.missing_intermediate:
        return True
    return not any(error.code in _WITHOUT_TRUSTED_ISSUER for error in certificate.errors)


def _public(certificate: ClientCertificate) -> Objection:
    names = certificate.leaf.names
    name = next((each for each in names if not each.startswith("*")), next(iter(names), ""))
    instead = f"name it on a connector instead: --certificate-name {name}" if name else "it has no DNS name"
    return Objection(
        code="enrolment-public-certificate",
        says=f"The certificate {name or certificate.leaf.subject} is publicly issued, which proves its names and no "
        f"pin; {instead}",
    )


def _claimed(
    directory: Directory,
    tenant: str,
    evidence: Evidence,
    certificate: PresentedCertificate | VerifiedCertificate,
    judge: ChainJudge,
    at: datetime,
) -> Objection | None:
    for what, claimants in (
        (f"the certificate of issuer {certificate.leaf.issuer}", _by_name(directory, certificate, judge, at)),
        ("the certificate or its key", _by_pin(directory, certificate, at)),
        (f"the address {evidence.address}", iter(directory.tenants_listing(unmapped(evidence.address)))),
    ):
        others = sorted({each for each in claimants if each != tenant and directory.has_verified_domain(each)})
        if others:
            return Objection(
                code="enrolment-claimed",
                says=f"Another tenant's connector could claim this server by {what}; ask the relay's operator",
                claimed_by=tuple(others),
            )
    return None


def _by_name(directory: Directory, certificate: ClientCertificate, judge: ChainJudge, at: datetime) -> Iterator[str]:
    """The tenants whose own authority vouches for a name of theirs in the certificate. Who has so many authorities that
    they cannot all be asked has the benefit of the doubt."""
    names = presented_names(certificate.leaf)
    judged: dict[tuple[str, tuple[str, ...]], bool] = {}
    for connector in directory.connectors_naming([name.key for name in names], ()) if names else ():
        owned = [
            pattern
            for pattern in answering(names).of(connector.certificate_names)
            if (owner := directory.nearest_owner(without_wildcard(pattern))) and owner.tenant == connector.tenant
        ]
        anchors = connector.trust_anchors
        if not owned or not anchors:
            continue
        key = connector.tenant, anchors
        if key not in judged and len(judged) < MOST_JUDGEMENTS:
            judged[key] = leads_to_root(judge(certificate.chain, anchors, at, connector.tenant))
        if judged.get(key, True):
            yield connector.tenant


def _by_pin(directory: Directory, certificate: ClientCertificate, at: datetime) -> Iterator[str]:
    yield from directory.tenants_pinning(certificate.leaf)
    for pin in filter(None, (certificate.leaf.sha256, certificate.leaf.public_key_sha256)):
        if proof := holder(directory, pin, at):
            yield proof.tenant
