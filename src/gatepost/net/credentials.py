"""What this server proves itself with: a certificate chain and its private key, from files.

`load_credentials` refuses unusable files with one line (`CredentialError`); what is unwise but works is a warning.
"""

import stat
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from gatepost.net.certificates import CredentialError, certificates_in, facts, read_file
from gatepost.tenancy.evidence import CertificateFacts

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A chain, leaf first, with the leaf's private key: they fit together."""

    chain: tuple[CertificateFacts, ...]
    key: PrivateKey
    warnings: tuple[str, ...] = ()

    @property
    def leaf(self) -> CertificateFacts:
        return self.chain[0]


def load_credentials(certificate_path: str | Path, key_path: str | Path) -> Credentials:
    """Read a PEM chain and its key; CredentialError says in one line what is wrong with which file."""
    ders = certificates_in(read_file(certificate_path, "certificate"), f"certificate file {certificate_path}")
    key = _private_key(read_file(key_path, "key"), key_path)
    chain = _readable(ders, certificate_path)
    _check_they_fit(ders, chain, key, certificate_path, key_path)
    found = (*_key_file_warnings(key_path), *_order_warnings(chain, certificate_path))
    return Credentials(chain=chain, key=key, warnings=found)


def _readable(ders: tuple[bytes, ...], path: str | Path) -> tuple[CertificateFacts, ...]:
    chain = tuple(facts(der) for der in ders)
    for position, each in enumerate(chain, 1):
        if each.parse_errors and each.parse_errors[0].startswith("certificate: "):
            raise CredentialError(f"certificate file {path}: number {position}, {each.parse_errors[0]}")
    return chain


def _private_key(content: bytes, path: str | Path) -> PrivateKey:
    try:
        key = load_pem_private_key(content, None) if b"-----BEGIN" in content else load_der_private_key(content, None)
    except TypeError as error:
        raise CredentialError(
            f"key file {path} is encrypted and nobody is there to type the passphrase: "
            f"write it without one (openssl pkey -in {path} -out NEW)"
        ) from error
    except Exception as error:  # the parser has many ways to say that this is not a key
        found = (
            "it holds a certificate; are certificate and key swapped?"
            if b"BEGIN CERT" in content
            else ("give a PEM file with -----BEGIN PRIVATE KEY-----")
        )
        raise CredentialError(f"key file {path} holds no private key that can be read: {found}") from error
    if not isinstance(key, PrivateKey):
        raise CredentialError(f"key file {path}: TLS has no use for a {type(key).__name__}; use an RSA or EC key")
    return key


def _check_they_fit(
    ders: tuple[bytes, ...],
    chain: tuple[CertificateFacts, ...],
    key: PrivateKey,
    certificate_path: str | Path,
    key_path: str | Path,
) -> None:
    own = _spki(key.public_key())
    positions = [position for position, der in enumerate(ders, 1) if _public_key(der) == own]
    if not positions:
        raise CredentialError(
            f"key file {key_path} does not belong to the certificate in {certificate_path} ({chain[0].subject}): "
            "give the key that the certificate was requested with"
        )
    if positions[0] != 1:
        raise CredentialError(
            f"certificate file {certificate_path}: the certificate of the key must come first, "
            f"but it is number {positions[0]}, after {chain[0].subject}: reorder the file, leaf first"
        )


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _public_key(der: bytes) -> bytes | None:
    try:
        return _spki(x509.load_der_x509_certificate(der).public_key())
    except Exception:  # a key of a kind that nobody here knows is not ours
        return None


def _key_file_warnings(path: str | Path) -> tuple[str, ...]:
    if Path(path).stat().st_mode & stat.S_IROTH:
        return (f"key file {path} can be read by every user of this machine: chmod 600 {path}",)
    return ()


def _order_warnings(chain: tuple[CertificateFacts, ...], path: str | Path) -> tuple[str, ...]:
    for position, (below, above) in enumerate(pairwise(chain), 2):
        if below.issuer != above.subject:
            return (
                f"certificate file {path}: certificate {position} ({above.subject}) did not issue the one before it; "
                "some peers will not find the way to the root: put each issuer after what it issued",
            )
    return ()
