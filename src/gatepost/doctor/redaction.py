"""Hides names, addresses and serials of an evidence bundle consistently, so that it can be posted in public.

Laws: the same name becomes the same other name everywhere; what can be said of an address (inside a range, private,
public, IPv4, IPv6) and of a name (below another, equal to another) holds afterwards as before, so that the doctor
comes to the same result; words are kept only where they are words of mail, never where somebody may have invented
them. The key decides the replacements: who does not know it cannot try names out.
"""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

import dataclasses
import hashlib
import ipaddress
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, TypeVar

from gatepost.doctor.addresses import Address, is_private, parsed_address
from gatepost.doctor.evidence import EvidenceBundle, Moment, ReadItem
from gatepost.doctor.phrases import phrases
from gatepost.doctor.symptoms import words_of_tables
from gatepost.doctor.vocabulary import WORDS
from gatepost.exchange.distinguished_names import DistinguishedName, issuer_and_subject
from gatepost.exchange.source import Source

_PUBLIC_DOMAINS = [
    "outlook.com",
    "office365.com",
    "office.com",
    "microsoft.com",
    "office365.us",
    "onmicrosoft.com",
    "microsoftonline.com",
    "windows.net",
    "outlook.de",
    "outlook.cn",
    "partner.outlook.cn",
    "frontbridge.com",
    "exchangelabs.com",
    "letsencrypt.org",
    "digicert.com",
    "sectigo.com",
    "globalsign.com",
    "spamhaus.org",
    "spamcop.net",
    "barracudacentral.org",
    "mimecast.com",
    "pphosted.com",
    "messagelabs.com",
    "hornetsecurity.com",
    "gmail.com",
    "google.com",
]
_PUBLIC_SUFFIXES = frozenset(
    [
        "com",
        "net",
        "org",
        "edu",
        "gov",
        "mil",
        "int",
        "biz",
        "info",
        "eu",
        "example",
        "test",
        "invalid",
        "localhost",
        "local",
        "lan",
        "internal",
        "home",
        "corp",
        "arpa",
        "localdomain",
    ]
)
_ROLE_LABELS = frozenset(
    [
        "mail",
        "mail1",
        "mail2",
        "smtp",
        "smtp1",
        "smtp2",
        "mx",
        "mx1",
        "mx2",
        "mta",
        "mta1",
        "mta2",
        "gw",
        "relay",
        "edge",
        "hybrid",
        "autodiscover",
        "owa",
        "www",
        "out",
        "outbound",
        "gateway",
        "ns",
        "ns1",
        "ns2",
        "exchange",
        "host",
        "server",
        "app",
        "web",
        "api",
        "test",
        "dev",
        "pop",
        "imap",
        "webmail",
    ]
)
_ROLE_MAILBOXES = frozenset(
    [
        "postmaster",
        "root",
        "noreply",
        "no-reply",
        "abuse",
        "administrator",
        "admin",
        "mailer-daemon",
        "www-data",
        "daemon",
        "nobody",
        "info",
        "scanner",
    ]
)
_TELLING_NOTHING = (
    _PUBLIC_SUFFIXES | _ROLE_LABELS | _ROLE_MAILBOXES | {label for each in _PUBLIC_DOMAINS for label in each.split(".")}
)
_KNOWN_AUTHORITIES = re.compile(
    r"let'?s encrypt|isrg|internet security research|digital signature trust|dst root|addtrust|identrust|digicert|sectigo|comodo|usertrust|globalsign|entrust|godaddy|starfield|geotrust|thawte|"
    r"rapidssl|verisign|quovadis|microsoft|baltimore|google trust|amazon|certum|swisssign|buypass|zerossl|actalis|ssl\.com",
    re.IGNORECASE,
)

_ADDRESS6 = r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9A-Fa-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])"
_TOKEN = re.compile(
    rf"(?P<mailbox>[\w.+=%-]{{1,190}}@[\w-]+(?:\.[\w-]+)*)"
    rf"|(?P<address6>{_ADDRESS6})"
    rf"|(?P<address4>(?<![\w.])(?:\d{{1,3}}\.){{3}}\d{{1,3}}(?!\w|\.\d))"
    rf"|(?P<status>\b(?:0x)?8[0-9A-Fa-f]{{7}}\b)"
    rf"|(?P<guid>\b[0-9A-Fa-f]{{8}}(?:-[0-9A-Fa-f]{{4}}){{3}}-[0-9A-Fa-f]{{12}}\b)"
    rf"|(?P<colons>\b[0-9A-Fa-f]{{2}}(?::[0-9A-Fa-f]{{2}}){{7,}}\b)"
    rf"|(?P<hex>\b(?=[A-Fa-f]{{0,190}}[0-9])[0-9A-Fa-f]{{10,}}\b)"
    rf"|(?P<domain>(?:\*\.)?\b[\w-]{{0,63}}[^\W\d_][\w-]{{0,63}}(?:\.[\w-]{{1,63}}){{0,10}}\.[^\W\d_][\w-]{{1,63}}\b)"
    rf"|(?P<word>[^\W\d_][\w'\u2019-]*)"
    rf"|(?P<digits>\b\d{{7,}}\b)",
)
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")

_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")  # RFC 1122 3.2.1.3: nobody's, as in 0.0.0.0-255.255.255.255

T = TypeVar("T")


@cache
def _known_words() -> frozenset[str]:
    return WORDS | words_of_tables()


def redacted(bundle: EvidenceBundle, key: bytes) -> EvidenceBundle:
    """`bundle` with other names. The same key gives the same names again."""
    return _Redaction(key, frozenset(_names_of(bundle))).value(bundle)


def _names_of(bundle: EvidenceBundle) -> Iterator[str]:
    """Words that stand where a name stands: hidden even where they look like words of mail."""
    texts: list[str] = [each.value for each in bundle.names]
    texts += [name for each in bundle.certificates for name in (*each.all_names, each.server)]
    texts += [each.domain for each in bundle.accepted_domains]
    texts += [
        name
        for each in bundle.sessions
        for name in (each.ehlo_name, each.server, each.reverse_path or "", *each.forward_paths)
    ]
    texts += [
        name for each in bundle.replies for name in (each.reverse_path or "", each.forward_path or "", each.quoted_by)
    ]
    for text in texts:
        service = text.casefold().rstrip(".").endswith(tuple(_PUBLIC_DOMAINS))
        for label in re.split(r"[.@\s*]+", text.casefold()):
            if label and label.rstrip("0123456789") not in _TELLING_NOTHING and not (service and label in WORDS):
                yield label


class _Redaction:
    def __init__(self, key: bytes, names: frozenset[str]) -> None:
        self._key = key
        self._names = names
        self._octets: dict[int, int] = {}

    def value(self, value: T) -> T:
        result: Any = self._value(value)
        return result  # type: ignore[no-any-return]

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            # As the certificate's own two names are; where its length counts (B11), it is kept.
            if len(value) <= 256 and (names := issuer_and_subject(value)):
                issuer, subject = (self._distinguished_name(each).text for each in names)
                return f"<I>{issuer}<S>{subject}"
            return self.text(value)
        if isinstance(value, Source):
            return self._source(value)
        if isinstance(value, Moment):
            return value
        if isinstance(value, DistinguishedName):
            return self._distinguished_name(value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
            changed = {name: self._field(name, each) for name, each in fields.items()}
            if isinstance(value, ReadItem):
                changed["source"] = self._file(value.source)
            return dataclasses.replace(value, **changed)
        if isinstance(value, tuple):
            return tuple(self._value(each) for each in value)
        return value

    def _field(self, name: str, value: Any) -> Any:
        # Words of our own or of a closed set, by which the rules go.
        if name in (
            "kind",
            "topic",
            "role",
            "stage",
            "code",
            "log",
            "log_owner_is",
            "tool",
            "cmdlet",
            "status",
            "enhanced",
        ):
            return value
        if name == "name" and isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z]*|[a-z_0-9]+", value):
            return value if "." not in value and not self._is_a_name(value) else self.text(value)
        return self._value(value)

    def _is_a_name(self, word: str) -> bool:
        return word.casefold() in self._names

    def _source(self, source: Source) -> Source:
        return Source(self._file(source.file), source.line)

    def _file(self, name: str) -> str:
        """The same wherever it is named: as the place of evidence and in the list of what was read."""
        stem, dot, suffix = name.rpartition(".")
        return f"{self._word(stem or suffix, 'file')}{dot}{suffix if stem else ''}"

    def _distinguished_name(self, name: DistinguishedName) -> DistinguishedName:
        known = bool(_KNOWN_AUTHORITIES.search(name.text))
        attributes = tuple(
            (kind, value if (known or kind == "C") and not self._holds_a_domain(value) else self._attribute(value))
            for kind, value in name.attributes
        )
        return DistinguishedName(", ".join(f"{kind}={value}" for kind, value in attributes), attributes)

    @staticmethod
    def _holds_a_domain(value: str) -> bool:
        return bool(re.fullmatch(r"(?:\*\.)?[\w-]+(?:\.[\w-]+)+", value))

    def _attribute(self, value: str) -> str:
        return self.text(value) if self._holds_a_domain(value) or "@" in value else self._word(value, "name")

    # --- texts ---

    def text(self, text: str) -> str:
        """`text` with everything that may name somebody replaced."""
        return _TOKEN.sub(self._token, text)

    def _token(self, match: re.Match[str]) -> str:
        text = match[0]
        match match.lastgroup:
            case "mailbox":
                local, _, domain = text.rpartition("@")
                return f"{self._local_part(local)}@{self.domain(domain)}"
            case "address4" | "address6":
                address = parsed_address(text)
                return text if address is None or _ENHANCED.fullmatch(text) else str(self.address(address))
            case "status":
                return text  # a result of Windows
            case "guid" | "colons" | "hex" | "digits":
                return self._digits(text)
            case "domain":
                return self._domain_or_word(text)
            case _:
                return self._plain_word(text)

    def _plain_word(self, word: str) -> str:
        folded = word.casefold().replace("\u2019", "'")
        if folded in self._names:
            return self._label(folded)
        known = _known_words()
        parts = [each for each in re.split(r"[-_']", folded) if each and not each.isdigit()]
        if folded in known or all(part in known or len(part) < 3 or phrases().hold(part) for part in parts):
            return word
        if re.fullmatch(r"[A-Z][A-Za-z]*\d*", word) and all(
            part.casefold() in known or len(part) < 3 for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", word)
        ):
            return word  # TlsSenderCertificateName: a property's name in words of mail
        return self._word(word, "name")

    def _domain_or_word(self, text: str) -> str:
        folded = text.casefold()
        if re.fullmatch(r"[\w-]+\.(?:log|txt|pem|crt|cer|eml|msg|xml|json|csv|c|cf|exe|ps1|dll)", folded):
            stem, _, suffix = text.rpartition(".")
            return f"{self._plain_word(stem)}.{suffix}"
        return self.domain(text)

    def _local_part(self, local: str) -> str:
        return local if local.casefold() in _ROLE_MAILBOXES else self._word(local, "user")

    def domain(self, text: str) -> str:
        """Label by label, so that what was below another name still is."""
        wildcard, name = ("*.", text[2:]) if text.startswith("*.") else ("", text)
        folded = name.casefold().rstrip(".")
        for public in _PUBLIC_DOMAINS:
            if folded == public:
                return wildcard + folded
            if folded.endswith("." + public):
                above = folded[: -len(public) - 1].split(".")
                kept = [self._service_label(each) for each in above]
                return wildcard + ".".join([*kept, public])
        labels = folded.split(".")
        return wildcard + ".".join(
            label if last and label in _PUBLIC_SUFFIXES else self._label(label)
            for label, last in ((each, index == len(labels) - 1) for index, each in enumerate(labels))
        )

    def _international(self, label: str) -> str:
        """The two forms of an internationalised label stay two forms of one label."""
        try:
            written = label.encode("ascii").decode("idna") if label.isascii() else label
            other = f"{self._word(written, 'name')}\u00e4"
            return other.encode("idna").decode("ascii") if label.isascii() else other
        except UnicodeError:
            return self._word(label, "name")

    def _service_label(self, label: str) -> str:
        if (label in WORDS and label not in self._names) or re.fullmatch(
            r"[a-z]{2,8}\d{2,}[a-z0-9]{0,255}|eop-[a-z]{3}\d\d|.*prd\d\d", label
        ):
            return label  # a front end of the service, not of a customer
        return self._label(label)

    def _label(self, label: str) -> str:
        if (label in _ROLE_LABELS and label not in self._names) or not label:
            return label
        if label.startswith("xn--") or not label.isascii():
            return self._international(label)
        # contoso-com of contoso-com.mail.protection.outlook.com keeps its likeness to contoso.com.
        parts = label.split("-")
        return "-".join(
            part if not part or (len(parts) > 1 and part in _PUBLIC_SUFFIXES) else self._word(part, "name")
            for part in parts
        )

    def _word(self, word: str, kind: str) -> str:
        return f"{kind}{self._hash(word.casefold(), kind)[:6]}"

    def _digits(self, text: str) -> str:
        letters = "0123456789ABCDEF" if text.upper() == text else "0123456789abcdef"
        alphabet = "0123456789" if text.isdigit() else letters
        stream = iter(self._hash(re.sub(r"[^0-9A-Fa-f]", "", text).casefold(), "hex") * (len(text) // 64 + 1))
        return "".join(alphabet[int(next(stream), 16) % len(alphabet)] if each.isalnum() else each for each in text)

    def _hash(self, text: str, kind: str) -> str:
        return hashlib.blake2b(
            f"{kind}:{text}".encode("utf-8", "surrogatepass"), key=self._key[:64], digest_size=32
        ).hexdigest()

    # --- addresses ---

    def address(self, address: Address) -> Address:
        """Two addresses share as many leading bits afterwards as before, so ranges hold; private stays private."""
        if address.is_loopback or address in _THIS_NETWORK:
            return address
        bits = 32 if address.version == 4 else 128
        fixed = 16 if is_private(address) and bits == 32 else 8 if bits == 32 else 16
        number = int(address)
        result = number >> (bits - fixed)
        if not is_private(address):
            result = self._first_octet(result) if bits == 32 else 0x2001 if result == 0x2001 else 0x2A00 | result & 0xFF
        for position in range(fixed, bits):
            above = number >> (bits - position)
            bit = number >> (bits - position - 1) & 1
            flip = int(self._hash(f"{bits}/{position}/{above}", "bit")[0], 16) & 1
            result = result << 1 | bit ^ flip
        return ipaddress.IPv4Address(result) if bits == 32 else ipaddress.IPv6Address(result)

    def _first_octet(self, octet: int) -> int:
        if octet not in self._octets:
            free = [each for each in range(11, 100) if each not in self._octets.values()]
            self._octets[octet] = free[int(self._hash(str(octet), "octet"), 16) % len(free)] if free else octet
        return self._octets[octet]
