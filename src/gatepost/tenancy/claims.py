"""From candidates to claims: which connectors answer to the session, and by what.

An owned certificate name or a proven pin is a strong claim: it identifies its tenant by itself. A pin without proof, an
address, and under some rules a name that is not owned are weak: they need the reverse-path or the recipient with them.
A name that nearly matches is no claim, and noted. Laws: a certificate that did not verify is never the basis
`certificate`; a proven pin gives way to whoever owns the reverse-path, the recipient, or a name in the certificate.
"""

from gatepost.tenancy.candidates import Candidate, NameClaim
from gatepost.tenancy.case import Basis, Case, Claim
from gatepost.tenancy.evidence import PresentedCertificate
from gatepost.tenancy.names import MatchKind
from gatepost.tenancy.ownership import is_owned
from gatepost.tenancy.reasons import ReasonCode, certificate_says, reason_for
from gatepost.tenancy.tenant import InboundConnector

_PIN_SPECIFICITY = (1, 0)
"""A proven pin counts like an owned exact name."""


def strong_claims(case: Case) -> list[Claim]:
    claims = []
    for candidate in case.found.connectors:
        strong = _strong_claim(case, candidate)
        weak = _weak_claims(case, candidate, strong)
        if not candidate.connector.enabled:
            case.note(ReasonCode.CONNECTOR_DISABLED, candidate.connector, "The connector is disabled.")
            case.disabled += [strong, *weak] if strong else weak
            continue
        case.weak += weak
        if strong:
            claims.append(strong)
    return claims


def _strong_claim(case: Case, candidate: Candidate) -> Claim | None:
    connector = candidate.connector
    if case.rules.pins and candidate.proof and _pin_stands(case, candidate):
        return Claim(candidate, Basis.PIN, _PIN_SPECIFICITY, _leaf_name(candidate), strong=True)
    claims = [claim for claim in candidate.names if case.counts(claim)]
    owned = [claim for claim in claims if _is_owned(case, claim, connector)]
    if identifying := [claim for claim in owned if _by_itself(case, claim, connector)]:
        best = max(identifying, key=lambda claim: claim.match.specificity)
        match = best.match
        return Claim(candidate, Basis.CERTIFICATE, match.specificity, match.presented, True, best.presented_owner)
    if owned:
        _note_of_another(case, connector, owned[0])
    elif claims:
        _note_unowned(case, connector, claims[0])
    elif candidate.names:
        _note_near_miss(case, connector, min(candidate.names, key=lambda claim: claim.match.beside_san))
    elif isinstance(candidate.certificate, PresentedCertificate) and not candidate.pin:
        case.note(reason_for(candidate.certificate), connector, certificate_says(candidate.certificate))
    return None


def _pin_stands(case: Case, candidate: Candidate) -> bool:
    """A proven pin identifies its tenant by itself, save where a domain shows the mail to be another's business."""
    connector = candidate.connector
    if candidate.pin_named_by:
        says = f"It pins the certificate, but a name in it is in {candidate.pin_named_by.domain}, another tenant's."
        case.note(ReasonCode.PIN_NAMES_ANOTHER_TENANT, connector, says)
        return False
    for what, owner in (("reverse-path", case.found.sender), ("recipient", case.found.recipient)):
        if owner and owner.tenant != connector.tenant:
            says = f"It pins the certificate, but the {what} is in {owner.domain}, another tenant's."
            case.note(ReasonCode.PIN_YIELDS_TO_DOMAIN, connector, says)
            return False
    return True


def undisputed(case: Case, claims: list[Claim]) -> list[Claim]:
    """Without the pins that another tenant's owned name, or its earlier proof, disputes."""
    proofs = [claim.candidate.proof for claim in claims if claim.candidate.proof and claim.basis is Basis.PIN]
    first = min(proofs, key=lambda proof: (proof.at, proof.tenant), default=None)
    named = {claim.tenant for claim in claims if claim.basis is Basis.CERTIFICATE}
    undisputed = []
    for claim in claims:
        if claim.basis is not Basis.PIN or (first and claim.tenant == first.tenant and named <= {claim.tenant}):
            undisputed.append(claim)
            continue
        says = "It pins the certificate, but another tenant owns a name in it, or has proven a pin of it before."
        case.note(ReasonCode.PIN_NAMES_ANOTHER_TENANT, claim.connector, says)
        case.weak.append(claim._replace(strong=False))
    return undisputed


def _is_owned(case: Case, claim: NameClaim, connector: InboundConnector) -> bool:
    return is_owned(claim.match.pattern, connector.tenant, claim.ownership, case.rules)


def _by_itself(case: Case, claim: NameClaim, connector: InboundConnector) -> bool:
    """Whether an owned name identifies the tenant without the reverse-path."""
    return case.rules.wildcard_covers_others_names or not _is_of_another(claim, connector)


def _note_unowned(case: Case, connector: InboundConnector, claim: NameClaim) -> None:
    match, nearest = claim.match, claim.ownership.nearest
    # Told to the peer only where the connector is the sender's, or the name's: anybody may write down a name.
    own = case.speaks_for_sender(connector.tenant) or (nearest and nearest.tenant == connector.tenant)
    if own or case.rules.reasons_from_every_connector:
        case.unfit.setdefault(ReasonCode.CERTIFICATE_NAME_NOT_OWNED, match.presented)
    case.note(
        ReasonCode.CERTIFICATE_NAME_NOT_OWNED,
        connector,
        f"Its name {match.pattern} matches {match.presented}, but is in no verified domain of {connector.tenant}.",
    )


def _note_of_another(case: Case, connector: InboundConnector, claim: NameClaim) -> None:
    match, owner = claim.match, claim.presented_owner
    says = f"Its name {match.pattern} covers {match.presented}, but {owner and owner.domain} is another tenant's."
    case.note(ReasonCode.LESS_SPECIFIC_THAN_ANOTHER, connector, says)


def _note_near_miss(case: Case, connector: InboundConnector, claim: NameClaim) -> None:
    match = claim.match
    if match.kind is not MatchKind.WILDCARD_CERTIFICATE:
        says = f"The common name {match.presented} does not count: the certificate has a subjectAltName."
        case.note(ReasonCode.CERTIFICATE_NAME_DOES_NOT_MATCH, connector, says)
        return
    # Told to the peer only where the connector would otherwise have recognised it.
    if connector.enabled and _is_owned(case, claim, connector):
        case.unfit.setdefault(ReasonCode.WILDCARD_CERTIFICATE_FOR_EXACT_NAME, match.presented)
    case.note(
        ReasonCode.WILDCARD_CERTIFICATE_FOR_EXACT_NAME,
        connector,
        f"Expected {match.pattern}; the certificate is for {match.presented}.",
    )


def _weak_claims(case: Case, candidate: Candidate, strong: Claim | None) -> list[Claim]:
    claims = _weak_certificate_claims(case, candidate) if strong is None else []
    if candidate.network and case.address_counts():
        claims.append(Claim(candidate, Basis.ADDRESS, (0, candidate.network.prefixlen), ""))
    return claims


def _weak_certificate_claims(case: Case, candidate: Candidate) -> list[Claim]:
    if candidate.pin and case.rules.pins:
        return [Claim(candidate, Basis.PIN, _PIN_SPECIFICITY, _leaf_name(candidate))]
    claims = [claim for claim in candidate.names if case.counts(claim)]
    if not case.rules.unowned_name_with_reverse_path:
        claims = [claim for claim in claims if _is_owned(case, claim, candidate.connector)]
    if not claims:
        return []
    best = max(claims, key=lambda claim: claim.match.specificity)
    match = best.match
    return [Claim(candidate, Basis.CERTIFICATE, match.specificity, match.presented, False, best.presented_owner)]


def _is_of_another(claim: NameClaim, connector: InboundConnector) -> bool:
    """Whether a wildcard of the connector reaches into a domain that another tenant has verified."""
    return claim.presented_owner is not None and claim.presented_owner.tenant != connector.tenant


def _leaf_name(candidate: Candidate) -> str:
    leaf = candidate.certificate.leaf if candidate.certificate else None
    return (next(iter(leaf.names), leaf.subject) if leaf else "") or "the certificate"
