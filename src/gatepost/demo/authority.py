"""The demo's certificate authority: a root, an intermediate below it, and the servers' certificates."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = timedelta(days=90)
_PURPOSES = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a server proves itself with: files that may be replaced while the server runs."""

    certificate: Path
    """The server's certificate and the intermediate, as servers should send them."""
    key: Path


@dataclass(frozen=True, slots=True)
class _Issuer:
    name: x509.Name
    key: EllipticCurvePrivateKey
    pem: bytes


class Authority:
    def __init__(self, root_file: Path) -> None:
        """`root_file`: where the root is published, for those who trust this authority."""
        root = _authority("Demo Root CA", None)
        self._intermediate = _authority("Demo Intermediate CA", root)
        root_file.write_bytes(root.pem)

    def issue(self, name: str, identity: Identity) -> None:
        """A new key and certificate for the server called `name`; files that exist are replaced, each in one move."""
        key = generate_private_key(SECP256R1())
        builder = _builder(_named(name), key, self._intermediate)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        builder = builder.add_extension(_PURPOSES, critical=False)
        leaf = builder.sign(self._intermediate.key, hashes.SHA256()).public_bytes(Encoding.PEM)
        _replace(identity.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
        _replace(identity.certificate, leaf + self._intermediate.pem, 0o644)


def _authority(name: str, issuer: _Issuer | None) -> _Issuer:
    key = generate_private_key(SECP256R1())
    builder = _builder(_named(name), key, issuer)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    signed = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    return _Issuer(signed.subject, key, signed.public_bytes(Encoding.PEM))


def _builder(subject: x509.Name, key: EllipticCurvePrivateKey, issuer: _Issuer | None) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    signer = issuer.key if issuer else key
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.name if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _replace(file: Path, content: bytes, mode: int) -> None:
    """A server that looks meanwhile sees the old file or the new one, never half of it."""
    fresh = file.with_name(f".{file.name}.new")
    fresh.touch(mode)
    fresh.write_bytes(content)
    fresh.replace(file)
