"""A tenant's own certificate authorities: PEM files are read once and kept as content, so the files may move."""

from pathlib import Path
from typing import TYPE_CHECKING

from gatepost.admin.declined import WrongUse

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def read_trust_anchors(file: Path) -> tuple[str, ...]:
    """Every certificate of `file`, each as one PEM text. Raises `WrongUse`."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise WrongUse(f"the trust anchor {file} cannot be read: {error.strerror}") from None
    return trust_anchors(content, str(file))


def trust_anchors(content: bytes, source: str) -> tuple[str, ...]:
    """Every certificate of `content`, each as one PEM text. Raises `WrongUse`."""
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_pem_x509_certificates

    if b"PRIVATE KEY-----" in content:
        raise WrongUse(f"the trust anchor {source} holds a private key: give the authority's certificate alone")
    try:
        certificates = load_pem_x509_certificates(content)
    except ValueError:
        raise WrongUse(
            f"the trust anchor {source} holds no readable certificate: PEM is wanted, -----BEGIN CERTIFICATE-----"
        ) from None
    for certificate in certificates:
        _must_be_authority(certificate, source)
    return tuple(certificate.public_bytes(Encoding.PEM).decode("ascii") for certificate in certificates)


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
        raise WrongUse(f"the trust anchor {source} cannot be used: {error}") from None
    if not is_authority:
        subject = certificate.subject.rfc4514_string()
        raise WrongUse(
            f"{source}: {subject} is no certificate authority; to accept this one certificate: "
            f"--certificate-sha256 {certificate.fingerprint(SHA256()).hex()}"
        )
