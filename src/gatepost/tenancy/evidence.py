"""The facts of a session, before anybody judges them.

Law: a certificate that did not verify can never match a connector name. `VerifiedCertificate` and
`PresentedCertificate` are two types, and name matching accepts only the first.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

from gatepost.mail.address import ForwardPath, ReversePath
from gatepost.value import value

Address = IPv4Address | IPv6Address

_PLAIN_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z"
)
"""Letters, digits and hyphens (RFC 5890 2.3.1), as written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """What one certificate says. A field that could not be parsed is empty and named in `parse_errors`."""

    der: bytes
    sha256: str
    """Of the DER, lower-case hex."""
    public_key_sha256: str
    """Of the SubjectPublicKeyInfo, lower-case hex; empty when it could not be parsed."""
    subject: str
    issuer: str
    serial: str
    """Lower-case hex without leading zeros."""
    not_before: datetime | None
    not_after: datetime | None
    common_names: tuple[str, ...]
    dns_names: tuple[str, ...]
    """SAN dNSName entries, as written."""
    purposes: tuple[str, ...] | None
    """Extended key usage: `serverAuth`, `clientAuth`, `anyExtendedKeyUsage` or a dotted OID; None: no extension."""
    key: str
    """For people: `RSA 2048`, `EC secp256r1`, `Ed25519`."""
    signature_algorithm: str
    parse_errors: tuple[str, ...] = ()
    has_other_san: bool = False
    """It has a subjectAltName extension, though perhaps without a DNS name: e-mail addresses, URIs, IP addresses."""

    @property
    def has_san(self) -> bool:
        return bool(self.dns_names) or self.has_other_san

    @property
    def plain_common_name(self) -> str | None:
        """The common name, where it may be a host name at all: the only one, and in plain letters, digits and hyphens.
        An authority checks the form of a DNS name; what stands in a common name, a person may have chosen."""
        if len(self.common_names) != 1 or not _PLAIN_HOST.match(self.common_names[0]):
            return None
        return self.common_names[0]

    @property
    def names(self) -> tuple[str, ...]:
        """The names that count: SAN DNS names; the common name where there is no subjectAltName (RFC 6125 6.4.4)."""
        if self.has_san:
            return self.dns_names
        return (self.plain_common_name,) if self.plain_common_name else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationError:
    """One thing wrong with a chain. `code` is OpenSSL's X509_V_ERR number, `depth` 0 is the leaf."""

    code: int
    depth: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCertificate:
    """A chain that leads to a trusted root, is in its time, and may be used."""

    leaf: CertificateFacts
    chain: tuple[CertificateFacts, ...]
    """As presented, leaf first."""
    anchor: str
    """Subject of the trust anchor it leads to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedCertificate:
    """A chain that did not verify: evidence for people, never an identity."""

    leaf: CertificateFacts
    chain: tuple[CertificateFacts, ...]
    errors: tuple[VerificationError, ...]
    """Every error found, the decisive one first."""
    missing_issuer: str = ""
    """The name of the issuer that was not found, where it is known for an intermediate that the peer did not send: by
    what the certificate itself shows, or because chains that verified have held it."""

    @property
    def missing_intermediate(self) -> bool:
        return bool(self.missing_issuer)


ClientCertificate = VerifiedCertificate | PresentedCertificate


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsEvidence:
    protocol: str
    """`TLSv1.3`"""
    cipher: str
    cipher_bits: int
    server_name: str | None
    """The SNI name the client asked for."""
    certificate: ClientCertificate | None


@value(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One session up to, and with, the last of `forward_paths`: the one the verdict is about."""

    address: Address
    listener: str
    tls: TlsEvidence | None
    ehlo: str
    reverse_path: ReversePath
    forward_paths: tuple[ForwardPath, ...]

    @property
    def certificate(self) -> ClientCertificate | None:
        return self.tls.certificate if self.tls else None
