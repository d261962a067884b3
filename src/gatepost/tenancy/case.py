"""One session before attribution: what is known of it, what claims it, what was noted on the way; and the verdict.

    candidates ─▶ claims ─▶ attribution ─┬─▶ recipient_rules ─▶ verdict
                                         └─▶ session_notes, refusal_reason ─▶ refusal

Each of these modules decides its part of the case and writes its notes into it. Law: a bounded number of connectors is
noted one by one, for any number of tenants may list an address.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from gatepost.mail.address import NullReversePath
from gatepost.tenancy.candidates import Candidate, Candidates, NameClaim, unmapped
from gatepost.tenancy.evidence import ClientCertificate, Evidence
from gatepost.tenancy.names import MatchKind, lies_deeper
from gatepost.tenancy.reasons import MEANINGS, Reason, ReasonCode
from gatepost.tenancy.refusal import ENCRYPTION_NEEDED, Refusal, fact
from gatepost.tenancy.rules import RuleSet
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector

_MOST_NOTES = 50


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


class Claim(NamedTuple):
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


class Case:
    """Reasons gather on the way; the verdict puts its own first."""

    __slots__ = ("at", "disabled", "evidence", "found", "reasons", "rules", "unfit", "warnings", "weak")

    def __init__(self, evidence: Evidence, found: Candidates, at: datetime, rules: RuleSet) -> None:
        self.evidence = evidence
        self.found = found
        self.at = at
        self.rules = rules
        self.reasons: list[Reason] = []
        self.warnings: list[str] = []
        self.weak: list[Claim] = []
        """Claims that need the reverse-path or the recipient beside them."""
        self.disabled: list[Claim] = []
        """The claims that disabled connectors would have."""
        self.unfit: dict[ReasonCode, str] = {}
        """What was wrong with an otherwise good match by certificate name, and the name."""

    def note(self, code: ReasonCode, connector: InboundConnector | None, says: str) -> None:
        if len(self.reasons) < _MOST_NOTES:
            self.reasons.append(Reason(code, connector.label if connector else None, says))

    def noted(self, code: ReasonCode) -> Reason:
        noted = next((reason for reason in self.reasons if reason.code is code), None)
        return noted or Reason(code, None, MEANINGS[code].sentence)

    def refuse(self, reply: tuple[int, str, str], leading: Reason, presented: str | None = None) -> Attribution:
        return Attribution(
            Outcome.REFUSED,
            None,
            None,
            None,
            (leading, *(reason for reason in self.reasons if reason is not leading)),
            tuple(self.warnings),
            self.found.directory_version,
            Refusal(*reply, leading.code, fact(leading.code, self.evidence, self.at, presented)),
        )

    def refuse_plaintext(self, connector: InboundConnector) -> Attribution:
        says = "The connector requires TLS, and the session is not encrypted."
        code, status = self.rules.tls_refusal
        return self.refuse((code, status, ENCRYPTION_NEEDED), Reason(ReasonCode.TLS_REQUIRED, connector.label, says))

    def counts(self, claim: NameClaim) -> bool:
        match = claim.match
        if match.kind is MatchKind.WILDCARD_CERTIFICATE and not self.rules.wildcard_certificate_for_exact_name:
            return False
        if self.rules.wildcard_of_one_label and lies_deeper(match.presented, match.pattern):
            return False
        return self.rules.common_name_beside_san or not match.beside_san

    def address_counts(self) -> bool:
        return self.rules.ipv6 or unmapped(self.evidence.address).version == 4

    def lacks_tls(self, claim: Claim) -> bool:
        return self.rules.on_premises_require_tls and claim.connector.require_tls and self.evidence.tls is None

    def is_of_sender(self, tenant: str) -> bool:
        return self.found.sender is not None and self.found.sender.tenant == tenant

    def is_claimed_by(self, tenant: str) -> bool:
        return any(unproven.tenant == tenant for unproven in self.found.sender_claims)

    def speaks_for_sender(self, tenant: str) -> bool:
        """It owns the reverse-path's domain, or has added it while nobody owns it."""
        return self.is_of_sender(tenant) or self.is_claimed_by(tenant)

    def sender_text(self) -> str:
        path = self.evidence.reverse_path
        return "null" if isinstance(path, NullReversePath) else path.domain

    def certificate_text(self) -> str:
        certificate = self.evidence.certificate
        if certificate is None:
            if self.evidence.tls is None:
                return "the session was not encrypted, so no client certificate could be presented"
            return "the TLS session carried no client certificate"
        return f"the certificate presented is for {names_text(certificate)}"


def names_text(certificate: ClientCertificate) -> str:
    leaf = certificate.leaf
    return ", ".join(leaf.names[:10]) or leaf.subject or "no name"
