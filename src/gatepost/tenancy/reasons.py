"""Reason codes: the stable words for why a session was, or was not, taken for a tenant's.

Every code has one sentence here, a page `docs/reasons/<code>.md`, and a test that holds the three together. Codes are a
contract: other programs match on them, so they are added and never renamed.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gatepost.tenancy.evidence import PresentedCertificate


class ReasonCode(StrEnum):
    NO_CERTIFICATE_PRESENTED = "no-certificate-presented"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_NOT_YET_VALID = "certificate-not-yet-valid"
    CERTIFICATE_SELF_SIGNED = "certificate-self-signed"
    CERTIFICATE_ISSUER_UNKNOWN = "certificate-issuer-unknown"
    CERTIFICATE_INTERMEDIATE_MISSING = "certificate-intermediate-missing"
    CERTIFICATE_PURPOSE = "certificate-purpose"
    CERTIFICATE_WEAK_KEY = "certificate-weak-key"
    CERTIFICATE_INVALID = "certificate-invalid"
    CERTIFICATE_NAME_MATCHES_NO_CONNECTOR = "certificate-name-matches-no-connector"
    WILDCARD_CERTIFICATE_FOR_EXACT_NAME = "wildcard-certificate-for-exact-name"
    CERTIFICATE_NAME_NOT_OWNED = "certificate-name-not-owned"
    ADDRESS_MATCHES_NO_CONNECTOR = "address-matches-no-connector"
    ADDRESS_NEEDS_OWNED_REVERSE_PATH = "address-needs-owned-reverse-path"
    NULL_REVERSE_PATH_BY_ADDRESS_ONLY = "null-reverse-path-by-address-only"
    REVERSE_PATH_DOMAIN_NOT_VERIFIED = "reverse-path-domain-not-verified"
    PIN_NEEDS_OWNED_REVERSE_PATH = "pin-needs-owned-reverse-path"
    CONNECTOR_DISABLED = "connector-disabled"
    CONFLICTING_TENANTS = "conflicting-tenants"
    RECIPIENT_NOT_HOSTED = "recipient-not-hosted"
    PARTNER_RESTRICTED_TO_CERTIFICATE = "partner-restricted-to-certificate"
    PARTNER_RESTRICTED_TO_ADDRESS = "partner-restricted-to-address"
    TLS_REQUIRED = "tls-required"
    DIRECT_SEND_REJECTED = "direct-send-rejected"

    LESS_SPECIFIC_THAN_ANOTHER = "less-specific-than-another"
    CERTIFICATE_NAME_DOES_NOT_MATCH = "certificate-name-does-not-match"
    PIN_DOES_NOT_MATCH = "pin-does-not-match"
    PIN_NAMES_ANOTHER_TENANT = "pin-names-another-tenant"
    PIN_YIELDS_TO_DOMAIN = "pin-yields-to-domain"
    ADDRESS_NOT_IN_RANGE = "address-not-in-range"
    RECIPIENT_HAS_NO_ROUTE = "recipient-has-no-route"
    SEVERAL_RECIPIENT_DOMAINS = "several-recipient-domains"

    CERTIFICATE_NAME_MATCHED = "certificate-name-matched"
    PIN_MATCHED = "pin-matched"
    ADDRESS_MATCHED = "address-matched"
    RECIPIENT_HOSTED = "recipient-hosted"
    PARTNER_MATCHED = "partner-matched"


class ReasonKind(StrEnum):
    REFUSAL = "refusal"
    """Can be the reason a recipient is refused with; told to the peer."""
    NOTE = "note"
    """About one connector or one look-up; told to operators only."""
    MATCH = "match"
    """Why mail was accepted."""


@dataclass(frozen=True, slots=True)
class Meaning:
    kind: ReasonKind
    sentence: str


_REFUSAL, _NOTE, _MATCH = ReasonKind

MEANINGS: Final[dict[ReasonCode, Meaning]] = {
    ReasonCode.NO_CERTIFICATE_PRESENTED: Meaning(
        _REFUSAL, "The session carried no client certificate, so no connector could be recognised by one."
    ),
    ReasonCode.CERTIFICATE_EXPIRED: Meaning(
        _REFUSAL, "The client certificate, or one above it in its chain, is past its last day."
    ),
    ReasonCode.CERTIFICATE_NOT_YET_VALID: Meaning(
        _REFUSAL, "The client certificate, or one above it in its chain, is before its first day."
    ),
    ReasonCode.CERTIFICATE_SELF_SIGNED: Meaning(
        _REFUSAL, "The client certificate is self-signed, so no authority vouches for the names in it."
    ),
    ReasonCode.CERTIFICATE_ISSUER_UNKNOWN: Meaning(
        _REFUSAL, "The client certificate does not chain to a root certificate that the relay trusts."
    ),
    ReasonCode.CERTIFICATE_INTERMEDIATE_MISSING: Meaning(
        _REFUSAL,
        "The client certificate was sent without the intermediate certificate that links it to a trusted root.",
    ),
    ReasonCode.CERTIFICATE_PURPOSE: Meaning(
        _REFUSAL,
        "The client certificate is not valid for client authentication, and this listener requires that purpose.",
    ),
    ReasonCode.CERTIFICATE_WEAK_KEY: Meaning(
        _REFUSAL, "The client certificate, or one above it in its chain, has a key or signature too weak to rely on."
    ),
    ReasonCode.CERTIFICATE_INVALID: Meaning(
        _REFUSAL, "The client certificate did not verify, for a cause that has no reason code of its own."
    ),
    ReasonCode.CERTIFICATE_NAME_MATCHES_NO_CONNECTOR: Meaning(
        _REFUSAL, "The client certificate is valid, but no inbound connector names it."
    ),
    ReasonCode.WILDCARD_CERTIFICATE_FOR_EXACT_NAME: Meaning(
        _REFUSAL, "The client certificate is for a wildcard name, and the connector requires one exact host name."
    ),
    ReasonCode.CERTIFICATE_NAME_NOT_OWNED: Meaning(
        _REFUSAL, "The name matches a connector whose tenant has not verified the domain that owns the name."
    ),
    ReasonCode.ADDRESS_MATCHES_NO_CONNECTOR: Meaning(
        _REFUSAL, "The connecting address is listed in no inbound connector."
    ),
    ReasonCode.ADDRESS_NEEDS_OWNED_REVERSE_PATH: Meaning(
        _REFUSAL,
        "The address is listed, but an address identifies a tenant only together with a reverse-path in a verified "
        "domain of that tenant.",
    ),
    ReasonCode.NULL_REVERSE_PATH_BY_ADDRESS_ONLY: Meaning(
        _REFUSAL,
        "The session can be recognised by its address only, and a null reverse-path does not say which tenant is "
        "sending.",
    ),
    ReasonCode.REVERSE_PATH_DOMAIN_NOT_VERIFIED: Meaning(
        _REFUSAL, "The reverse-path's domain was added to the tenant but its ownership has not been verified."
    ),
    ReasonCode.PIN_NEEDS_OWNED_REVERSE_PATH: Meaning(
        _REFUSAL,
        "The certificate is pinned, but until the tenant has proved to hold its key a pin counts only together with a "
        "reverse-path in a verified domain of that tenant.",
    ),
    ReasonCode.CONNECTOR_DISABLED: Meaning(
        _REFUSAL, "The inbound connector that would have recognised this server is disabled."
    ),
    ReasonCode.CONFLICTING_TENANTS: Meaning(
        _REFUSAL,
        "The certificate matches connectors of several tenants equally well, and no tenant owns the reverse-path.",
    ),
    ReasonCode.RECIPIENT_NOT_HOSTED: Meaning(
        _REFUSAL, "The session belongs to no tenant, and the relay does not accept mail for the recipient's domain."
    ),
    ReasonCode.PARTNER_RESTRICTED_TO_CERTIFICATE: Meaning(
        _REFUSAL, "The recipient's tenant accepts mail from this sender domain only with a specific certificate."
    ),
    ReasonCode.PARTNER_RESTRICTED_TO_ADDRESS: Meaning(
        _REFUSAL, "The recipient's tenant accepts mail from this sender domain only from specific addresses."
    ),
    ReasonCode.TLS_REQUIRED: Meaning(
        _REFUSAL, "The connector that applies to this mail requires TLS, and the session is not encrypted."
    ),
    ReasonCode.DIRECT_SEND_REJECTED: Meaning(
        _REFUSAL,
        "The recipient's tenant rejects mail from its own domain that did not arrive over one of its connectors.",
    ),
    ReasonCode.LESS_SPECIFIC_THAN_ANOTHER: Meaning(_NOTE, "The connector matched, and another one matched better."),
    ReasonCode.CERTIFICATE_NAME_DOES_NOT_MATCH: Meaning(
        _NOTE, "The connector has certificate names, and the session presented no such name."
    ),
    ReasonCode.PIN_NAMES_ANOTHER_TENANT: Meaning(
        _NOTE,
        "The pinned certificate is another tenant's by a name in it or an earlier proof, so the pin, proven or not, "
        "counts only together with an owned reverse-path.",
    ),
    ReasonCode.PIN_YIELDS_TO_DOMAIN: Meaning(
        _NOTE,
        "The pin is proven, but the reverse-path or the recipient is in another tenant's domain, so the pin counts "
        "only together with an owned reverse-path.",
    ),
    ReasonCode.PIN_DOES_NOT_MATCH: Meaning(
        _NOTE, "The connector pins a certificate or public key; the session presented another one, or none."
    ),
    ReasonCode.ADDRESS_NOT_IN_RANGE: Meaning(
        _NOTE, "The connector lists addresses, and the connecting address is not one of them."
    ),
    ReasonCode.RECIPIENT_HAS_NO_ROUTE: Meaning(
        _NOTE, "The recipient's domain is verified, but no send connector leads to its servers."
    ),
    ReasonCode.SEVERAL_RECIPIENT_DOMAINS: Meaning(
        _NOTE, "The recipient's domain would identify the tenant, but the transaction names several recipient domains."
    ),
    ReasonCode.CERTIFICATE_NAME_MATCHED: Meaning(
        _MATCH, "A name in the verified client certificate matches the connector."
    ),
    ReasonCode.PIN_MATCHED: Meaning(_MATCH, "The client certificate is the one the connector pins."),
    ReasonCode.ADDRESS_MATCHED: Meaning(
        _MATCH, "The connecting address is listed in the connector, and a path names a verified domain of its tenant."
    ),
    ReasonCode.RECIPIENT_HOSTED: Meaning(
        _MATCH, "The recipient's domain is a verified domain of a tenant, and a route exists for it."
    ),
    ReasonCode.PARTNER_MATCHED: Meaning(
        _MATCH, "A partner connector of the recipient's tenant applies to this sender."
    ),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that was considered, and what came of it."""

    code: ReasonCode
    connector: str | None
    """Label `tenant/name`; None: about the session."""
    says: str
    """One sentence, for the operator's eyes only."""


_BY_VERIFICATION_ERROR: Final[dict[int, ReasonCode]] = {
    9: ReasonCode.CERTIFICATE_NOT_YET_VALID,
    10: ReasonCode.CERTIFICATE_EXPIRED,
    18: ReasonCode.CERTIFICATE_SELF_SIGNED,
    19: ReasonCode.CERTIFICATE_ISSUER_UNKNOWN,
    26: ReasonCode.CERTIFICATE_PURPOSE,
    66: ReasonCode.CERTIFICATE_WEAK_KEY,
    67: ReasonCode.CERTIFICATE_WEAK_KEY,
    68: ReasonCode.CERTIFICATE_WEAK_KEY,
}
"""OpenSSL's X509_V_ERR numbers."""

_ISSUER_NOT_FOUND: Final = frozenset({2, 20, 21, 27})
"""Unable to get (local) issuer certificate, unable to verify the first certificate, certificate not trusted."""


def reason_for(certificate: PresentedCertificate) -> ReasonCode:
    """Why a certificate counts for nothing: its decisive verification error.

    A leaf whose issuer is an unknown root and a leaf whose intermediate was not sent give the same error. Which of the
    two it is rests on the evidence that the judge collected in `missing_intermediate`. The judge reports a wrong
    purpose only for a listener that insists on clientAuth.
    """
    if not certificate.errors:
        return ReasonCode.CERTIFICATE_INVALID
    code = certificate.errors[0].code
    if code in _ISSUER_NOT_FOUND:
        if certificate.missing_intermediate:
            return ReasonCode.CERTIFICATE_INTERMEDIATE_MISSING
        return ReasonCode.CERTIFICATE_ISSUER_UNKNOWN
    return _BY_VERIFICATION_ERROR.get(code, ReasonCode.CERTIFICATE_INVALID)


def certificate_says(certificate: PresentedCertificate) -> str:
    """The sentence that goes with `reason_for`: which certificate, what is wrong with it, and what else it may be."""
    leaf = certificate.leaf
    name = next(iter(leaf.names), leaf.subject) or "without a name"
    error = certificate.errors[0] if certificate.errors else None
    says = f"The client certificate '{name}' (issuer '{leaf.issuer}', serial {leaf.serial}) did not verify"
    if error:
        says += f": {error.text}" + (f" (certificate {error.depth + 1} of the chain)" if error.depth else "")
    if error and error.code in _ISSUER_NOT_FOUND and (missing := certificate.missing_issuer):
        return f"{says}; '{missing}' is an intermediate of a known root, which the server did not send."
    if error and error.code in _ISSUER_NOT_FOUND and len(certificate.chain) == 1:
        return says + "; it came alone, so an intermediate certificate may be missing rather than its root unknown."
    return says + "."
