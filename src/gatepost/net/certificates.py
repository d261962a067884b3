"""Certificates: DER or PEM in, facts out.

Law: what a stranger presents never throws. The octets and their fingerprint are kept first; then each field is read by
itself, and one that cannot be read is empty and named in `parse_errors`. Only files of the administrator are refused
(`CredentialError`, one line: which file, what is wrong, what to do).
"""

import re
import warnings
from binascii import a2b_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from OpenSSL import crypto

from gatepost.errors import GatepostError
from gatepost.net.der import one_extension_each
from gatepost.tenancy.evidence import CertificateFacts

T = TypeVar("T")
ExtensionType = TypeVar("ExtensionType", bound=x509.ExtensionType)

_PURPOSES = {
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
    ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "anyExtendedKeyUsage",
}

NAMES_EXTENSION = "subject alternative name"
PURPOSES_EXTENSION = "extended key usage"
_TELLING_EXTENSIONS = {
    bytes.fromhex("0603551d11"): NAMES_EXTENSION,
    bytes.fromhex("0603551d25"): PURPOSES_EXTENSION,
}
"""By DER of their identifiers (RFC 5280 4.2.1.6, 4.2.1.12): the ones a verdict depends on."""

_BROWSER_FORUM_POLICIES = "2.23.140.1."
"""Policies of the CA/Browser Forum, which only publicly trusted authorities may assert."""

_PEM_CERTIFICATE = re.compile(
    rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----([^-]*)-----END (?:X509 |TRUSTED )?CERTIFICATE-----"
)

_REMEMBERED = 1024
_WORTH_REMEMBERING = 8192
"""Octets. Larger certificates are read again each time, so that strangers cannot fill the memory with them."""


class CredentialError(GatepostError):
    """A file of the administrator cannot be used. The text is one line: which file, what is wrong, what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What a certificate says about its issuer, beyond the issuer's name."""

    subject_key_id: bytes = b""
    authority_key_id: bytes = b""
    authority_issuers: tuple[str, ...] = ()
    """The issuer's own issuer, where the authority key identifier names it (RFC 5280 4.2.1.1)."""
    issuer_urls: tuple[str, ...] = ()
    """Where the issuer's certificate can be fetched (authority information access)."""
    organisations: frozenset[str] = frozenset()
    """Of the subject: organisation names and Active Directory domains, in lower case."""
    issuer_common_names: tuple[str, ...] = ()
    issuer_organisations: frozenset[str] = frozenset()
    publicly_issued: bool = False
    """It carries marks that only publicly trusted authorities apply."""


def facts(der: bytes) -> CertificateFacts:
    """What the certificate says. Never throws: `parse_errors` names what could not be read."""
    return _remembered_facts(der) if len(der) <= _WORTH_REMEMBERING else _Reading(der).facts()


def lineage(der: bytes) -> Lineage:
    """Where the certificate says it comes from. Never throws: what cannot be read is empty."""
    return _remembered_lineage(der) if len(der) <= _WORTH_REMEMBERING else _Reading(der).lineage()


@lru_cache(maxsize=_REMEMBERED)
def _remembered_facts(der: bytes) -> CertificateFacts:
    return _Reading(der).facts()


@lru_cache(maxsize=_REMEMBERED)
def _remembered_lineage(der: bytes) -> Lineage:
    return _Reading(der).lineage()


def read_chain(source: str | Path | bytes) -> tuple[CertificateFacts, ...]:
    """The certificates of a PEM (or DER) file, in the order of the file; `bytes` are the content itself."""
    if isinstance(source, bytes):
        return tuple(facts(der) for der in certificates_in(source, "the given text"))
    return tuple(facts(der) for der in certificates_in(read_file(source, "certificate"), f"certificate file {source}"))


def read_file(path: str | Path, what: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CredentialError(f"{what} file {path} cannot be read: {error.strerror}") from error


def certificates_in(content: bytes, where: str) -> tuple[bytes, ...]:
    """The DER of each certificate in PEM or DER `content`."""
    if content[:1] == b"\x30":
        return (_whole_certificate(content, where, 1),)
    blocks = _PEM_CERTIFICATE.findall(content)
    if not blocks:
        found = (
            "it holds a private key; are certificate and key swapped?"
            if b"PRIVATE KEY-----" in content
            else ("give a PEM file with -----BEGIN CERTIFICATE-----")
        )
        raise CredentialError(f"{where} holds no certificate: {found}")
    return tuple(_whole_certificate(_decoded(block), where, n) for n, block in enumerate(blocks, 1))


def _decoded(block: bytes) -> bytes:
    try:
        return a2b_base64(block)
    except ValueError:
        return b""


def _whole_certificate(der: bytes, where: str, position: int) -> bytes:
    try:
        crypto.load_certificate(crypto.FILETYPE_ASN1, der)
    except crypto.Error as error:
        raise CredentialError(
            f"{where}: certificate {position} is damaged and cannot be decoded; write the file again"
        ) from error
    return der


class _Reading:
    """One certificate while it is being read, with the list of what could not be."""

    def __init__(self, der: bytes) -> None:
        self.der = der
        self.errors: list[str] = []
        with warnings.catch_warnings():
            # A serial number that is zero or negative warns; it is evidence like any other.
            warnings.simplefilter("ignore")
            self.certificate = self._try("certificate", lambda: x509.load_der_x509_certificate(der), None)
            self.serial = self._field("serial", lambda c: f"{c.serial_number:x}", "")
            self.extensions = self._extensions()

    def facts(self) -> CertificateFacts:
        field = self._field
        return CertificateFacts(
            der=self.der,
            sha256=sha256(self.der).hexdigest(),
            public_key_sha256=field("public key", _public_key_sha256, ""),
            subject=field("subject", lambda c: c.subject.rfc4514_string(), ""),
            issuer=field("issuer", lambda c: c.issuer.rfc4514_string(), ""),
            serial=self.serial,
            not_before=field("not before", _not_before, None),
            not_after=field("not after", _not_after, None),
            common_names=field("common name", lambda c: _values(c.subject, NameOID.COMMON_NAME), ()),
            dns_names=self._dns_names(),
            purposes=self._purposes(),
            key=field("key", _key, ""),
            signature_algorithm=self._try("signature algorithm", self._signature_algorithm, ""),
            parse_errors=tuple(self.errors),
            has_other_san=self._has_san(),
        )

    def lineage(self) -> Lineage:
        own = self._extension(x509.SubjectKeyIdentifier)
        authority = self._extension(x509.AuthorityKeyIdentifier)
        access = self._extension(x509.AuthorityInformationAccess)
        return Lineage(
            subject_key_id=own.digest if own else b"",
            authority_key_id=(authority.key_identifier or b"") if authority else b"",
            authority_issuers=_directory_names((authority.authority_cert_issuer or ()) if authority else ()),
            issuer_urls=_issuer_urls(access) if access else (),
            issuer_common_names=self._field("", lambda c: _values(c.issuer, NameOID.COMMON_NAME), ()),
            organisations=self._field("", lambda c: _organisations(c.subject), frozenset()),
            issuer_organisations=self._field("", lambda c: _organisations(c.issuer), frozenset()),
            publicly_issued=self._publicly_issued(),
        )

    def _try(self, what: str, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except Exception as error:  # anything at all may be inside a stranger's certificate
            says = " ".join(str(error).split()) or type(error).__name__
            self.errors.append(f"{what}: {says[:200]}")
            return otherwise

    def _field(self, what: str, read: Callable[[x509.Certificate], T], otherwise: T) -> T:
        certificate = self.certificate
        if certificate is None:
            return otherwise
        return self._try(what, lambda: read(certificate), otherwise)

    def _extensions(self) -> list[x509.Extension[x509.ExtensionType]]:
        """All that can be read: the parser refuses all of them for one bad one, so then each is tried alone."""
        if self.certificate is None:
            return []
        try:
            return list(self.certificate.extensions)
        except Exception:
            return self._try("extensions", self._extensions_one_by_one, [])

    def _extensions_one_by_one(self) -> list[x509.Extension[x509.ExtensionType]]:
        readable: list[x509.Extension[x509.ExtensionType]] = []
        for identifier, alone in one_extension_each(self.der):
            name = _TELLING_EXTENSIONS.get(identifier, "extension")
            readable.extend(self._try(name, partial(_extensions_of, alone), ()))
        return readable

    def _extension(self, kind: type[ExtensionType]) -> ExtensionType | None:
        for extension in self.extensions:
            if isinstance(extension.value, kind):
                return extension.value
        return None

    def _dns_names(self) -> tuple[str, ...]:
        names = self._extension(x509.SubjectAlternativeName)
        return tuple(names.get_values_for_type(x509.DNSName)) if names else ()

    def _has_san(self) -> bool:
        """Also one that cannot be read: whatever it says, the certificate does not speak by its common name."""
        unreadable = any(error.startswith(NAMES_EXTENSION) for error in self.errors)
        return unreadable or self._extension(x509.SubjectAlternativeName) is not None

    def _purposes(self) -> tuple[str, ...] | None:
        usage = self._extension(x509.ExtendedKeyUsage)
        if usage is None:
            return None
        return tuple(_PURPOSES.get(purpose, purpose.dotted_string) for purpose in usage)

    def _publicly_issued(self) -> bool:
        if self._extension(x509.PrecertificateSignedCertificateTimestamps):
            return True
        policies = self._extension(x509.CertificatePolicies) or ()
        return any(policy.policy_identifier.dotted_string.startswith(_BROWSER_FORUM_POLICIES) for policy in policies)

    def _signature_algorithm(self) -> str:
        return crypto.load_certificate(crypto.FILETYPE_ASN1, self.der).get_signature_algorithm().decode()


def _extensions_of(der: bytes) -> Sequence[x509.Extension[x509.ExtensionType]]:
    return tuple(x509.load_der_x509_certificate(der).extensions)


def _values(name: x509.Name, oid: ObjectIdentifier) -> tuple[str, ...]:
    return tuple(str(attribute.value) for attribute in name.get_attributes_for_oid(oid))


def _organisations(name: x509.Name) -> frozenset[str]:
    domain = ".".join(_values(name, NameOID.DOMAIN_COMPONENT))
    return frozenset(
        filter(None, (*(value.lower() for value in _values(name, NameOID.ORGANIZATION_NAME)), domain.lower()))
    )


def _not_before(certificate: x509.Certificate) -> datetime | None:
    return certificate.not_valid_before_utc


def _not_after(certificate: x509.Certificate) -> datetime | None:
    return certificate.not_valid_after_utc


def _public_key_sha256(certificate: x509.Certificate) -> str:
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(spki).hexdigest()


def _key(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    if isinstance(key, dsa.DSAPublicKey):
        return f"DSA {key.key_size}"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519"
    if isinstance(key, ed448.Ed448PublicKey):
        return "Ed448"
    return type(key).__name__.removesuffix("PublicKey")


def _directory_names(names: Sequence[x509.GeneralName]) -> tuple[str, ...]:
    return tuple(name.value.rfc4514_string() for name in names if isinstance(name, x509.DirectoryName))


def _issuer_urls(access: x509.AuthorityInformationAccess) -> tuple[str, ...]:
    return tuple(
        description.access_location.value
        for description in access
        if description.access_method == AuthorityInformationAccessOID.CA_ISSUERS
        and isinstance(description.access_location, x509.UniformResourceIdentifier)
    )
