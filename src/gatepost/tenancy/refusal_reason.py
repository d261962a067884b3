"""Why nobody's mail is refused: the one reason, of all that were noted, that the peer is told.

Law: what a peer is told comes from the connectors of the tenant that owns the reverse-path, or a name in the
certificate; anybody else may list an address and write down a digest, and that changes nothing.
"""

from gatepost.mail.address import NullReversePath
from gatepost.tenancy.case import Attribution, Basis, Case, Claim
from gatepost.tenancy.evidence import PresentedCertificate
from gatepost.tenancy.reasons import ReasonCode, reason_for
from gatepost.tenancy.refusal import RELAY_DENIED
from gatepost.tenancy.session_notes import note_session, unmet

_ISSUER_CODES = frozenset(
    {
        ReasonCode.CERTIFICATE_ISSUER_UNKNOWN,
        ReasonCode.CERTIFICATE_INTERMEDIATE_MISSING,
        ReasonCode.CERTIFICATE_SELF_SIGNED,
    }
)

_ADDRESS_CODES = (
    ReasonCode.REVERSE_PATH_DOMAIN_NOT_VERIFIED,
    ReasonCode.NULL_REVERSE_PATH_BY_ADDRESS_ONLY,
    ReasonCode.ADDRESS_NEEDS_OWNED_REVERSE_PATH,
)


def refused(case: Case) -> Attribution:
    note_session(case)
    if case.found.recipient is None:
        says = f"No tenant has verified {case.evidence.forward_paths[-1].domain}."
        case.note(ReasonCode.RECIPIENT_NOT_HOSTED, None, says)
    code, presented = _ground(case)
    return case.refuse(RELAY_DENIED, case.noted(code), presented)


def _ground(case: Case) -> tuple[ReasonCode, str | None]:
    """The reason that helps the peer most. What it would tell of a connector it tells only to a peer that has
    shown to be that server: by its certificate's key, its verified name, or its address."""
    return _certificate_ground(case) or _address_ground(case) or (_nothing_shown(case), None)


def _nothing_shown(case: Case) -> ReasonCode:
    """No certificate, no listed address. Who names a reverse-path of a tenant is probably its server."""
    if case.found.sender is None:
        return ReasonCode.RECIPIENT_NOT_HOSTED
    if case.evidence.tls is None:
        return ReasonCode.ADDRESS_MATCHES_NO_CONNECTOR
    return ReasonCode.NO_CERTIFICATE_PRESENTED


def _certificate_ground(case: Case) -> tuple[ReasonCode, str | None] | None:
    certificate = case.evidence.certificate
    if certificate is None:
        return None
    for claim in case.disabled:
        named = claim.basis is Basis.CERTIFICATE and claim.strong
        if named or (claim.basis is Basis.PIN and case.is_of_sender(claim.tenant)):
            return ReasonCode.CONNECTOR_DISABLED, claim.presented
    for code, presented in sorted(case.unfit.items()):
        return code, presented
    for claim in case.weak:
        if claim.basis is Basis.PIN and _may_be_told(case, claim):
            return unmet(case, claim), claim.presented
    if isinstance(certificate, PresentedCertificate):
        return _certificate_problem(case, certificate), None
    return ReasonCode.CERTIFICATE_NAME_MATCHES_NO_CONNECTOR, None


def _certificate_problem(case: Case, certificate: PresentedCertificate) -> ReasonCode:
    """Judged by the tenant's own trust anchors where that tells more than an unknown issuer."""
    code = reason_for(certificate)
    if code in _ISSUER_CODES:
        for candidate in case.found.connectors:
            judged = candidate.certificate
            if judged is not certificate and isinstance(judged, PresentedCertificate):
                closer = reason_for(judged)
                if closer not in _ISSUER_CODES or closer is ReasonCode.CERTIFICATE_INTERMEDIATE_MISSING:
                    return closer
    return code


def _address_ground(case: Case) -> tuple[ReasonCode, str | None] | None:
    weak = [claim for claim in case.weak if claim.basis is Basis.ADDRESS]
    told = {
        unmet(case, claim) for claim in weak if case.rules.reasons_from_every_connector or _may_be_told(case, claim)
    }
    for code in _ADDRESS_CODES:
        if code in told:
            return code, None
    if any(claim.basis is Basis.ADDRESS and case.is_of_sender(claim.tenant) for claim in case.disabled):
        return ReasonCode.CONNECTOR_DISABLED, None
    # Nobody owns a null reverse-path, so this is told without a look at who lists the address.
    if isinstance(case.evidence.reverse_path, NullReversePath) and not case.rules.reasons_from_every_connector:
        return ReasonCode.NULL_REVERSE_PATH_BY_ADDRESS_ONLY, None
    return None


def _may_be_told(case: Case, claim: Claim) -> bool:
    """Of a claim that does not count: it is the tenant's that the reverse-path speaks of, or else a name in the
    certificate. Anybody can list an address and write down a digest; that must not change what others are told."""
    if case.found.sender or case.found.sender_claims:
        return case.speaks_for_sender(claim.tenant)
    return claim.basis is Basis.PIN and claim.tenant in case.found.name_owners
