"""Certificates in files that are not text: DER, PKCS#7 chains, PFX with or without a password.

Laws: of a private key it is told that it is there, no more; a password comes from whoever is asked and goes nowhere.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from cryptography.hazmat.primitives.serialization import pkcs12

from gatepost.doctor.evidence import CertificateRole, CertificateSeen
from gatepost.doctor.readers.asn1 import derivations
from gatepost.doctor.readers.certificates import chain_of, from_der, from_pkcs7, role_of
from gatepost.exchange.source import Source

# Some seconds of hashing, which nothing can interrupt. Common programs count 2,000 to 600,000 in each of a few places.
_MOST_DERIVATIONS: Final = 5_000_000

_NOTHING = "neither a certificate nor a chain nor a key store that can be read"
_LOCKED = (
    "a PFX with a password: say it in the file that --pfx-password-file names, or hand in its certificates alone: "
    "openssl pkcs12 -nokeys -in FILE -out FILE.pem"
)
_COSTLY = "a PFX whose password would take minutes to try: its iteration counts are not those of any common program"
_WRONG = "a PFX that this password does not open"


def read(octets: bytes, name: str, password_of: Callable[[str], str | None] | None) -> list[CertificateSeen] | str:
    """The certificates, leaf first; or why there are none."""
    source, role = Source(name, 1), role_of(name)
    if single := from_der(octets, source, role):
        return [single]
    if chain := from_pkcs7(octets, source, role):
        return chain
    return _from_pkcs12(octets, name, role, password_of)


def _from_pkcs12(
    octets: bytes, name: str, role: CertificateRole, password_of: Callable[[str], str | None] | None
) -> list[CertificateSeen] | str:
    if not _looks_like_pkcs12(octets):
        return _NOTHING
    if derivations(octets) > _MOST_DERIVATIONS:
        return _COSTLY
    for nothing in (None, b""):
        if found := _opened(octets, nothing, Source(name, 1), role):
            return found
    password = password_of(name) if password_of else None
    if password is None:
        return _LOCKED
    return _opened(octets, password.encode("utf-8"), Source(name, 1), role) or _WRONG


def _looks_like_pkcs12(octets: bytes) -> bool:
    """A sequence that begins with the version 3 and goes on with data or signed data of PKCS#7."""
    return b"\x02\x01\x03\x30" in octets[:12] and b"\x2a\x86\x48\x86\xf7\x0d\x01\x07" in octets[:40]


def _opened(octets: bytes, password: bytes | None, source: Source, role: CertificateRole) -> list[CertificateSeen]:
    try:
        store = pkcs12.load_pkcs12(octets, password)
    except Exception:  # a wrong password and strangers' octets raise many kinds
        return []
    certificates = [store.cert.certificate] if store.cert else []
    certificates += [each.certificate for each in store.additional_certs]
    chain = chain_of(certificates, source, role)
    return [replace(each, has_private_key=store.key is not None) if each.depth == 0 else each for each in chain]
