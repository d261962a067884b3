"""Whose mail is this? Evidence and candidates in, one verdict with every reason out.

The session, `explain`, `why`, the console and the doctor all call `attribute`; nothing else decides. Order: an owned
certificate name or a proven pin; then what needs the reverse-path beside it (a pin, an address); then the recipient's
domain; then refusal. docs/reference/attribution.md tells the same story for readers.

A proven pin is no name: it gives way to whoever owns the reverse-path, the recipient, or a name that the certificate
proves. Mail for another tenant's domain passes that tenant's partner connectors, whoever sends it.

Laws: what a peer is told comes from the connectors of the tenant that owns the reverse-path, or a name in the
certificate; the verdict depends on a reverse-path only through its domain (or that it is null), on forward-paths only
through their domains, and on no order of connectors. A certificate that did not verify is never the basis
`certificate`.
"""

from datetime import datetime, timedelta

from gatepost.tenancy.candidates import Candidates
from gatepost.tenancy.case import Attribution, Basis, Case, Claim, Outcome
from gatepost.tenancy.claims import strong_claims, undisputed
from gatepost.tenancy.evidence import Evidence, PresentedCertificate
from gatepost.tenancy.reasons import Reason, ReasonCode, certificate_says
from gatepost.tenancy.recipient_rules import by_recipient, refused_by_recipient
from gatepost.tenancy.refusal import RELAY_DENIED, Refusal, refusal_reply
from gatepost.tenancy.refusal_reason import refused
from gatepost.tenancy.rules import EOP, GATEPOST, RuleSet
from gatepost.tenancy.session_notes import note_unmet

__all__ = [
    "EOP",
    "GATEPOST",
    "Attribution",
    "Basis",
    "Outcome",
    "Refusal",
    "RuleSet",
    "attribute",
    "refusal_reply",
]

_EXPIRES_SOON = timedelta(days=30)

_NEEDING_REVERSE_PATH = ((Basis.CERTIFICATE,), (Basis.PIN, Basis.ADDRESS))
"""The order in which claims that need the reverse-path are heard."""

_MATCHED = {
    Basis.CERTIFICATE: ReasonCode.CERTIFICATE_NAME_MATCHED,
    Basis.PIN: ReasonCode.PIN_MATCHED,
    Basis.ADDRESS: ReasonCode.ADDRESS_MATCHED,
}


def attribute(evidence: Evidence, candidates: Candidates, at: datetime, rules: RuleSet = GATEPOST) -> Attribution:
    """The verdict on the last of `evidence.forward_paths`, in the light of those before it."""
    case = Case(evidence, candidates, at, rules)
    claims = undisputed(case, strong_claims(case))
    return _by_identity(case, claims) or _by_reverse_path(case) or by_recipient(case) or refused(case)


def _by_identity(case: Case, claims: list[Claim]) -> Attribution | None:
    if not claims:
        return None
    if rightful := _rightful(case, claims):
        return _attributed(case, rightful, rivals=[*claims, *case.weak])
    best = max(claim.specificity for claim in claims)
    finalists = _parted(case, [claim for claim in claims if claim.specificity == best])
    if len({claim.tenant for claim in finalists}) > 1:
        return _conflicting(case, finalists)
    chosen = min(finalists, key=lambda claim: claim.preference)
    return _attributed(case, chosen, rivals=[*claims, *case.weak])


def _rightful(case: Case, claims: list[Claim]) -> Claim | None:
    """The best claim of the reverse-path's owner, before a more specific one of another tenant: a certificate that
    many share names them all, and what one of them makes of its own name must not reach the others' mail."""
    if case.rules.specificity_before_reverse_path or case.found.sender is None:
        return None
    tenant = case.found.sender.tenant
    if theirs := [claim for claim in claims if claim.tenant == tenant]:
        return min(theirs, key=lambda claim: claim.preference)
    # A wildcard that reaches into another tenant's domain yields to that tenant's own name.
    theirs = [claim for claim in case.weak if claim.tenant == tenant and claim.basis is not Basis.CERTIFICATE]
    return _preferred(case, theirs) if theirs else None


def _parted(case: Case, claims: list[Claim]) -> list[Claim]:
    """Equally specific claims, parted by the owner of the reverse-path where that helps."""
    owners = [case.found.sender]
    if case.rules.tie_goes_to_recipient:
        owners.append(case.found.recipient)
    for owner in owners:
        if owner and (theirs := [claim for claim in claims if claim.tenant == owner.tenant]):
            return theirs
    return claims


def _conflicting(case: Case, claims: list[Claim]) -> Attribution:
    tenants = sorted({claim.tenant for claim in claims})
    says = (
        f"The certificate matches connectors of {', '.join(tenants)} equally well, and the reverse-path "
        f"({case.sender_text()}) is in no verified domain of any of them."
    )
    for claim in claims:
        case.note(ReasonCode.CERTIFICATE_NAME_MATCHED, claim.connector, _matched_says(claim))
    return case.refuse(RELAY_DENIED, Reason(ReasonCode.CONFLICTING_TENANTS, None, says))


def _by_reverse_path(case: Case) -> Attribution | None:
    for bases in _NEEDING_REVERSE_PATH:
        claims = [claim for claim in case.weak if claim.basis in bases]
        sender, recipient = case.found.sender, case.found.recipient
        if sender and (theirs := [claim for claim in claims if claim.tenant == sender.tenant]):
            return _attributed(case, _preferred(case, theirs), rivals=case.weak)
        if recipient and (theirs := [claim for claim in claims if claim.tenant == recipient.tenant]):
            if not _one_recipient_domain(case):
                return _refuse_several_domains(case, theirs[0])
            return _attributed(case, _preferred(case, theirs), rivals=case.weak)
    return None


def _preferred(case: Case, claims: list[Claim]) -> Claim:
    """The best claim of one tenant: one whose demand for TLS is met, a pin before an address, then the narrowest
    network."""
    return min(claims, key=lambda claim: (case.lacks_tls(claim), claim.preference))


def _one_recipient_domain(case: Case) -> bool:
    if not case.rules.recipients_of_one_domain:
        return True
    return len({path.domain for path in case.evidence.forward_paths}) == 1


def _refuse_several_domains(case: Case, claim: Claim) -> Attribution:
    says = "The recipient's domain would identify the tenant, but the transaction names several recipient domains."
    case.note(ReasonCode.SEVERAL_RECIPIENT_DOMAINS, claim.connector, says)
    return refused(case)


def _attributed(case: Case, claim: Claim, rivals: list[Claim]) -> Attribution:
    _note_rivals(case, claim, rivals)
    if case.lacks_tls(claim):
        return case.refuse_plaintext(claim.connector)
    ours = case.found.recipient is not None and case.found.recipient.tenant == claim.tenant
    if not ours and (refused := refused_by_recipient(case)):
        return refused
    _warn(case, claim)
    reason = Reason(_MATCHED[claim.basis], claim.connector.label, _matched_says(claim))
    return Attribution(
        Outcome.DELIVER if ours else Outcome.RELAY,
        claim.tenant,
        claim.connector.name,
        claim.basis,
        (reason, *case.reasons),
        tuple(case.warnings),
        case.found.directory_version,
    )


def _note_rivals(case: Case, chosen: Claim, rivals: list[Claim]) -> None:
    for claim in rivals:
        if claim.connector is chosen.connector:
            continue
        if claim.tenant != chosen.tenant and not claim.strong and not chosen.strong:
            note_unmet(case, claim)
            continue
        says = f"It matches {claim.presented or 'the address'} too, but {chosen.connector.label} matches better."
        case.note(ReasonCode.LESS_SPECIFIC_THAN_ANOTHER, claim.connector, says)


def _warn(case: Case, claim: Claim) -> None:
    owner = claim.presented_owner
    if owner and owner.tenant != claim.tenant:
        case.warnings.append(
            f"{claim.connector.label} recognises {claim.presented} by a wildcard, but {owner.domain} is a verified "
            f"domain of {owner.tenant}; a connector of {owner.tenant} that names it would take its mail back."
        )
    if claim.basis is not Basis.ADDRESS:
        _warn_of_certificate(case, claim)


def _warn_of_certificate(case: Case, claim: Claim) -> None:
    certificate = claim.candidate.certificate
    if certificate is None:
        return
    if isinstance(certificate, PresentedCertificate):
        case.warnings.append(f"The certificate is recognised by its pin only. {certificate_says(certificate)}")
        return
    if claim.basis is Basis.CERTIFICATE and not claim.strong and not claim.presented_owner:
        case.warnings.append(
            f"{claim.presented} is in no verified domain of {claim.tenant}: the reverse-path alone decided, and "
            f"mail with a null or foreign reverse-path will be refused."
        )
    leaf = certificate.leaf
    if leaf.not_after and leaf.not_after - case.at < _EXPIRES_SOON:
        case.warnings.append(f"The certificate {claim.presented} expires on {leaf.not_after.date()}.")


def _matched_says(claim: Claim) -> str:
    match claim.basis:
        case Basis.CERTIFICATE:
            return f"The verified certificate's name {claim.presented} matches."
        case Basis.PIN:
            return f"The certificate ({claim.presented}) is pinned."
        case _:
            return f"The address is in {claim.candidate.network}, and a path is in a domain of {claim.tenant}."
