"""Names of X.500 as programs print them: .NET's notation, OpenSSL's, RFC 4514's, and Exchange's pair of them."""

import re
from collections.abc import Iterator
from typing import NamedTuple


class DistinguishedName(NamedTuple):
    """A name of X.500 in whatever notation; compare `key`, never `text`."""

    text: str
    attributes: tuple[tuple[str, str], ...] = ()
    """In the order written, types upper-case and in one spelling (`ST`, never `S`)."""

    @property
    def common_name(self) -> str:
        return next((value for kind, value in self.attributes if kind == "CN"), "")

    @property
    def organization(self) -> str:
        return next((value for kind, value in self.attributes if kind == "O"), "")

    @property
    def key(self) -> frozenset[tuple[str, str]]:
        # Consoles break lines with a blank or within a word: blanks tell nothing.
        return frozenset((kind, "".join(value.split()).casefold()) for kind, value in self.attributes)


_TYPE = re.compile(r"(?:OID\.)?([A-Za-z][A-Za-z0-9]*|\d+(?:\.\d+)+)\s*=\s*")
_ONE_SPELLING = {
    "S": "ST",
    "SP": "ST",
    "STATEORPROVINCENAME": "ST",
    "COMMONNAME": "CN",
    "ORGANIZATIONNAME": "O",
    "ORGANIZATIONALUNITNAME": "OU",
    "LOCALITYNAME": "L",
    "COUNTRYNAME": "C",
    "EMAILADDRESS": "E",
    "EMAIL": "E",
    "2.5.4.3": "CN",
    "2.5.4.5": "SERIALNUMBER",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
}


def distinguished_name(text: str) -> DistinguishedName:
    """Any notation: .NET's (`S=`, quotes), OpenSSL's oneline (`C = AE`), RFC 2253 (`\\,`), or slashes."""
    text = text.strip()
    found: list[tuple[str, str]] = []
    slashes = text.startswith("/") and "=" in text
    for part in _relative_names(text[1:] if slashes else text, "/" if slashes else ",+;"):
        if match := _TYPE.match(part):
            kind = match[1].upper()
            value = _unescaped(part[match.end() :].strip())
            found.append((_ONE_SPELLING.get(kind, kind), value))
        elif found and part.strip():  # a separator within a value that nobody quoted
            kind, value = found[-1]
            found[-1] = (kind, f"{value}{'/' if slashes else ', '}{part.strip()}")
    return DistinguishedName(text, tuple(found))


def _relative_names(text: str, separators: str) -> Iterator[str]:
    part, quoted, escaped = "", False, False
    for character in text:
        if escaped:
            part += character
            escaped = False
        elif character == "\\":
            part += character
            escaped = True
        elif character == '"':
            quoted = not quoted
            part += character
        elif character in separators and not quoted:
            yield part.strip()
            part = ""
        else:
            part += character
    yield part.strip()


def _unescaped(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1].replace('""', '"')
    return re.sub(r"\\(.)", r"\1", value)


_ISSUER_SUBJECT = re.compile(r"\s*<I>(.{0,2000}?)<S>(.*)", re.IGNORECASE | re.DOTALL)


def issuer_and_subject(name: str) -> tuple[DistinguishedName, DistinguishedName] | None:
    """The two names of Exchange's `<I>...<S>...`; None where the tags are gone or were never there."""
    found = _ISSUER_SUBJECT.fullmatch(name.strip().strip("`'\""))
    return (distinguished_name(found[1]), distinguished_name(found[2])) if found else None
