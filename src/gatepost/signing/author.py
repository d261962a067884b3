"""Whose the From field says a message is (RFC 5322 3.6.2), as far as nobody could read it in another way.

A signature vouches for the domain that a reader sees. So of a field that is there twice, names several mailboxes, or
bends the grammar, nothing is believed: such a message goes out unsigned, and the reason is told.
"""

import re
from typing import Final, NamedTuple

from gatepost.mail.domain import DomainError, domain_key

_SPECIAL: Final = re.compile(rb"[\s<>@,;:()\[\]\"\\]")
_LONGEST: Final = 4096
_MOST_DEEP: Final = 5

_BACKSLASH, _QUOTE, _OPEN, _CLOSE = b'\\"()'


class Author(NamedTuple):
    domain: str
    """Its key."""


class NoAuthor(NamedTuple):
    why: str


_NOT_PLAIN: Final = NoAuthor("its From field is not one plain mailbox")


def author_of(fields: list[bytes]) -> Author | NoAuthor:
    """`fields`: the values of all From fields."""
    if len(fields) != 1:
        return NoAuthor("it has no From field" if not fields else f"it has {len(fields)} From fields")
    value = fields[0].replace(b"\r\n", b"")
    if len(value) > _LONGEST:
        return NoAuthor("its From field is too long")
    plain = _bare(value)
    if plain is None:
        return NoAuthor("its From field has a quotation or a comment that does not end")
    local_part, at, domain = _address_in(plain).partition(b"@")
    if not local_part or not at or _SPECIAL.search(local_part) or _SPECIAL.search(domain):
        return _NOT_PLAIN
    try:
        return Author(domain_key(domain.decode("utf-8")))
    except (DomainError, UnicodeDecodeError):
        return NoAuthor("its From field has no valid domain")


def _address_in(plain: bytes) -> bytes:
    """What stands in angle brackets, at the end and with a mere name before it; else the whole."""
    name, opening, rest = plain.strip().partition(b"<")
    if not opening:
        return name
    address, closing, behind = rest.partition(b">")
    is_name = not any(octet in name for octet in b"<>@,;:[]\\")
    return address if closing and not behind and is_name else b""


def _bare(value: bytes) -> bytes | None:
    """Without comments, and with a letter for each quotation; None: one of them does not end."""
    kept, depth, quoted, escaped = bytearray(), 0, False, False
    for octet in value:
        if escaped:
            escaped = False
        elif octet == _BACKSLASH and (quoted or depth):
            escaped = True
        elif quoted:
            quoted = octet != _QUOTE
        elif octet == _OPEN:
            depth += 1
        elif octet == _CLOSE:
            depth -= 1
        elif not depth:
            quoted = octet == _QUOTE
            kept += b"q" if quoted else bytes((octet,))
        if not 0 <= depth <= _MOST_DEEP:
            return None
    return None if depth or quoted else bytes(kept)
