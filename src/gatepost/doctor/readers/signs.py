"""Lines whose words mean one thing wherever they stand: an alert's text, a tool's complaint, a package manager's line.

Laws: what is looked for is data (signs.toml); a line that says it stays free for the reader of its kind.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from gatepost.doctor.evidence import SignSeen
from gatepost.doctor.page import Page

_LONGEST_LINE: Final = 2000
_MOST_OF_A_KIND: Final = 5
"""In one file: a log repeats itself."""


class _Sign(NamedTuple):
    kind: str
    words: tuple[str, ...]
    beside: tuple[str, ...]
    never: tuple[str, ...]


@cache
def _signs() -> tuple[_Sign, ...]:
    document = tomllib.loads((files("gatepost.doctor") / "signs.toml").read_text("utf-8"))
    return tuple(
        _Sign(each["kind"], tuple(each["words"]), tuple(each.get("with", ())), tuple(each.get("never", ())))
        for each in document["sign"]
    )


def read(page: Page) -> Iterator[SignSeen]:
    given: Counter[str] = Counter()
    for index, line in page.free():
        text = line[:_LONGEST_LINE].casefold().replace("_", " ")
        plain = line[:_LONGEST_LINE].casefold()
        for sign in _signs():
            if given[sign.kind] >= _MOST_OF_A_KIND or not any(word in plain or word in text for word in sign.words):
                continue
            if sign.beside and not any(word in plain for word in sign.beside):
                continue
            if any(word in plain for word in sign.never):
                continue
            given[sign.kind] += 1
            yield SignSeen(source=page.source(index), quote=line.strip()[:400], kind=sign.kind)
    yield from _schannel(page)
    yield from _fingerprints(page)


_LISTED_FINGERPRINT = re.compile(r"^\s{0,8}(?P<hex>(?:[0-9A-Fa-f]{2}:){15,31}[0-9A-Fa-f]{2})\s")
_DIGESTS = {16: "fingerprint-md5", 32: "fingerprint-sha256"}


def _fingerprints(page: Page) -> Iterator[SignSeen]:
    """A list of clients' certificates, as relay_clientcerts holds it: the digest is told by its length."""
    for index, line in page.free():
        if (match := _LISTED_FINGERPRINT.match(line[:200])) and (kind := _DIGESTS.get(match["hex"].count(":") + 1)):
            yield SignSeen(source=page.source(index), quote=line.strip()[:200], kind=kind)


_PROTOCOL = re.compile(r"SCHANNEL\\Protocols\\(?P<protocol>[A-Z]+ \d\.\d)\\(?P<side>Client|Server)\b", re.IGNORECASE)
_VALUE = re.compile(
    r"^\s*\"?(?P<name>Enabled|DisabledByDefault)\"?\s*(?:REG_DWORD\s+|[:=]\s*(?:dword:)?)(?P<value>0x)?(?P<number>[0-9a-f]{1,8})\b",
    re.IGNORECASE,
)


def _schannel(page: Page) -> Iterator[SignSeen]:
    """`reg query ...\\SCHANNEL\\Protocols /s`, or an exported .reg: a protocol switched off for one side."""
    key: re.Match[str] | None = None
    for index, line in page.free():
        if match := _PROTOCOL.search(line[:400]):
            key = match
        elif key is not None and (told := _VALUE.match(line[:200])):
            off = (int(told["number"], 16) != 0) == (told["name"].casefold() == "disabledbydefault")
            if off:
                kind = f"{key['protocol'].casefold().replace(' ', '-')}-{key['side'].casefold()}-off"
                quote = f"{key[0]}: {line.strip()[:100]}"
                yield SignSeen(source=page.source(index), quote=quote, kind=kind)
