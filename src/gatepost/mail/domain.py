"""Domain names as they are compared.

Every comparison of domains in Gatepost is between *keys*: lower case, IDNA A-labels (RFC 5890 2.3.2.1), no trailing
dot. A name is turned into its key once, where it enters, and never again.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

import idna

from gatepost.errors import GatepostError

_LDH_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\Z")

# RFC 1035 2.3.4: 255 octets on the wire, which leaves 253 for the written form.
LONGEST_DOMAIN = 253


class DomainError(GatepostError, ValueError):
    """A text that is not a domain name; the message is one sentence for the person who wrote it."""


@lru_cache(maxsize=65536)
def domain_key(text: str) -> str:
    """The form in which a domain is compared. Raises `DomainError` for what is no domain name."""
    name = text[:-1] if text.endswith(".") else text
    name = name.lower()
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise DomainError(f"'{text}' is not a domain name: {error}") from None
    if len(name) > LONGEST_DOMAIN:
        raise DomainError(f"'{text[:40]}…' is longer than the {LONGEST_DOMAIN} characters a domain name may have")
    if not _LDH_NAME.match(name):
        raise DomainError(f"'{text}' is not a domain name")
    return name


def parents(key: str) -> Iterator[str]:
    """The domains above `key`, nearest first: `a.b.example` gives `b.example`, `example`."""
    at = key.find(".")
    while at >= 0:
        key = key[at + 1 :]
        yield key
        at = key.find(".")


def is_below(key: str, ancestor: str) -> bool:
    """Whether `key` is a proper sub-domain of `ancestor`."""
    return key.endswith("." + ancestor)


def is_at_or_below(key: str, ancestor: str) -> bool:
    """Whether `key` is `ancestor` or one of its sub-domains."""
    return key == ancestor or is_below(key, ancestor)


def pattern_covers(pattern: str, key: str) -> bool:
    """Whether `*`, `domain` or `*.domain` covers `key`."""
    if pattern == "*":
        return True
    if pattern.startswith("*."):
        return is_at_or_below(key, pattern[2:])
    return pattern == key
