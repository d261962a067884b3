"""Evidence and attribution as JSON objects: what session records keep and `why` and `explain` print.

Certificates are kept once per file and named by their SHA-256 elsewhere; `with_certificates` puts them back.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from gatepost.tenancy.attribution import Attribution
from gatepost.tenancy.evidence import CertificateFacts, ClientCertificate, TlsEvidence, VerifiedCertificate
from gatepost.tenancy.fields import Record, time_text


def attribution_record(attribution: Attribution, reply: str) -> Record:
    """The fields that design §7 promises, and the refusal's reason code."""
    return {
        "outcome": attribution.outcome,
        "reason": attribution.refusal.reason if attribution.refusal else None,
        "tenant": attribution.tenant,
        "connector": attribution.connector,
        "basis": attribution.basis,
        "reply": reply,
        "reasons": [
            {"code": reason.code, "connector": reason.connector, "says": reason.says} for reason in attribution.reasons
        ],
        "warnings": list(attribution.warnings),
        "directory_version": attribution.directory_version,
    }


def certificate_record(facts: CertificateFacts) -> Record:
    """Everything about one certificate; `der` is its base64."""
    return {
        "sha256": facts.sha256,
        "public_key_sha256": facts.public_key_sha256,
        "subject": facts.subject,
        "issuer": facts.issuer,
        "serial": facts.serial,
        "not_before": time_text(facts.not_before),
        "not_after": time_text(facts.not_after),
        "names": list(facts.names),
        "purposes": None if facts.purposes is None else list(facts.purposes),
        "key": facts.key,
        "signature_algorithm": facts.signature_algorithm,
        "parse_errors": list(facts.parse_errors),
        "der": b64encode(facts.der).decode("ascii"),
    }


def tls_record(tls: TlsEvidence) -> Record:
    """TLS with its client certificate named by fingerprints."""
    return {
        "protocol": tls.protocol,
        "cipher": tls.cipher,
        "cipher_bits": tls.cipher_bits,
        "server_name": tls.server_name,
        "certificate": tls.certificate and _judged(tls.certificate),
    }


def _judged(certificate: ClientCertificate) -> Record:
    verified = isinstance(certificate, VerifiedCertificate)
    return {
        "verified": verified,
        "anchor": certificate.anchor if isinstance(certificate, VerifiedCertificate) else None,
        "errors": []
        if isinstance(certificate, VerifiedCertificate)
        else [{"code": error.code, "depth": error.depth, "text": error.text} for error in certificate.errors],
        "sha256": certificate.leaf.sha256,
        "chain": [each.sha256 for each in certificate.chain],
    }


def with_certificates(tls: Mapping[str, Any], certificates: Mapping[str, Mapping[str, Any]]) -> Record:
    """`tls` as `tls_record` made it, with the certificates themselves: the leaf's fields beside the verdict on it, and
    the chain as objects. A certificate that is not at hand shows its fingerprint only."""
    judged = tls["certificate"]
    if not judged:
        return dict(tls)
    leaf = {key: value for key, value in certificates.get(judged["sha256"], {}).items() if key != "der"}
    chain = [dict(certificates.get(sha256, {"sha256": sha256})) for sha256 in judged["chain"]]
    return {**tls, "certificate": {**leaf, **judged, "chain": chain}}
