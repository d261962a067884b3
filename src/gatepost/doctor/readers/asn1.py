"""How often a key store wants a password hashed before it opens, read from its structure alone.

What flows through: the octets of a PFX. Wherever a salt is followed by a number, in the key store's own integrity check
or in one of its encrypted parts, that number is the iteration count, and whoever made the file chose it. Nothing
is decrypted here; what is no ASN.1 counts for nothing.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

_INTEGER: Final = 0x02
_OCTET_STRING: Final = 0x04
_CONSTRUCTED: Final = 0x20
_DEEPEST: Final = 30


class _Element(NamedTuple):
    tag: int
    content: memoryview


def derivations(octets: bytes) -> int:
    """The sum of all iteration counts."""
    return _counted(memoryview(octets), 0)


def _counted(octets: memoryview, depth: int) -> int:
    if depth > _DEEPEST:
        return 0
    total, before = 0, None
    for element in _elements(octets):
        if element.tag == _INTEGER and before == _OCTET_STRING:
            total += max(0, int.from_bytes(element.content[:16], signed=True))
        elif element.tag & _CONSTRUCTED or element.tag == _OCTET_STRING:
            total += _counted(element.content, depth + 1)
        before = element.tag
    return total


def _elements(octets: memoryview) -> Iterator[_Element]:
    """Those that follow one another; ends where the octets are no more of that."""
    at = 0
    while at + 2 <= len(octets):
        tag, length, start = octets[at], octets[at + 1], at + 2
        if length == 0x80:
            # Of indefinite length, as BER allows: what follows is looked at as if it were its content.
            at = start
            continue
        if length > 0x80:
            more = length & 0x7F
            length, start = int.from_bytes(octets[start : start + more]), start + more
        if start + length > len(octets):
            return
        yield _Element(tag, octets[start : start + length])
        at = start + length
