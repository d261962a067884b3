"""Notes for the operator on what a session offered, and why that was not enough. They change no verdict."""

from gatepost.mail.address import NullReversePath
from gatepost.tenancy.case import Basis, Case, Claim, names_text
from gatepost.tenancy.evidence import PresentedCertificate
from gatepost.tenancy.reasons import ReasonCode, certificate_says, reason_for
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector


def note_session(case: Case) -> None:
    """What the session offered, and why that was not enough."""
    _note_certificate(case)
    for claim in case.weak:
        note_unmet(case, claim)
    if not any(claim.basis is Basis.ADDRESS for claim in case.weak):
        says = f"{case.evidence.address} is not listed by any enabled on-premises connector."
        case.note(ReasonCode.ADDRESS_MATCHES_NO_CONNECTOR, None, says)
    for unproven in case.found.sender_claims:
        _note_unproven(case, unproven)
    for connector in case.found.silent:
        _note_silent(case, connector)


def _note_certificate(case: Case) -> None:
    certificate = case.evidence.certificate
    if certificate is None:
        says = case.certificate_text()
        case.note(ReasonCode.NO_CERTIFICATE_PRESENTED, None, f"{says[0].upper()}{says[1:]}.")
    elif isinstance(certificate, PresentedCertificate):
        case.note(reason_for(certificate), None, certificate_says(certificate))
    elif not any(candidate.names or candidate.pin for candidate in case.found.connectors):
        says = f"No on-premises connector names the certificate ({names_text(certificate)})."
        case.note(ReasonCode.CERTIFICATE_NAME_MATCHES_NO_CONNECTOR, None, says)


def _note_unproven(case: Case, unproven: AcceptedDomain) -> None:
    """Under the tenant's connector that made it worth a look, so that nobody else reads of it."""
    says = f"{unproven.domain} was added to {unproven.tenant} but is not verified."
    own = (each.connector for each in case.found.connectors if each.connector.tenant == unproven.tenant)
    case.note(ReasonCode.REVERSE_PATH_DOMAIN_NOT_VERIFIED, next(own), says)


def note_unmet(case: Case, claim: Claim) -> None:
    if claim.basis is Basis.CERTIFICATE:
        return  # Its name is not owned, which has been noted.
    what = "pins the certificate" if claim.basis is Basis.PIN else f"lists {case.evidence.address}"
    says = f"It {what}, but the reverse-path ({case.sender_text()}) is in no verified domain of {claim.tenant}."
    case.note(unmet(case, claim), claim.connector, says)


def unmet(case: Case, claim: Claim) -> ReasonCode:
    """What a claim lacks that needs the reverse-path beside it."""
    if case.is_claimed_by(claim.tenant):
        return ReasonCode.REVERSE_PATH_DOMAIN_NOT_VERIFIED
    if claim.basis is Basis.PIN:
        return ReasonCode.PIN_NEEDS_OWNED_REVERSE_PATH
    if isinstance(case.evidence.reverse_path, NullReversePath):
        return ReasonCode.NULL_REVERSE_PATH_BY_ADDRESS_ONLY
    return ReasonCode.ADDRESS_NEEDS_OWNED_REVERSE_PATH


def _note_silent(case: Case, connector: InboundConnector) -> None:
    """A connector of the tenant the reverse-path names, which nothing that was presented speaks to."""
    certificate = case.evidence.certificate
    if connector.certificate_names:
        names = names_text(certificate) if certificate else "no certificate"
        says = f"Expected {', '.join(connector.certificate_names)}; the client presented {names}."
        case.note(ReasonCode.CERTIFICATE_NAME_DOES_NOT_MATCH, connector, says)
    if connector.pins:
        says = f"It pins {len(connector.pins)} certificate or key digests; the client presented " + (
            f"certificate {certificate.leaf.sha256}." if certificate else "no certificate."
        )
        case.note(ReasonCode.PIN_DOES_NOT_MATCH, connector, says)
    if connector.addresses:
        listed = ", ".join(str(network) for network in connector.addresses[:10])
        says = f"It lists {listed}; the session came from {case.evidence.address}."
        case.note(ReasonCode.ADDRESS_NOT_IN_RANGE, connector, says)
