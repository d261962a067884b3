"""What the recipient's tenant says of mail for its domains: a route for it, partner connectors, no direct send.

Mail of nobody's server is incoming where the recipient's domain has a route, subject to that tenant's partner
connectors. Law: mail for another tenant's domain passes that tenant's partner connectors, whoever sends it.
"""

from gatepost.mail.address import NullReversePath
from gatepost.mail.domain import pattern_covers
from gatepost.tenancy.candidates import Candidate
from gatepost.tenancy.case import Attribution, Basis, Case, Outcome
from gatepost.tenancy.reasons import Reason, ReasonCode
from gatepost.tenancy.refusal import DIRECT_SEND_DENIED, SOURCE_DENIED
from gatepost.tenancy.session_notes import note_session
from gatepost.tenancy.tenant import InboundConnector


def refused_by_recipient(case: Case) -> Attribution | None:
    """Mail that another tenant's server sends to a hosted domain goes by the recipient's rules, as a stranger's."""
    recipient = case.found.recipient
    if recipient is None or (case.rules.incoming_needs_route and not case.found.recipient_has_route):
        return None
    partners = [partner for partner in case.found.partners if _speaks_of_sender(case, partner.connector)]
    return _refused_by_partner(case, partners) or _refused_as_direct_send(case, recipient.tenant, partners)


def by_recipient(case: Case) -> Attribution | None:
    recipient = case.found.recipient
    if recipient is None:
        return None
    if case.rules.incoming_needs_route and not case.found.recipient_has_route:
        case.note(
            ReasonCode.RECIPIENT_HAS_NO_ROUTE,
            None,
            f"{recipient.domain} is a verified domain of {recipient.tenant}, but no send connector leads to its "
            f"servers.",
        )
        return None
    partners = [partner for partner in case.found.partners if _speaks_of_sender(case, partner.connector)]
    return _refused_by_partner(case, partners) or _incoming(case, recipient.tenant, recipient.domain, partners)


def _speaks_of_sender(case: Case, partner: InboundConnector) -> bool:
    return not partner.sender_domains or any(_covers_sender(case, each) for each in partner.sender_domains)


def _covers_sender(case: Case, sender_domain: str) -> bool:
    path = case.evidence.reverse_path
    if isinstance(path, NullReversePath):
        return sender_domain == "*" and case.rules.null_reverse_path_is_in_every_domain
    return pattern_covers(sender_domain, path.domain)


def _refused_by_partner(case: Case, partners: list[Candidate]) -> Attribution | None:
    restricting = [p for p in partners if p.connector.restrict_to_certificate or p.connector.restrict_to_address]
    if restricting and not any(_satisfies(case, partner) for partner in restricting):
        return _refuse_source(case, restricting)
    if case.evidence.tls is None:
        demanding = next((partner.connector for partner in partners if partner.connector.require_tls), None)
        if demanding:
            note_session(case)
            return case.refuse_plaintext(demanding)
    return None


def _satisfies(case: Case, partner: Candidate) -> bool:
    connector = partner.connector
    return (not connector.restrict_to_certificate or _certificate_satisfies(case, partner)) and (
        not connector.restrict_to_address or _address_satisfies(case, partner)
    )


def _certificate_satisfies(case: Case, partner: Candidate) -> bool:
    return any(case.counts(claim) for claim in partner.names) or (case.rules.pins and partner.pin is not None)


def _address_satisfies(case: Case, partner: Candidate) -> bool:
    return partner.network is not None and case.address_counts()


def _refuse_source(case: Case, restricting: list[Candidate]) -> Attribution:
    """Whichever demand is not met leads; that for a certificate before that for an address."""
    note_session(case)
    leading = []
    for partner in restricting:
        connector = partner.connector
        if connector.restrict_to_certificate and not _certificate_satisfies(case, partner):
            says = f"It accepts this sender's mail only with its certificate; {case.certificate_text()}."
            leading.append(Reason(ReasonCode.PARTNER_RESTRICTED_TO_CERTIFICATE, connector.label, says))
        if connector.restrict_to_address and not _address_satisfies(case, partner):
            says = f"It accepts this sender's mail only from its addresses, not from {case.evidence.address}."
            leading.append(Reason(ReasonCode.PARTNER_RESTRICTED_TO_ADDRESS, connector.label, says))
    leading.sort(key=lambda reason: reason.code is not ReasonCode.PARTNER_RESTRICTED_TO_CERTIFICATE)
    case.reasons[:0] = leading
    return case.refuse(SOURCE_DENIED, leading[0])


def _incoming(case: Case, tenant: str, domain: str, partners: list[Candidate]) -> Attribution:
    if refused := _refused_as_direct_send(case, tenant, partners):
        return refused
    partner = _labelling(case, partners)
    note_session(case)
    reasons = [Reason(ReasonCode.RECIPIENT_HOSTED, None, f"{domain} is a verified domain of {tenant}.")]
    if partner:
        says = f"It applies to mail from {case.sender_text()}."
        reasons.append(Reason(ReasonCode.PARTNER_MATCHED, partner.connector.label, says))
    return Attribution(
        Outcome.INCOMING,
        tenant,
        partner.connector.name if partner else None,
        Basis.RECIPIENT,
        (*reasons, *case.reasons),
        tuple(case.warnings),
        case.found.directory_version,
    )


def _labelling(case: Case, partners: list[Candidate]) -> Candidate | None:
    labelling = [partner for partner in partners if _labels(case, partner)]
    return min(labelling, key=lambda partner: _partner_preference(case, partner), default=None)


def _refused_as_direct_send(case: Case, tenant: str, partners: list[Candidate]) -> Attribution | None:
    if not _is_rejected_direct_send(case, tenant) or _labelling(case, partners):
        return None
    note_session(case)
    says = f"The reverse-path is in a domain of {tenant}, and no connector of {tenant} applies to the sender."
    return case.refuse(DIRECT_SEND_DENIED, Reason(ReasonCode.DIRECT_SEND_REJECTED, None, says))


def _labels(case: Case, partner: Candidate) -> bool:
    """A partner connector with certificates or addresses labels what comes from there; one without, all it speaks
    of."""
    connector = partner.connector
    if connector.certificate_names or connector.pins or connector.addresses:
        return _certificate_satisfies(case, partner) or _address_satisfies(case, partner)
    return True


def _partner_preference(case: Case, partner: Candidate) -> tuple[bool, bool, int, str]:
    """Sorts by certificate before by address before neither, then the longer sender domain, then the name."""
    domains = [each for each in partner.connector.sender_domains if _covers_sender(case, each)]
    longest = max((each.count(".") - each.startswith("*") for each in domains), default=-1)
    return (
        not _certificate_satisfies(case, partner),
        not _address_satisfies(case, partner),
        -longest,
        partner.connector.name,
    )


def _is_rejected_direct_send(case: Case, tenant: str) -> bool:
    sender = case.found.sender
    ours = sender is not None and sender.tenant == tenant
    return case.rules.reject_direct_send and case.found.rejects_direct_send and ours
