"""A tenant's own certificate authorities: PEM files are read once and kept as content, so the files may move."""

from pathlib import Path
from typing import TYPE_CHECKING

from gatepost.errors import BadRequest
from gatepost.tenancy.definitions import INBOUND_CONNECTOR

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


_LARGEST = 8192
"""Octets of one certificate."""
_LARGEST_FILE = 1024 * 1024
_LONGEST_RSA = 8192
"""Bits."""


def read_trust_anchors(file: Path) -> tuple[str, ...]:
    """Every certificate of `file`, each as one PEM text. Raises `BadRequest`."""
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise BadRequest(f"the trust anchor {file} cannot be read: {error.strerror}") from None
    if len(content) > _LARGEST_FILE:
        raise BadRequest(f"the trust anchor {file} is larger than 1 MiB: give the tenant's own authorities alone")
    return trust_anchors(content, str(file))


def trust_anchors(content: bytes, source: str) -> tuple[str, ...]:
    """Every certificate of `content`, each as one PEM text. Raises `BadRequest`."""
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_pem_x509_certificates

    if b"PRIVATE KEY-----" in content:
        raise BadRequest(f"the trust anchor {source} holds a private key: give the authority's certificate alone")
    try:
        certificates = load_pem_x509_certificates(content)
    except ValueError:
        raise BadRequest(
            f"the trust anchor {source} contains no readable certificate; it must be PEM (-----BEGIN CERTIFICATE-----)"
        ) from None
    for certificate in certificates:
        _must_be_bounded(certificate, source)
        _must_be_authority(certificate, source)
    return tuple(certificate.public_bytes(Encoding.PEM).decode("ascii") for certificate in certificates)


def _must_be_bounded(certificate: "Certificate", source: str) -> None:
    """Every chain that is judged against it pays for its size."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import Encoding

    octets = len(certificate.public_bytes(Encoding.DER))
    if octets > _LARGEST:
        raise BadRequest(
            f"the trust anchor {source} has {octets} octets", next_step=f"a certificate of at most {_LARGEST} is taken"
        )
    try:
        key = certificate.public_key()
    except Exception:  # a stranger's key may be anything
        raise BadRequest(
            f"the trust anchor {source} has a key that cannot be read", next_step="RSA or EC must be used"
        ) from None
    if isinstance(key, RSAPublicKey) and key.key_size > _LONGEST_RSA:
        raise BadRequest(
            f"the trust anchor {source} has an RSA key of {key.key_size} bits",
            next_step=f"at most {_LONGEST_RSA} are taken",
        )


def _must_be_authority(certificate: "Certificate", source: str) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        is_authority = constraints.ca
    except x509.ExtensionNotFound:
        # RFC 5280 4.2.1.9: version 1 knew no extensions, and old private roots are of version 1.
        is_authority = certificate.version is x509.Version.v1 and certificate.issuer == certificate.subject
    except ValueError as error:
        raise BadRequest(f"the trust anchor {source} cannot be used: {error}") from None
    if not is_authority:
        subject = certificate.subject.rfc4514_string()
        raise BadRequest(
            f"{source}: {subject} is not a certificate authority",
            next_step=(
                "to accept this one certificate: ",
                INBOUND_CONNECTOR["certificate_sha256"],
                f" {certificate.fingerprint(SHA256()).hex()}",
            ),
        )
