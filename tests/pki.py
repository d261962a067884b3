"""A public key infrastructure in a folder, for tests: roots, intermediates, leaves good and bad, as PEM files.

    pki = Pki(folder)
    good = pki.leaf("mail.contoso.com")
    old = pki.leaf("mail.contoso.com", not_after=yesterday, purposes=("serverAuth",), issuer=pki.root)
    judge what `good.chain_file` presents against `pki.roots_file`

A leaf is issued by `pki.intermediate` unless told otherwise; `chain_file` holds the leaf and the intermediates, never
the root; `certificate_file` holds the leaf alone, which is what a server with a missing intermediate sends.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from itertools import count
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID, NameOID, ObjectIdentifier

PURPOSES = {
    "serverAuth": ObjectIdentifier("1.3.6.1.5.5.7.3.1"),
    "clientAuth": ObjectIdentifier("1.3.6.1.5.5.7.3.2"),
    "codeSigning": ObjectIdentifier("1.3.6.1.5.5.7.3.3"),
    "emailProtection": ObjectIdentifier("1.3.6.1.5.5.7.3.4"),
    "anyExtendedKeyUsage": ObjectIdentifier("2.5.29.37.0"),
}

CURVES: dict[str, type[ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
    "secp256k1": ec.SECP256K1,
    "brainpool": ec.BrainpoolP256R1,
}

_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_ECDSA_SHA1 = bytes.fromhex("300906072a8648ce3d0401")

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey

BAD_SAN = bytes.fromhex("3005 8203 ff2e78".replace(" ", ""))
"""A SubjectAltName with one dNSName whose octets are not ASCII."""

CRITICAL_UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")


@cache
def _rsa_key(bits: int, number: int) -> rsa.RSAPrivateKey:
    """RSA keys are slow to make, so the same few serve a whole test run."""
    return rsa.generate_private_key(65537, bits)


def new_key(kind: str = "P-256") -> Key:
    """`P-256`, `P-384`, `P-521`, `secp256k1`, `brainpool`, `Ed25519`, `Ed448`, `RSA-2048`, `RSA-1024` ..."""
    if kind.startswith("RSA-"):
        bits, _, number = kind.removeprefix("RSA-").partition("/")
        return _rsa_key(int(bits), int(number or 0))
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "Ed448":
        return ed448.Ed448PrivateKey.generate()
    return ec.generate_private_key(CURVES[kind]())


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A certificate with its private key, as values and as files. An authority is one too."""

    name: str
    certificate: x509.Certificate
    key: Key
    issuer: "Issued | None"
    der: bytes
    certificate_file: Path
    """The certificate alone."""
    chain_file: Path
    """The certificate, then each intermediate up to, and without, the root."""
    key_file: Path
    parents: tuple["Issued", ...] = field(repr=False)
    """The intermediates of `chain_file`, nearest first."""

    @property
    def pem(self) -> str:
        return self.certificate_file.read_text()

    @property
    def chain(self) -> tuple[bytes, ...]:
        """DER, as presented from `chain_file`."""
        return (self.der, *(parent.der for parent in self.parents))

    @property
    def sha256(self) -> str:
        return sha256(self.der).hexdigest()

    @property
    def public_key_sha256(self) -> str:
        spki = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return sha256(spki).hexdigest()


class Pki:
    """One root, one intermediate below it, and whatever leaves a test asks for."""

    def __init__(self, folder: Path, name: str = "Test", organisation: str | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._numbers = count(1)
        self.root = self.authority(f"{name} Root CA", issuer=None, organisation=organisation)
        self.intermediate = self.authority(f"{name} Intermediate CA", issuer=self.root, organisation=organisation)

    @property
    def roots_file(self) -> Path:
        """What to trust: the root alone."""
        return self.root.certificate_file

    def authority(
        self,
        name: str,
        *,
        issuer: Issued | None = None,
        organisation: str | None = None,
        key: str = "P-256",
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        purposes: Sequence[str] | None = None,
    ) -> Issued:
        """A certificate authority: self-signed, or below `issuer`."""
        private = new_key(key)
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if organisation:
            attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
        builder = self._builder(x509.Name(attributes), private, issuer, not_before, not_after, issuer)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = _with_purposes(builder, purposes)
        signed = _sign(builder, issuer.key if issuer else private)
        return self._write(name, signed, signed.public_bytes(serialization.Encoding.DER), private, issuer)

    def self_signed(self, name: str | None, **options: object) -> Issued:
        """A leaf signed by its own key."""
        return self.leaf(name, self_signed=True, **options)  # type: ignore[arg-type]

    def leaf(
        self,
        name: str | None,
        *,
        common_name: str | None = "",
        names: Sequence[str] | None = None,
        san: bytes | None = None,
        purposes: Sequence[str] | None = ("serverAuth", "clientAuth"),
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        issuer: Issued | None = None,
        self_signed: bool = False,
        key: str = "P-256",
        sha1: bool = False,
        serial: int | None = None,
        issuer_url: str | None = None,
        authority_key_id: bool = True,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
        more_common_names: Sequence[str] = (),
    ) -> Issued:
        """A certificate for a server called `name`.

        `name` is both CN and the only SAN entry; `common_name` and `names` replace either (`names=()`: no SAN at all,
        `common_name=None`: no CN). `san` is a raw SubjectAltName (`BAD_SAN`). `purposes=None`: no extended key usage.
        `serial` may be zero or negative; `sha1` signs as nobody does any more.
        `issuer_url` is the caIssuers address. `extensions`: more, with criticality.
        """
        private = new_key(key)
        above = None if self_signed else issuer or self.intermediate
        common = name if common_name == "" else common_name
        commons = [*([common] if common else []), *more_common_names]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each) for each in commons])
        signer = above if authority_key_id else None
        builder = self._builder(subject, private, above, not_before, not_after, signer)
        dns_names = ([name] if name else []) if names is None else names
        if san is not None:
            builder = builder.add_extension(
                x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, san), False
            )
        elif dns_names:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in dns_names]), False)
        builder = _with_purposes(builder, purposes)
        if issuer_url:
            location = x509.UniformResourceIdentifier(issuer_url)
            access = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, location)
            builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        signing_key = above.key if above else private
        signed = _sign(builder, signing_key)
        der = signed.public_bytes(serialization.Encoding.DER)
        if serial is not None or sha1:
            der = _signed_again(signed, signing_key, serial, sha1)
        return self._write(name or "nameless", signed, der, private, above)

    def bundle(self, name: str, *parts: Issued) -> Path:
        """A PEM file with the certificates of `parts`, in that order."""
        path = self.folder / name
        path.write_text("".join(part.pem for part in parts))
        return path

    def _builder(
        self,
        subject: x509.Name,
        private: Key,
        issuer: Issued | None,
        not_before: datetime | None,
        not_after: datetime | None,
        signer: Issued | None = None,
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC).replace(microsecond=0)
        after = not_after or now + timedelta(days=365)
        before = not_before or min(now, after) - timedelta(days=30)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(before)
            .not_valid_after(after)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        )
        if signer:
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
            builder = builder.add_extension(identifier, critical=False)
        return builder

    def _write(self, name: str, signed: x509.Certificate, der: bytes, key: Key, issuer: Issued | None) -> Issued:
        stem = f"{next(self._numbers):03}-{name.replace('*', 'wildcard').replace(' ', '-').lower()}"
        certificate_file = self.folder / f"{stem}.pem"
        chain_file = self.folder / f"{stem}-chain.pem"
        key_file = self.folder / f"{stem}.key"
        parents: list[Issued] = []
        above = issuer
        while above is not None and above.issuer is not None:
            parents.append(above)
            above = above.issuer
        own_pem = _pem(der)
        certificate_file.write_text(own_pem)
        chain_file.write_text(own_pem + "".join(parent.pem for parent in parents))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        key_file.chmod(0o600)
        return Issued(
            name=name,
            certificate=signed,
            key=key,
            issuer=issuer,
            der=der,
            certificate_file=certificate_file,
            chain_file=chain_file,
            key_file=key_file,
            parents=tuple(parents),
        )


def _pem(der: bytes) -> str:
    text = b64encode(der).decode()
    lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


def _with_purposes(builder: x509.CertificateBuilder, purposes: Sequence[str] | None) -> x509.CertificateBuilder:
    if purposes is None:
        return builder
    return builder.add_extension(x509.ExtendedKeyUsage([PURPOSES[purpose] for purpose in purposes]), critical=False)


def _sign(builder: x509.CertificateBuilder, key: Key) -> x509.Certificate:
    without_hash = isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    return builder.sign(key, None if without_hash else hashes.SHA256())


def _signed_again(signed: x509.Certificate, key: Key, serial: int | None, sha1: bool) -> bytes:
    """The same certificate with what no builder would take: a strange serial number, a SHA-1 signature."""
    assert isinstance(key, ec.EllipticCurvePrivateKey), "only for issuers with an EC key"
    tbs = signed.tbs_certificate_bytes
    body = tbs[_header(tbs) :]
    algorithm = _ECDSA_SHA256
    if serial is not None:
        body = body.replace(_integer(signed.serial_number), _integer(serial), 1)
    if sha1:
        body = body.replace(_ECDSA_SHA256, _ECDSA_SHA1, 1)
        algorithm = _ECDSA_SHA1
    new_tbs = _tlv(0x30, body)
    signature = key.sign(new_tbs, ec.ECDSA(hashes.SHA1() if sha1 else hashes.SHA256()))
    return _tlv(0x30, new_tbs + algorithm + _tlv(0x03, b"\0" + signature))


def _integer(value: int) -> bytes:
    return _tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _tlv(tag: int, value: bytes) -> bytes:
    size = len(value)
    if size < 0x80:
        return bytes((tag, size)) + value
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + value


def _header(der: bytes) -> int:
    """How many octets the tag and the length of the first element take."""
    return 2 + (der[1] & 0x7F if der[1] & 0x80 else 0)
