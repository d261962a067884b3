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

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from gatepost.mail.address import NullReversePath
from gatepost.mail.domain import pattern_covers
from gatepost.tenancy.candidates import Candidate, Candidates, NameClaim, unmapped
from gatepost.tenancy.evidence import ClientCertificate, Evidence, PresentedCertificate
from gatepost.tenancy.names import MatchKind, lies_deeper
from gatepost.tenancy.ownership import is_owned
from gatepost.tenancy.reasons import MEANINGS, Reason, ReasonCode, certificate_says, reason_for
from gatepost.tenancy.refusal import (
    DIRECT_SEND_DENIED,
    ENCRYPTION_NEEDED,
    RELAY_DENIED,
    SOURCE_DENIED,
    Refusal,
    fact,
    refusal_reply,
)
from gatepost.tenancy.rules import EOP, GATEPOST, RuleSet
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector

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

_MOST_NOTES = 50
"""Connectors that are told about one by one: an address can be listed by any number of tenants."""


class Outcome(StrEnum):
    RELAY = "relay"
    """A tenant's server is sending, and the recipient is elsewhere."""
    DELIVER = "deliver"
    """A tenant's server is sending, and the recipient is in a verified domain of the same tenant."""
    INCOMING = "incoming"
    """Nobody's server, but the recipient is in a verified domain of a tenant that has a route for it."""
    REFUSED = "refused"


class Basis(StrEnum):
    """What the tenant was recognised by."""

    CERTIFICATE = "certificate"
    PIN = "pin"
    ADDRESS = "address"
    RECIPIENT = "recipient"


@dataclass(frozen=True, slots=True)
class Attribution:
    """The verdict on the last forward-path."""

    outcome: Outcome
    tenant: str | None
    connector: str | None
    """Bare name of the inbound connector of `tenant` that decided."""
    basis: Basis | None
    reasons: tuple[Reason, ...]
    """The decisive one first."""
    warnings: tuple[str, ...]
    """What an administrator should look at although, or because, mail was accepted."""
    directory_version: int
    refusal: Refusal | None = None


def attribute(evidence: Evidence, candidates: Candidates, at: datetime, rules: RuleSet = GATEPOST) -> Attribution:
    """The verdict on the last of `evidence.forward_paths`, in the light of those before it."""
    return _Deliberation(evidence, candidates, at, rules).verdict()


class _Claim(NamedTuple):
    """A connector's claim to the session, and what of the evidence it rests on."""

    candidate: Candidate
    basis: Basis
    specificity: tuple[int, int]
    presented: str
    """The certificate name, or empty for an address."""
    strong: bool = False
    """It identifies the tenant by itself; else it needs the reverse-path beside it."""
    presented_owner: AcceptedDomain | None = None
    """Of a wildcard match: the nearest verified owner of the presented name."""

    @property
    def connector(self) -> InboundConnector:
        return self.candidate.connector

    @property
    def tenant(self) -> str:
        return self.candidate.connector.tenant

    @property
    def preference(self) -> tuple[tuple[int, int], str, str]:
        """Sorts the best claim first, whatever the order of the directory."""
        wide, narrow = self.specificity
        return (-wide, -narrow), self.tenant, self.connector.name


_PIN_SPECIFICITY = (1, 0)
"""A proven pin counts like an owned exact name."""

_NEEDING_REVERSE_PATH = ((Basis.CERTIFICATE,), (Basis.PIN, Basis.ADDRESS))
"""The order in which claims that need the reverse-path are heard."""


class _Deliberation:
    """One run from evidence to verdict. Reasons gather on the way; the verdict puts its own first."""

    __slots__ = ("_at", "_evidence", "_found", "_reasons", "_rules", "_switched_off", "_unfit", "_warnings", "_weak")

    def __init__(self, evidence: Evidence, found: Candidates, at: datetime, rules: RuleSet) -> None:
        self._evidence = evidence
        self._found = found
        self._at = at
        self._rules = rules
        self._reasons: list[Reason] = []
        self._warnings: list[str] = []
        self._weak: list[_Claim] = []
        self._switched_off: list[_Claim] = []
        """The claims that disabled connectors would have."""
        self._unfit: dict[ReasonCode, str] = {}
        """What was wrong with an otherwise good match by certificate name, and the name."""

    def verdict(self) -> Attribution:
        claims = self._undisputed(self._strong_claims())
        return self._by_identity(claims) or self._by_reverse_path() or self._by_recipient() or self._refused()

    # An owned certificate name, or a proven pin, identifies a tenant by itself.

    def _strong_claims(self) -> list[_Claim]:
        claims = []
        for candidate in self._found.connectors:
            strong = self._strong_claim(candidate)
            weak = self._weak_claims(candidate, strong)
            if not candidate.connector.enabled:
                self._note(ReasonCode.CONNECTOR_DISABLED, candidate.connector, "The connector is disabled.")
                self._switched_off += [strong, *weak] if strong else weak
                continue
            self._weak += weak
            if strong:
                claims.append(strong)
        return claims

    def _strong_claim(self, candidate: Candidate) -> _Claim | None:
        connector = candidate.connector
        if self._rules.pins and candidate.proof and self._pin_stands(candidate):
            return _Claim(candidate, Basis.PIN, _PIN_SPECIFICITY, _leaf_name(candidate), strong=True)
        claims = [claim for claim in candidate.names if self._counts(claim)]
        owned = [claim for claim in claims if self._is_owned(claim, connector)]
        if identifying := [claim for claim in owned if self._by_itself(claim, connector)]:
            best = max(identifying, key=lambda claim: claim.match.specificity)
            match = best.match
            return _Claim(candidate, Basis.CERTIFICATE, match.specificity, match.presented, True, best.presented_owner)
        if owned:
            self._note_of_another(connector, owned[0])
        elif claims:
            self._note_unowned(connector, claims[0])
        elif candidate.names:
            self._note_near_miss(connector, min(candidate.names, key=lambda claim: claim.match.beside_san))
        elif isinstance(candidate.certificate, PresentedCertificate) and not candidate.pin:
            self._note(reason_for(candidate.certificate), connector, certificate_says(candidate.certificate))
        return None

    def _pin_stands(self, candidate: Candidate) -> bool:
        """A proven pin identifies its tenant by itself, save where a domain shows the mail to be another's business."""
        connector = candidate.connector
        if candidate.pin_named_by:
            says = f"It pins the certificate, but a name in it is in {candidate.pin_named_by.domain}, another tenant's."
            self._note(ReasonCode.PIN_NAMES_ANOTHER_TENANT, connector, says)
            return False
        for what, owner in (("reverse-path", self._found.sender), ("recipient", self._found.recipient)):
            if owner and owner.tenant != connector.tenant:
                says = f"It pins the certificate, but the {what} is in {owner.domain}, another tenant's."
                self._note(ReasonCode.PIN_YIELDS_TO_DOMAIN, connector, says)
                return False
        return True

    def _undisputed(self, claims: list[_Claim]) -> list[_Claim]:
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
            self._note(ReasonCode.PIN_NAMES_ANOTHER_TENANT, claim.connector, says)
            self._weak.append(claim._replace(strong=False))
        return undisputed

    def _is_owned(self, claim: NameClaim, connector: InboundConnector) -> bool:
        return is_owned(claim.match.pattern, connector.tenant, claim.ownership, self._rules)

    def _by_itself(self, claim: NameClaim, connector: InboundConnector) -> bool:
        """Whether an owned name identifies the tenant without the reverse-path."""
        return self._rules.wildcard_covers_others_names or not _is_of_another(claim, connector)

    def _note_unowned(self, connector: InboundConnector, claim: NameClaim) -> None:
        match, nearest = claim.match, claim.ownership.nearest
        # Told to the peer only where the connector is the sender's, or the name's: anybody may write down a name.
        own = self._speaks_for_sender(connector.tenant) or (nearest and nearest.tenant == connector.tenant)
        if own or self._rules.reasons_from_every_connector:
            self._unfit.setdefault(ReasonCode.CERTIFICATE_NAME_NOT_OWNED, match.presented)
        self._note(
            ReasonCode.CERTIFICATE_NAME_NOT_OWNED,
            connector,
            f"Its name {match.pattern} matches {match.presented}, but is in no verified domain of {connector.tenant}.",
        )

    def _note_of_another(self, connector: InboundConnector, claim: NameClaim) -> None:
        match, owner = claim.match, claim.presented_owner
        says = f"Its name {match.pattern} covers {match.presented}, but {owner and owner.domain} is another tenant's."
        self._note(ReasonCode.LESS_SPECIFIC_THAN_ANOTHER, connector, says)

    def _note_near_miss(self, connector: InboundConnector, claim: NameClaim) -> None:
        match = claim.match
        if match.kind is not MatchKind.WILDCARD_CERTIFICATE:
            says = f"The common name {match.presented} does not count: the certificate has a subjectAltName."
            self._note(ReasonCode.CERTIFICATE_NAME_DOES_NOT_MATCH, connector, says)
            return
        # Told to the peer only where the connector would otherwise have recognised it.
        if connector.enabled and self._is_owned(claim, connector):
            self._unfit.setdefault(ReasonCode.WILDCARD_CERTIFICATE_FOR_EXACT_NAME, match.presented)
        self._note(
            ReasonCode.WILDCARD_CERTIFICATE_FOR_EXACT_NAME,
            connector,
            f"Expected {match.pattern}; the certificate is for {match.presented}.",
        )

    def _counts(self, claim: NameClaim) -> bool:
        match = claim.match
        if match.kind is MatchKind.WILDCARD_CERTIFICATE and not self._rules.wildcard_certificate_for_exact_name:
            return False
        if self._rules.wildcard_of_one_label and lies_deeper(match.presented, match.pattern):
            return False
        return self._rules.common_name_beside_san or not match.beside_san

    def _by_identity(self, claims: list[_Claim]) -> Attribution | None:
        if not claims:
            return None
        if rightful := self._rightful(claims):
            return self._attributed(rightful, rivals=[*claims, *self._weak])
        best = max(claim.specificity for claim in claims)
        finalists = self._parted([claim for claim in claims if claim.specificity == best])
        if len({claim.tenant for claim in finalists}) > 1:
            return self._conflicting(finalists)
        chosen = min(finalists, key=lambda claim: claim.preference)
        return self._attributed(chosen, rivals=[*claims, *self._weak])

    def _rightful(self, claims: list[_Claim]) -> _Claim | None:
        """The best claim of the reverse-path's owner, before a more specific one of another tenant: a certificate that
        many share names them all, and what one of them makes of its own name must not reach the others' mail."""
        if self._rules.specificity_before_reverse_path or self._found.sender is None:
            return None
        tenant = self._found.sender.tenant
        if theirs := [claim for claim in claims if claim.tenant == tenant]:
            return min(theirs, key=lambda claim: claim.preference)
        # A wildcard that reaches into another tenant's domain yields to that tenant's own name.
        theirs = [claim for claim in self._weak if claim.tenant == tenant and claim.basis is not Basis.CERTIFICATE]
        return self._preferred(theirs) if theirs else None

    def _parted(self, claims: list[_Claim]) -> list[_Claim]:
        """Equally specific claims, parted by the owner of the reverse-path where that helps."""
        owners = [self._found.sender]
        if self._rules.tie_goes_to_recipient:
            owners.append(self._found.recipient)
        for owner in owners:
            if owner and (theirs := [claim for claim in claims if claim.tenant == owner.tenant]):
                return theirs
        return claims

    def _conflicting(self, claims: list[_Claim]) -> Attribution:
        tenants = sorted({claim.tenant for claim in claims})
        says = (
            f"The certificate matches connectors of {', '.join(tenants)} equally well, and the reverse-path "
            f"({self._sender_text()}) is in no verified domain of any of them."
        )
        for claim in claims:
            self._note(ReasonCode.CERTIFICATE_NAME_MATCHED, claim.connector, _matched_says(claim))
        return self._refuse(RELAY_DENIED, Reason(ReasonCode.CONFLICTING_TENANTS, None, says))

    # A pin without proof, an address, and under some rules a name that is not owned, need the reverse-path beside them.

    def _weak_claims(self, candidate: Candidate, strong: _Claim | None) -> list[_Claim]:
        claims = self._weak_certificate_claims(candidate) if strong is None else []
        if candidate.network and self._address_counts():
            claims.append(_Claim(candidate, Basis.ADDRESS, (0, candidate.network.prefixlen), ""))
        return claims

    def _weak_certificate_claims(self, candidate: Candidate) -> list[_Claim]:
        if candidate.pin and self._rules.pins:
            return [_Claim(candidate, Basis.PIN, _PIN_SPECIFICITY, _leaf_name(candidate))]
        claims = [claim for claim in candidate.names if self._counts(claim)]
        if not self._rules.unowned_name_with_reverse_path:
            claims = [claim for claim in claims if self._is_owned(claim, candidate.connector)]
        if not claims:
            return []
        best = max(claims, key=lambda claim: claim.match.specificity)
        match = best.match
        return [_Claim(candidate, Basis.CERTIFICATE, match.specificity, match.presented, False, best.presented_owner)]

    def _address_counts(self) -> bool:
        return self._rules.ipv6 or unmapped(self._evidence.address).version == 4

    def _by_reverse_path(self) -> Attribution | None:
        for bases in _NEEDING_REVERSE_PATH:
            claims = [claim for claim in self._weak if claim.basis in bases]
            sender, recipient = self._found.sender, self._found.recipient
            if sender and (theirs := [claim for claim in claims if claim.tenant == sender.tenant]):
                return self._attributed(self._preferred(theirs), rivals=self._weak)
            if recipient and (theirs := [claim for claim in claims if claim.tenant == recipient.tenant]):
                if not self._one_recipient_domain():
                    return self._refuse_several_domains(theirs[0])
                return self._attributed(self._preferred(theirs), rivals=self._weak)
        return None

    def _preferred(self, claims: list[_Claim]) -> _Claim:
        """The best claim of one tenant: one whose demand for TLS is met, a pin before an address, then the narrowest
        network."""
        return min(claims, key=lambda claim: (self._lacks_tls(claim), claim.preference))

    def _one_recipient_domain(self) -> bool:
        if not self._rules.recipients_of_one_domain:
            return True
        return len({path.domain for path in self._evidence.forward_paths}) == 1

    def _refuse_several_domains(self, claim: _Claim) -> Attribution:
        says = "The recipient's domain would identify the tenant, but the transaction names several recipient domains."
        self._note(ReasonCode.SEVERAL_RECIPIENT_DOMAINS, claim.connector, says)
        return self._refused()

    # The verdict on a claim.

    def _attributed(self, claim: _Claim, rivals: list[_Claim]) -> Attribution:
        self._note_rivals(claim, rivals)
        if self._lacks_tls(claim):
            return self._refuse_plaintext(claim.connector)
        ours = self._found.recipient is not None and self._found.recipient.tenant == claim.tenant
        if not ours and (refused := self._refused_by_recipient()):
            return refused
        self._warn(claim)
        reason = Reason(_MATCHED[claim.basis], claim.connector.label, _matched_says(claim))
        return Attribution(
            Outcome.DELIVER if ours else Outcome.RELAY,
            claim.tenant,
            claim.connector.name,
            claim.basis,
            (reason, *self._reasons),
            tuple(self._warnings),
            self._found.directory_version,
        )

    def _note_rivals(self, chosen: _Claim, rivals: list[_Claim]) -> None:
        for claim in rivals:
            if claim.connector is chosen.connector:
                continue
            if claim.tenant != chosen.tenant and not claim.strong and not chosen.strong:
                self._note_unmet(claim)
                continue
            says = f"It matches {claim.presented or 'the address'} too, but {chosen.connector.label} matches better."
            self._note(ReasonCode.LESS_SPECIFIC_THAN_ANOTHER, claim.connector, says)

    def _warn(self, claim: _Claim) -> None:
        owner = claim.presented_owner
        if owner and owner.tenant != claim.tenant:
            self._warnings.append(
                f"{claim.connector.label} recognises {claim.presented} by a wildcard, but {owner.domain} is a verified "
                f"domain of {owner.tenant}; a connector of {owner.tenant} that names it would take its mail back."
            )
        if claim.basis is not Basis.ADDRESS:
            self._warn_of_certificate(claim)

    def _warn_of_certificate(self, claim: _Claim) -> None:
        certificate = claim.candidate.certificate
        if certificate is None:
            return
        if isinstance(certificate, PresentedCertificate):
            self._warnings.append(f"The certificate is recognised by its pin only. {certificate_says(certificate)}")
            return
        if claim.basis is Basis.CERTIFICATE and not claim.strong and not claim.presented_owner:
            self._warnings.append(
                f"{claim.presented} is in no verified domain of {claim.tenant}: the reverse-path alone decided, and "
                f"mail with a null or foreign reverse-path will be refused."
            )
        leaf = certificate.leaf
        if leaf.not_after and leaf.not_after - self._at < _EXPIRES_SOON:
            self._warnings.append(f"The certificate {claim.presented} expires on {leaf.not_after.date()}.")

    def _lacks_tls(self, claim: _Claim) -> bool:
        return self._rules.on_premises_require_tls and claim.connector.require_tls and self._evidence.tls is None

    def _refuse_plaintext(self, connector: InboundConnector) -> Attribution:
        says = "The connector requires TLS, and the session is not encrypted."
        code, status = self._rules.tls_refusal
        return self._refuse((code, status, ENCRYPTION_NEEDED), Reason(ReasonCode.TLS_REQUIRED, connector.label, says))

    # Nobody's server: mail for a hosted recipient is taken, subject to that tenant's partner connectors.

    def _refused_by_recipient(self) -> Attribution | None:
        """Mail that another tenant's server sends to a hosted domain goes by the recipient's rules, as a stranger's."""
        recipient = self._found.recipient
        if recipient is None or (self._rules.incoming_needs_route and not self._found.recipient_has_route):
            return None
        partners = [partner for partner in self._found.partners if self._speaks_of_sender(partner.connector)]
        return self._refused_by_partner(partners) or self._refused_as_direct_send(recipient.tenant, partners)

    def _by_recipient(self) -> Attribution | None:
        recipient = self._found.recipient
        if recipient is None:
            return None
        if self._rules.incoming_needs_route and not self._found.recipient_has_route:
            self._note(
                ReasonCode.RECIPIENT_HAS_NO_ROUTE,
                None,
                f"{recipient.domain} is a verified domain of {recipient.tenant}, but no send connector leads to its "
                f"servers.",
            )
            return None
        partners = [partner for partner in self._found.partners if self._speaks_of_sender(partner.connector)]
        return self._refused_by_partner(partners) or self._incoming(recipient.tenant, recipient.domain, partners)

    def _speaks_of_sender(self, partner: InboundConnector) -> bool:
        return not partner.sender_domains or any(self._covers_sender(each) for each in partner.sender_domains)

    def _covers_sender(self, sender_domain: str) -> bool:
        path = self._evidence.reverse_path
        if isinstance(path, NullReversePath):
            return sender_domain == "*" and self._rules.null_reverse_path_is_in_every_domain
        return pattern_covers(sender_domain, path.domain)

    def _refused_by_partner(self, partners: list[Candidate]) -> Attribution | None:
        restricting = [p for p in partners if p.connector.restrict_to_certificate or p.connector.restrict_to_address]
        if restricting and not any(self._satisfies(partner) for partner in restricting):
            return self._refuse_source(restricting)
        if self._evidence.tls is None:
            demanding = next((partner.connector for partner in partners if partner.connector.require_tls), None)
            if demanding:
                self._note_session()
                return self._refuse_plaintext(demanding)
        return None

    def _satisfies(self, partner: Candidate) -> bool:
        connector = partner.connector
        return (not connector.restrict_to_certificate or self._certificate_satisfies(partner)) and (
            not connector.restrict_to_address or self._address_satisfies(partner)
        )

    def _certificate_satisfies(self, partner: Candidate) -> bool:
        return any(self._counts(claim) for claim in partner.names) or (self._rules.pins and partner.pin is not None)

    def _address_satisfies(self, partner: Candidate) -> bool:
        return partner.network is not None and self._address_counts()

    def _refuse_source(self, restricting: list[Candidate]) -> Attribution:
        """Whichever demand is not met leads; that for a certificate before that for an address."""
        self._note_session()
        leading = []
        for partner in restricting:
            connector = partner.connector
            if connector.restrict_to_certificate and not self._certificate_satisfies(partner):
                says = f"It accepts this sender's mail only with its certificate; {self._certificate_text()}."
                leading.append(Reason(ReasonCode.PARTNER_RESTRICTED_TO_CERTIFICATE, connector.label, says))
            if connector.restrict_to_address and not self._address_satisfies(partner):
                says = f"It accepts this sender's mail only from its addresses, not from {self._evidence.address}."
                leading.append(Reason(ReasonCode.PARTNER_RESTRICTED_TO_ADDRESS, connector.label, says))
        leading.sort(key=lambda reason: reason.code is not ReasonCode.PARTNER_RESTRICTED_TO_CERTIFICATE)
        self._reasons[:0] = leading
        return self._refuse(SOURCE_DENIED, leading[0])

    def _incoming(self, tenant: str, domain: str, partners: list[Candidate]) -> Attribution:
        if refused := self._refused_as_direct_send(tenant, partners):
            return refused
        partner = self._labelling(partners)
        self._note_session()
        reasons = [Reason(ReasonCode.RECIPIENT_HOSTED, None, f"{domain} is a verified domain of {tenant}.")]
        if partner:
            says = f"It applies to mail from {self._sender_text()}."
            reasons.append(Reason(ReasonCode.PARTNER_MATCHED, partner.connector.label, says))
        return Attribution(
            Outcome.INCOMING,
            tenant,
            partner.connector.name if partner else None,
            Basis.RECIPIENT,
            (*reasons, *self._reasons),
            tuple(self._warnings),
            self._found.directory_version,
        )

    def _labelling(self, partners: list[Candidate]) -> Candidate | None:
        labelling = [partner for partner in partners if self._labels(partner)]
        return min(labelling, key=self._partner_preference, default=None)

    def _refused_as_direct_send(self, tenant: str, partners: list[Candidate]) -> Attribution | None:
        if not self._is_rejected_direct_send(tenant) or self._labelling(partners):
            return None
        self._note_session()
        says = f"The reverse-path is in a domain of {tenant}, and no connector of {tenant} applies to the sender."
        return self._refuse(DIRECT_SEND_DENIED, Reason(ReasonCode.DIRECT_SEND_REJECTED, None, says))

    def _labels(self, partner: Candidate) -> bool:
        """A partner connector with certificates or addresses labels what comes from there; one without, all it speaks
        of."""
        connector = partner.connector
        if connector.certificate_names or connector.pins or connector.addresses:
            return self._certificate_satisfies(partner) or self._address_satisfies(partner)
        return True

    def _partner_preference(self, partner: Candidate) -> tuple[bool, bool, int, str]:
        """Sorts by certificate before by address before neither, then the longer sender domain, then the name."""
        domains = [each for each in partner.connector.sender_domains if self._covers_sender(each)]
        longest = max((each.count(".") - each.startswith("*") for each in domains), default=-1)
        return (
            not self._certificate_satisfies(partner),
            not self._address_satisfies(partner),
            -longest,
            partner.connector.name,
        )

    def _is_rejected_direct_send(self, tenant: str) -> bool:
        sender = self._found.sender
        ours = sender is not None and sender.tenant == tenant
        return self._rules.reject_direct_send and self._found.rejects_direct_send and ours

    # Refusal.

    def _refused(self) -> Attribution:
        self._note_session()
        if self._found.recipient is None:
            says = f"No tenant has verified {self._evidence.forward_paths[-1].domain}."
            self._note(ReasonCode.RECIPIENT_NOT_HOSTED, None, says)
        code, presented = self._ground()
        return self._refuse(RELAY_DENIED, self._noted(code), presented)

    def _noted(self, code: ReasonCode) -> Reason:
        noted = next((reason for reason in self._reasons if reason.code is code), None)
        return noted or Reason(code, None, MEANINGS[code].sentence)

    def _ground(self) -> tuple[ReasonCode, str | None]:
        """The reason that helps the peer most. What it would tell of a connector it tells only to a peer that has
        shown to be that server: by its certificate's key, its verified name, or its address."""
        return self._certificate_ground() or self._address_ground() or (self._nothing_shown(), None)

    def _nothing_shown(self) -> ReasonCode:
        """No certificate, no listed address. Who names a reverse-path of a tenant is probably its server."""
        if self._found.sender is None:
            return ReasonCode.RECIPIENT_NOT_HOSTED
        if self._evidence.tls is None:
            return ReasonCode.ADDRESS_MATCHES_NO_CONNECTOR
        return ReasonCode.NO_CERTIFICATE_PRESENTED

    def _certificate_ground(self) -> tuple[ReasonCode, str | None] | None:
        certificate = self._evidence.certificate
        if certificate is None:
            return None
        for claim in self._switched_off:
            named = claim.basis is Basis.CERTIFICATE and claim.strong
            if named or (claim.basis is Basis.PIN and self._is_of_sender(claim.tenant)):
                return ReasonCode.CONNECTOR_DISABLED, claim.presented
        for code, presented in sorted(self._unfit.items()):
            return code, presented
        for claim in self._weak:
            if claim.basis is Basis.PIN and self._may_be_told(claim):
                return self._unmet(claim), claim.presented
        if isinstance(certificate, PresentedCertificate):
            return self._certificate_problem(certificate), None
        return ReasonCode.CERTIFICATE_NAME_MATCHES_NO_CONNECTOR, None

    def _certificate_problem(self, certificate: PresentedCertificate) -> ReasonCode:
        """Judged by the tenant's own trust anchors where that tells more than an unknown issuer."""
        code = reason_for(certificate)
        if code in _ISSUER_CODES:
            for candidate in self._found.connectors:
                judged = candidate.certificate
                if judged is not certificate and isinstance(judged, PresentedCertificate):
                    closer = reason_for(judged)
                    if closer not in _ISSUER_CODES or closer is ReasonCode.CERTIFICATE_INTERMEDIATE_MISSING:
                        return closer
        return code

    def _address_ground(self) -> tuple[ReasonCode, str | None] | None:
        weak = [claim for claim in self._weak if claim.basis is Basis.ADDRESS]
        told = {
            self._unmet(claim) for claim in weak if self._rules.reasons_from_every_connector or self._may_be_told(claim)
        }
        for code in _ADDRESS_CODES:
            if code in told:
                return code, None
        if any(claim.basis is Basis.ADDRESS and self._is_of_sender(claim.tenant) for claim in self._switched_off):
            return ReasonCode.CONNECTOR_DISABLED, None
        # Nobody owns a null reverse-path, so this is told without a look at who lists the address.
        if isinstance(self._evidence.reverse_path, NullReversePath) and not self._rules.reasons_from_every_connector:
            return ReasonCode.NULL_REVERSE_PATH_BY_ADDRESS_ONLY, None
        return None

    def _may_be_told(self, claim: _Claim) -> bool:
        """Of a claim that does not count: it is the tenant's that the reverse-path speaks of, or else a name in the
        certificate. Anybody can list an address and write down a digest; that must not change what others are told."""
        if self._found.sender or self._found.sender_claims:
            return self._speaks_for_sender(claim.tenant)
        return claim.basis is Basis.PIN and claim.tenant in self._found.name_owners

    def _speaks_for_sender(self, tenant: str) -> bool:
        """It owns the reverse-path's domain, or has added it while nobody owns it."""
        return self._is_of_sender(tenant) or self._is_claimed_by(tenant)

    def _is_claimed_by(self, tenant: str) -> bool:
        return any(unproven.tenant == tenant for unproven in self._found.sender_claims)

    def _is_of_sender(self, tenant: str) -> bool:
        return self._found.sender is not None and self._found.sender.tenant == tenant

    def _unmet(self, claim: _Claim) -> ReasonCode:
        """What a claim lacks that needs the reverse-path beside it."""
        if self._is_claimed_by(claim.tenant):
            return ReasonCode.REVERSE_PATH_DOMAIN_NOT_VERIFIED
        if claim.basis is Basis.PIN:
            return ReasonCode.PIN_NEEDS_OWNED_REVERSE_PATH
        if isinstance(self._evidence.reverse_path, NullReversePath):
            return ReasonCode.NULL_REVERSE_PATH_BY_ADDRESS_ONLY
        return ReasonCode.ADDRESS_NEEDS_OWNED_REVERSE_PATH

    def _refuse(self, reply: tuple[int, str, str], leading: Reason, presented: str | None = None) -> Attribution:
        return Attribution(
            Outcome.REFUSED,
            None,
            None,
            None,
            (leading, *(reason for reason in self._reasons if reason is not leading)),
            tuple(self._warnings),
            self._found.directory_version,
            Refusal(*reply, leading.code, fact(leading.code, self._evidence, self._at, presented)),
        )

    # Notes for the operator.

    def _note(self, code: ReasonCode, connector: InboundConnector | None, says: str) -> None:
        if len(self._reasons) < _MOST_NOTES:
            self._reasons.append(Reason(code, connector.label if connector else None, says))

    def _note_session(self) -> None:
        """What the session offered, and why that was not enough."""
        self._note_certificate()
        for claim in self._weak:
            self._note_unmet(claim)
        if not any(claim.basis is Basis.ADDRESS for claim in self._weak):
            says = f"{self._evidence.address} is not listed by any enabled on-premises connector."
            self._note(ReasonCode.ADDRESS_MATCHES_NO_CONNECTOR, None, says)
        for unproven in self._found.sender_claims:
            self._note_unproven(unproven)
        for connector in self._found.silent:
            self._note_silent(connector)

    def _note_certificate(self) -> None:
        certificate = self._evidence.certificate
        if certificate is None:
            says = self._certificate_text()
            self._note(ReasonCode.NO_CERTIFICATE_PRESENTED, None, f"{says[0].upper()}{says[1:]}.")
        elif isinstance(certificate, PresentedCertificate):
            self._note(reason_for(certificate), None, certificate_says(certificate))
        elif not any(candidate.names or candidate.pin for candidate in self._found.connectors):
            says = f"No on-premises connector names the certificate ({_names_text(certificate)})."
            self._note(ReasonCode.CERTIFICATE_NAME_MATCHES_NO_CONNECTOR, None, says)

    def _note_unproven(self, unproven: AcceptedDomain) -> None:
        """Under the tenant's connector that made it worth a look, so that nobody else reads of it."""
        says = f"{unproven.domain} was added to {unproven.tenant} but is not verified."
        own = (each.connector for each in self._found.connectors if each.connector.tenant == unproven.tenant)
        self._note(ReasonCode.REVERSE_PATH_DOMAIN_NOT_VERIFIED, next(own), says)

    def _note_unmet(self, claim: _Claim) -> None:
        if claim.basis is Basis.CERTIFICATE:
            return  # Its name is not owned, which has been noted.
        what = "pins the certificate" if claim.basis is Basis.PIN else f"lists {self._evidence.address}"
        says = f"It {what}, but the reverse-path ({self._sender_text()}) is in no verified domain of {claim.tenant}."
        self._note(self._unmet(claim), claim.connector, says)

    def _note_silent(self, connector: InboundConnector) -> None:
        """A connector of the tenant the reverse-path names, which nothing that was presented speaks to."""
        certificate = self._evidence.certificate
        if connector.certificate_names:
            names = _names_text(certificate) if certificate else "no certificate"
            says = f"Expected {', '.join(connector.certificate_names)}; the client presented {names}."
            self._note(ReasonCode.CERTIFICATE_NAME_DOES_NOT_MATCH, connector, says)
        if connector.pins:
            says = f"It pins {len(connector.pins)} certificate or key digests; the client presented " + (
                f"certificate {certificate.leaf.sha256}." if certificate else "no certificate."
            )
            self._note(ReasonCode.PIN_DOES_NOT_MATCH, connector, says)
        if connector.addresses:
            listed = ", ".join(str(network) for network in connector.addresses[:10])
            says = f"It lists {listed}; the session came from {self._evidence.address}."
            self._note(ReasonCode.ADDRESS_NOT_IN_RANGE, connector, says)

    def _sender_text(self) -> str:
        path = self._evidence.reverse_path
        return "null" if isinstance(path, NullReversePath) else path.domain

    def _certificate_text(self) -> str:
        certificate = self._evidence.certificate
        if certificate is None:
            if self._evidence.tls is None:
                return "the session was not encrypted, so no client certificate could be presented"
            return "the TLS session carried no client certificate"
        return f"the certificate presented is for {_names_text(certificate)}"


def _is_of_another(claim: NameClaim, connector: InboundConnector) -> bool:
    """Whether a wildcard of the connector reaches into a domain that another tenant has verified."""
    return claim.presented_owner is not None and claim.presented_owner.tenant != connector.tenant


_MATCHED = {
    Basis.CERTIFICATE: ReasonCode.CERTIFICATE_NAME_MATCHED,
    Basis.PIN: ReasonCode.PIN_MATCHED,
    Basis.ADDRESS: ReasonCode.ADDRESS_MATCHED,
}

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


def _leaf_name(candidate: Candidate) -> str:
    leaf = candidate.certificate.leaf if candidate.certificate else None
    return (next(iter(leaf.names), leaf.subject) if leaf else "") or "the certificate"


def _names_text(certificate: ClientCertificate) -> str:
    leaf = certificate.leaf
    return ", ".join(leaf.names[:10]) or leaf.subject or "no name"


def _matched_says(claim: _Claim) -> str:
    match claim.basis:
        case Basis.CERTIFICATE:
            return f"The verified certificate's name {claim.presented} matches."
        case Basis.PIN:
            return f"The certificate ({claim.presented}) is pinned."
        case _:
            return f"The address is in {claim.candidate.network}, and a path is in a domain of {claim.tenant}."
