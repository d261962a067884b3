"""Certificates: PEM and DER, and what openssl, certutil and people print of them."""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, Final

from gatepost.doctor.evidence import CertificateRole, CertificateSeen, Moment, OpensslVerify, Unread, one_line
from gatepost.doctor.moments import moment
from gatepost.doctor.page import Page
from gatepost.doctor.readers.exported import purpose
from gatepost.exchange.distinguished_names import DistinguishedName, distinguished_name
from gatepost.exchange.source import Fact, Source

_LABELS = r"(?:(?:X509 |TRUSTED )?CERTIFICATE|PKCS7|PKCS #7 SIGNED DATA|CMS|(?P<key>[A-Z ]*PRIVATE KEY))-----"
_BEGIN = re.compile(f"-----BEGIN {_LABELS}")
_END = re.compile(f"-----END {_LABELS}")
_MOST_PEM_LINES = 400
_OLD = re.compile(r"\b(old|previous|alt|alte[srn]?|expired|before|prior|vorher)\b|(?:^|[-_. /])(?:old|prev)", re.I)
_NEW = re.compile(r"\b(new|renewed|neu|neue[srn]?|current|after|next)\b|(?:^|[-_. /])(?:new|renewed|next)", re.I)


def role_of(name: str) -> CertificateRole:
    """`old`, `new` or `file`, by a file's name or the words beside a certificate."""
    old, new = bool(_OLD.search(name)), bool(_NEW.search(name))
    return "old" if old and not new else "new" if new and not old else "file"


def _role(page: Page, index: int) -> CertificateRole:
    for line in reversed(page.lines[max(0, index - 3) : index]):
        if line.strip() and "=" not in line and len(line) < 120 and (found := role_of(line)) != "file":
            return found
    return role_of(page.file.rsplit("/", 1)[-1])


# --- PEM and DER -------------------------------------------------------------------------------------------------


def read_pem(page: Page) -> Iterator[Fact | Unread]:
    """Certificates and chains. Private keys are passed over, and no other reader sees them."""
    index, depth, last_end = 0, 0, -9
    while index < len(page.lines):
        begin = _BEGIN.search(page.lines[index])
        if begin is None:
            index += 1
            continue
        end = next(
            (at for at in range(index, min(len(page.lines), index + _MOST_PEM_LINES)) if _END.search(page.lines[at])),
            None,
        )
        if begin["key"]:
            page.take(index, index if end is None else end)
            index = (index if end is None else end) + 1
            continue
        if end is None:
            yield Unread(source=page.source(index), because="a PEM certificate that does not end")
            page.take(index)
            index += 1
            continue
        depth = depth + 1 if index - last_end <= 4 else 0
        found = _pem_block(page, index, end, depth)
        yield from found
        if not found:
            yield Unread(source=page.source(index), because="a PEM certificate that cannot be decoded")
        page.take(index, end)
        last_end = end
        index = end + 1


def _pem_block(page: Page, index: int, end: int, depth: int) -> list[CertificateSeen]:
    """What lies between two marks: a certificate, or a chain, whatever the marks say."""
    text = " ".join(page.lines[index : end + 1])
    body = re.sub(r"[^A-Za-z0-9+/=]", "", _END.sub("", _BEGIN.sub("", text)))
    try:
        octets = base64.b64decode(body)
    except (binascii.Error, ValueError):
        return []
    source, role = page.source(index), _role(page, index)
    if single := from_der(octets, source, role, depth):
        return [single]
    return from_pkcs7(octets, source, role)


def from_der(
    octets: bytes, source: Any, role: CertificateRole = "file", depth: int | None = 0
) -> CertificateSeen | None:
    """The facts of a certificate's DER; None where it is none."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        leaf = x509.load_der_x509_certificate(octets)
        subject = _name(leaf.subject)
        issuer = _name(leaf.issuer)
        names, usage, key_usage, authority = _extensions(leaf)
        key: Any = leaf.public_key()
        try:
            algorithm = leaf.signature_algorithm_oid._name
        except Exception:
            algorithm = ""
        return CertificateSeen(
            source=source,
            quote=f"certificate {subject.text or '(empty subject)'} from {issuer.text}",
            role=role if depth in (0, None) else "root" if subject.key == issuer.key else "intermediate",
            subject=subject,
            issuer=issuer,
            names=names,
            names_told=True,
            serial=f"{leaf.serial_number:X}",
            thumbprint=leaf.fingerprint(hashes.SHA1()).hex().upper(),
            sha256=leaf.fingerprint(hashes.SHA256()).hex().upper(),
            public_key_sha256=sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest(),
            not_before=_moment(leaf.not_valid_before_utc),
            not_after=_moment(leaf.not_valid_after_utc),
            purposes=usage,
            key_usage=key_usage,
            is_authority=authority,
            self_signed=subject.key == issuer.key,
            signature_algorithm=algorithm,
            key_bits=getattr(key, "key_size", None),
            depth=depth,
        )
    except Exception:  # the library raises many kinds for what strangers encode
        return None


def from_pkcs7(octets: bytes, source: Source, role: CertificateRole) -> list[CertificateSeen]:
    """The chain in a .p7b, which keeps no order; empty where it is none."""
    from cryptography.hazmat.primitives.serialization import pkcs7

    try:
        return chain_of(pkcs7.load_der_pkcs7_certificates(octets), source, role)
    except Exception:  # strangers' octets raise many kinds
        return []


def chain_of(certificates: Sequence[Any], source: Source, role: CertificateRole) -> list[CertificateSeen]:
    """The leaf, which issued none of the others, before those."""
    from cryptography.hazmat.primitives.serialization import Encoding

    issuers = {each.issuer for each in certificates if each.issuer != each.subject}
    ordered = sorted(certificates, key=lambda each: each.subject in issuers)
    found = [from_der(each.public_bytes(Encoding.DER), source, role, depth) for depth, each in enumerate(ordered)]
    return [each for each in found if each]


def _moment(at: Any) -> Moment:
    return Moment(at.isoformat().replace("+00:00", "Z"), at.timestamp())


def _name(name: Any) -> DistinguishedName:
    return distinguished_name(name.rfc4514_string())


def _extensions(
    leaf: Any,
) -> tuple[tuple[str, ...], tuple[str, ...] | None, tuple[str, ...] | None, bool | None]:
    from cryptography import x509

    names: tuple[str, ...] = ()
    purposes: tuple[str, ...] | None = None
    usages: tuple[str, ...] | None = None
    authority: bool | None = None
    for extension in leaf.extensions:
        value = extension.value
        if isinstance(value, x509.SubjectAlternativeName):
            names = tuple(each.casefold() for each in value.get_values_for_type(x509.DNSName))
        elif isinstance(value, x509.ExtendedKeyUsage):
            purposes = tuple(purpose(each.dotted_string) for each in value)
        elif isinstance(value, x509.BasicConstraints):
            authority = value.ca
        elif isinstance(value, x509.KeyUsage):
            usages = tuple(
                name
                for name, flag in (
                    ("digitalSignature", value.digital_signature),
                    ("keyEncipherment", value.key_encipherment),
                    ("keyAgreement", value.key_agreement),
                    ("keyCertSign", value.key_cert_sign),
                    ("cRLSign", value.crl_sign),
                )
                if flag
            )
    return names, purposes, usages, authority


# --- openssl x509 -text, -subject, -issuer, -dates, -ext ---------------------------------------------------------

_SPELT: Final[dict[str, tuple[str, ...]]] = {
    "subject": (
        "subject",
        "Antragsteller",
        "Sujeto",
        "Sujet",
        "Objet",
        "Soggetto",
        "Onderwerp",
        "Předmět",
        "Owner",
        "サブジェクト",
    ),
    "issuer": ("issuer", "Aussteller", "Emisor", "Émetteur", "Emittente", "Verlener", "Vystavitel", "発行者"),
    "not_before": ("notBefore", "Not Before", "Valid from", "Gültig ab"),
    "not_after": ("notAfter", "Not After", "Valid to", "Valid until", "Gültig bis"),
    "serial": (
        "serial",
        "Serial Number",
        "Cert Serial Number",
        "Seriennummer",
        "Número de serie",
        "Numéro de série",
        "Numero di serie",
        "シリアル番号",
    ),
    "sha1": (
        "SHA1 Fingerprint",
        "SHA-1 Fingerprint",
        "Cert Hash(sha1)",
        "Zertifikathash(sha1)",
        "Hash de cert. (sha1)",
        "Hash de cert.(sha1)",
        "Hash du cert. (sha1)",
        "Hash cert. (sha1)",
        "Thumbprint",
        "SHA1",
    ),
    "sha256": ("SHA256 Fingerprint", "SHA256"),
    "md5": ("MD5 Fingerprint",),
    "eku": (
        "X509v3 Extended Key Usage",
        "Extended Key Usage",
        "Enhanced Key Usage",
        "EKU",
        "Erweiterte Schlüsselverwendung",
        "Uso mejorado de claves",
        "Uso mejorado de clave",
        "Utilisation améliorée de la clé",
        "Utilizzo chiavi avanzato",
    ),
    "ku": ("X509v3 Key Usage",),
    "san": ("X509v3 Subject Alternative Name", "DNS name", "DNS names", "SAN", "SANs"),
    "bc": ("X509v3 Basic Constraints",),
    "bits": ("Public-Key", "RSA Public-Key"),
    "algorithm": ("Signature Algorithm",),
    "provider": ("Provider", "Proveedor", "Anbieter", "Fournisseur"),
    "key": ("Private key",),
}
"""Labels as openssl, certutil in several languages, and keytool write them."""
_CANONICAL: Final = {"".join(each.split()).casefold(): name for name, written in _SPELT.items() for each in written}
_LABEL: Final = re.compile(
    r"^\s{0,40}(?:> ?)?(?P<label>[^\W\d_][\w .()'\u2019-]{1,45}?)\s{0,3}[:=]\s{0,40}(?P<value>.*)$"
)
_HEADING: Final = re.compile(r"^\s{0,40}(?:> ?)?(?P<label>[^\W\d_][\w -]{5,50}?)(?P<value>)\s{0,20}$")
"""certutil -dump heads an extension without a colon."""
_NEXT_ONE: Final = re.compile(r"\s*(?:Certificate:|-----BEGIN|={4,} .{1,40} \d+ ={4,})")
_KEY_USAGES: Final = {
    "digital signature": "digitalSignature",
    "key encipherment": "keyEncipherment",
    "key agreement": "keyAgreement",
    "certificate sign": "keyCertSign",
    "crl sign": "cRLSign",
    "data encipherment": "dataEncipherment",
    "non repudiation": "nonRepudiation",
}


def read_openssl(page: Page) -> Iterator[Fact]:
    """Blocks of labels as openssl and certutil print them; a repeated subject begins the next certificate."""
    told: dict[str, tuple[int, str]] = {}
    last = -9
    index = 0
    while index < len(page.lines):
        line = page.lines[index]
        match = None if index in page.taken else _labelled(line)
        if match is None:
            if told and (key := _KEY_SIGN.search(line)):
                told["has_key"] = (index, "yes" if key["yes"] else "no")
            if line.startswith("====") and _NEXT_ONE.match(line):
                page.take(index)
            if told and (_NEXT_ONE.match(line) or index - last > 40):
                yield from _told(page, told)
                told = {}
            index += 1
            continue
        label, value = _canonical(match["label"]), match["value"].strip()
        first = index
        if label in _BELOW and (not value or value == "critical"):
            following: list[str] = []
            while index + 1 < len(page.lines) and page.lines[index + 1].startswith((" ", "\t")):
                if _labelled(page.lines[index + 1]) or re.match(
                    r"\s*X509v3|\s*[A-Z][\w ]+:\s*$", page.lines[index + 1]
                ):
                    break
                index += 1
                following.append(page.lines[index].strip())
            value = (", " if label in ("subject", "issuer", "eku") else " ").join(following)
        if label in told and label in ("subject", "issuer", "not_before", "serial") and "subject" in told:
            yield from _told(page, told)
            told = {}
        if label == "issuer" and last >= 0 and index - last > 12 and "not_after" in told and "subject" in told:
            yield from _told(page, told)
            told = {}
        told.setdefault(label, (first, value))
        if index - first:
            told[f"\0{label}"] = (index, "")
        last = index
        index += 1
    if told:
        yield from _told(page, told)


_BELOW: Final = ("eku", "ku", "san", "bc", "serial", "subject", "issuer")
"""What may stand in the indented lines below its label."""
_KEY_SIGN = re.compile(
    r"(?P<yes>Encryption test passed|Signature test passed|Private key is (?:NOT )?exportable)|Missing stored keyset|"
    r"No key provider information|Cannot find the certificate and private key|PrivateKeyMissing|"
    r"conjunto de claves almacenado|No se encuentra el certificado y la clave privada|Gespeicherter Schlüsselsatz fehlt|"
    r"Zertifikat und (?:der )?private[rn]? Schlüssel (?:wurden? )?nicht gefunden|certificat et (?:de )?la clé privée",
    re.IGNORECASE,
)


def _labelled(line: str) -> re.Match[str] | None:
    """The label of a line and its value; None where that is no label of a certificate."""
    match = _LABEL.match(line)
    if match is not None:
        return match if _canonical(match["label"]) else None
    heading = _HEADING.match(line)
    return heading if heading is not None and _canonical(heading["label"]) == "eku" else None


def _canonical(label: str) -> str:
    """What a label means; empty where it is none of ours."""
    return _CANONICAL.get("".join(label.split()).casefold(), "")


def _told(page: Page, told: dict[str, tuple[int, str]]) -> Iterator[Fact]:
    strong = {"subject", "issuer", "not_before", "not_after", "eku", "san", "sha1"} & set(told)
    if (len(strong) < 2 and not (strong and page_is_small(page))) or not strong & {
        "subject",
        "san",
        "not_after",
        "eku",
    }:
        return
    if strong == {"subject"} and "=" not in told["subject"][1] and told["subject"][1]:
        return  # a mail's Subject line
    value = {label: text for label, (_, text) in told.items() if not label.startswith("\0")}
    first = min(index for index, _ in told.values())
    subject = distinguished_name(value["subject"]) if "subject" in value else None
    if subject is not None and subject.text and not subject.attributes:
        return
    issuer = distinguished_name(value["issuer"]) if "issuer" in value else None
    usages = value.get("ku")
    bits = re.search(r"(\d{3,5})\s*bit", value.get("bits", ""))
    names = value.get("san", "")
    found = CertificateSeen(
        source=page.source(told.get("subject", (first, ""))[0]),
        quote=one_line(page.lines[told.get("subject", (first, ""))[0]])[:500],
        role=_role(page, first),
        presented_by=_fetched_from(page, first),
        subject=subject,
        issuer=issuer,
        names=tuple(
            each.casefold()
            for each in re.findall(
                r"(?:DNS(?: Name)?[:=]\s*)?((?:\*\.)?[\w-]{1,63}(?:\.[\w-]+)+)", names, re.IGNORECASE
            )
        ),
        names_told="san" in value,
        serial=re.sub(r"[^0-9A-F]", "", re.sub(r"\(0x([0-9a-f]+)\)", r"", value.get("serial", "")).upper())
        if not re.search(r"\(0x", value.get("serial", ""))
        else re.findall(r"\(0x([0-9a-fA-F]+)", value["serial"])[0].upper(),
        thumbprint=re.sub(r"[^0-9A-F]", "", value.get("sha1", "").upper())[:40],
        sha256=re.sub(r"[^0-9A-F]", "", value.get("sha256", "").upper())[:64],
        not_before=moment(value.get("not_before", "")),
        not_after=moment(value.get("not_after", "")),
        purposes=tuple(purpose(each) for each in re.split(r",\s*", value["eku"]) if each.strip())
        if "eku" in value
        else None,
        key_usage=tuple(name for text, name in _KEY_USAGES.items() if text in usages.casefold())
        if usages is not None
        else None,
        is_authority="ca:true" in value["bc"].casefold() if "bc" in value else None,
        self_signed=subject.key == issuer.key if subject and issuer and subject.attributes else None,
        signature_algorithm=value.get("algorithm", ""),
        key_bits=int(bits[1]) if bits else None,
        provider=value.get("provider", ""),
        has_private_key=value["has_key"] == "yes" if "has_key" in value else None,
        depth=0,
    )
    for label, (index, _) in told.items():
        page.take(told[label.removeprefix("\0")][0] if label.startswith("\0") else index, index)
    yield found


_FETCHED = re.compile(r"\bs_client\b[^\n]{0,200}?-connect\s+(?P<from>\[?[\w.:-]{1,250}\]?:\w{1,8})")


_PROMPT: Final = re.compile(r"\S{0,60}(?:[$#] |>\s{0,3}\w)")


def _fetched_from(page: Page, first: int, lines: int = 4) -> str:
    """The listener that `openssl s_client` was connected to by the command just above."""
    for line in reversed(page.lines[max(0, first - lines) : first]):
        if match := _FETCHED.search(line[:600]):
            return match["from"]
        if _PROMPT.match(line):
            return ""
    return ""


def page_is_small(page: Page) -> bool:
    """A page that holds little besides: a label by itself is then meant as it looks."""
    return len(page.lines) <= 12


# --- certutil -verify: a chain by elements ---

_ELEMENT = re.compile(r"^\s*CertContext\[\d+\]\[(?P<depth>\d+)\]:\s{0,40}(?P<rest>.*)$")
_ELEMENT_LABEL = re.compile(
    r"(?<![\w.])(?P<label>Issuer|Subject|NotBefore|NotAfter):\s{0,40}(?P<value>.{1,300}?)(?=\s{2,}\w+:|$)"
)
_ELEMENT_ERROR = re.compile(r"(?:Element\.)?dwErrorStatus\s*=\s*(?P<flag>CERT_TRUST_[A-Z_]+)")
_MOST_OF_AN_ELEMENT = 25


def read_windows_chain(page: Page) -> Iterator[Fact]:
    """`certutil -verify`: each element of the chain with its dates and what is wrong with it."""
    starts = [(index, match) for index, line in page.free() if (match := _ELEMENT.match(line))]
    for number, (index, match) in enumerate(starts):
        limit = starts[number + 1][0] if number + 1 < len(starts) else len(page.lines)
        end = min(limit, index + _MOST_OF_AN_ELEMENT)
        yield from _element(page, index, end, int(match["depth"]), match["rest"])


def _element(page: Page, first: int, end: int, depth: int, rest: str) -> Iterator[Fact]:
    told: dict[str, str] = {}
    flags: list[tuple[int, str]] = []
    name = rest.split("  ")[0].strip()
    if re.match(r"(?:CN|O|OU|C|E)\s*=", name):
        told["Subject"] = name
    for index in range(first, end):
        line = page.lines[index][:600]
        for label in _ELEMENT_LABEL.finditer(line if index > first else rest):
            told.setdefault(label["label"], label["value"].strip())
        if error := _ELEMENT_ERROR.search(line):
            flags.append((index, error["flag"]))
    if "Subject" not in told:
        return
    page.take(first, end - 1)
    subject = distinguished_name(told["Subject"])
    issuer = distinguished_name(told["Issuer"]) if "Issuer" in told else None
    yield CertificateSeen(
        source=page.source(first),
        quote=one_line(page.lines[first])[:500],
        role="file" if depth == 0 else "intermediate",
        subject=subject,
        issuer=issuer,
        not_before=moment(told.get("NotBefore", "")),
        not_after=moment(told.get("NotAfter", "")),
        depth=depth,
    )
    for index, flag in flags:
        yield OpensslVerify(
            source=page.source(index),
            quote=page.lines[index].strip(),
            text=flag,
            depth=depth,
            subject=subject.text,
            tool="Windows",
        )


# --- s_client, openssl verify ------------------------------------------------------------------------------------

_CHAIN_LINE = re.compile(r"^\s*(\d{1,2}) s:(.*)$")
_CHAIN_BELOW: Final = 40
"""Lines between the command and the chain it prints."""
_DEPTH = re.compile(r"^depth=(\d+)\s{1,40}(.*)$")
_VERIFY_ERROR = re.compile(r"verify error:num=(\d+):(.{0,2000})$")
_RETURN_CODE = re.compile(r"Verify return code: (\d+) \((.{0,2000})\)")
_AT_DEPTH = re.compile(r"error (\d+) at (\d+) depth lookup:?\s*(.{0,2000})$")
_TRUST_FLAG = re.compile(r"\b(CERT_TRUST_[A-Z_]+)\b|\b(0x800[0-9a-fA-F]{5})\b|\b(CERT_E_[A-Z]+|CRYPT_E_[A-Z_]+)\b")


def read_verifications(page: Page) -> Iterator[Fact]:
    depth: int | None = None
    subject = ""
    for index, line in page.free():
        if match := _DEPTH.match(line):
            depth, subject = int(match[1]), match[2]
        elif match := _VERIFY_ERROR.search(line):
            yield OpensslVerify(
                source=page.source(index),
                quote=line.strip(),
                code=int(match[1]),
                text=match[2].strip(),
                depth=depth,
                subject=subject,
            )
        elif match := _RETURN_CODE.search(line):
            yield OpensslVerify(source=page.source(index), quote=line.strip(), code=int(match[1]), text=match[2])
        elif match := _AT_DEPTH.search(line):
            yield OpensslVerify(
                source=page.source(index), quote=line.strip(), code=int(match[1]), depth=int(match[2]), text=match[3]
            )
        elif match := _TRUST_FLAG.search(line):
            yield OpensslVerify(source=page.source(index), quote=line.strip(), text=match[0], tool="Windows")
            continue
        elif match := _CHAIN_LINE.match(line):
            following = page.lines[index + 1] if index + 1 < len(page.lines) else ""
            issuer = re.match(r"^\s*i:(.*)$", following)
            yield CertificateSeen(
                source=page.source(index),
                quote=line.strip(),
                role="remote",
                subject=distinguished_name(match[2]),
                issuer=distinguished_name(issuer[1]) if issuer else None,
                depth=int(match[1]),
                presented_by=_fetched_from(page, index, _CHAIN_BELOW),
            )
            page.take(index + 1 if issuer else index)
        else:
            continue
        page.take(index)
