"""Whether a chain of certificates matches TLSA records (RFC 7672 3.1, RFC 7671 5).

What flows through: the chain as presented, and usable records; out comes the record that matches, or in words why none
does. Laws: usage 3 looks at the leaf alone, whatever its names and dates (RFC 7672 3.1.1); usage 2 takes the matching
certificate as the only trust anchor, and then names and dates count (3.1.2). What one attempt judges is bounded: the
records are a stranger's, and the event loop waits.
"""

import ssl
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256, sha512
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gatepost.net.certificates import facts
from gatepost.net.tls_session import Judge
from gatepost.tenancy.evidence import CertificateFacts, PresentedCertificate
from gatepost.tenancy.tlsa import CERTIFICATE, DANE_EE, DANE_TA, FULL, SHA2_256, TlsaMatch, TlsaRecord

MOST_ANCHORS: Final = 16
"""Judged for one chain; a host that changes its authority publishes two."""


def matches(record: TlsaRecord, certificate: CertificateFacts) -> bool:
    octets = certificate.der if record.selector == CERTIFICATE else _public_key(certificate.der)
    if octets is None:
        return False
    if record.matching == FULL:
        return octets == record.data
    digest = sha256 if record.matching == SHA2_256 else sha512
    return digest(octets).digest() == record.data


def leaf_match(chain: Sequence[CertificateFacts], records: Sequence[TlsaRecord]) -> TlsaRecord | None:
    """Usage 3."""
    return next((each for each in records if each.usage == DANE_EE and matches(each, chain[0])), None)


def anchor_match(
    chain: tuple[CertificateFacts, ...], records: Sequence[TlsaRecord], judge: Judge, at: datetime
) -> TlsaMatch:
    """Usage 2: the record that is the anchor of a chain that verifies."""
    problem, judged = "", 0
    for record in records:
        if record.usage != DANE_TA:
            continue
        anchor = next((each for each in chain[1:] if matches(record, each)), None) or _anchor_in(record)
        if anchor is None:
            problem = f"no certificate above the server's matches TLSA {record.kind}"
            continue
        if judged == MOST_ANCHORS:
            break
        judged += 1
        found = judge(chain, (ssl.DER_cert_to_PEM_cert(anchor.der),), at)
        if not isinstance(found, PresentedCertificate):
            return TlsaMatch(record)
        problem = f"the server's certificate did not verify under TLSA {record.kind}: {found.errors[0].text}"
    return TlsaMatch(None, problem)


def _anchor_in(record: TlsaRecord) -> CertificateFacts | None:
    """A record may hold the whole certificate, and then it need not be presented (RFC 7671 5.2.2)."""
    if record.selector != CERTIFICATE or record.matching != FULL:
        return None
    found = facts(record.data)
    return found if found.public_key_sha256 else None


def _public_key(der: bytes) -> bytes | None:
    try:
        key = x509.load_der_x509_certificate(der).public_key()
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except Exception:  # anything at all may be inside a stranger's certificate
        return None
