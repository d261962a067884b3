"""The SHA-256 of a message's body in relaxed form, as the body comes in (RFC 6376 3.4.4).

Laws: the result never depends on how the octets were cut; what is held back is bounded, whatever a body consists of.
"""

from hashlib import sha256
from typing import Final

_CRLF: Final = b"\r\n"
_END_OF_HEADER: Final = b"\r\n\r\n"
_CRLFS_AT_ONCE: Final = 32 * 1024


class BodyHash:
    __slots__ = ("_empty_lines", "_hash", "_in_body", "_is_empty", "_tail")

    def __init__(self) -> None:
        self._hash = sha256()
        # A message without a header begins with the empty line.
        self._tail = _CRLF
        self._in_body = False
        self._is_empty = True
        self._empty_lines = 0
        """Ends of lines that count only if something follows."""

    def take(self, octets: bytes) -> None:
        """Header and body, from the first octet of the message."""
        octets = self._tail + octets
        if not self._in_body:
            end = octets.find(_END_OF_HEADER)
            if end < 0:
                self._tail = octets[-3:]
                return
            self._in_body, octets = True, octets[end + 4 :]
        self._take_body(octets)

    def digest(self) -> bytes:
        """Nothing is taken afterwards."""
        if self._in_body and self._tail.strip(b" "):
            self._add(self._tail)
        if not self._is_empty:
            self._hash.update(_CRLF)
        return self._hash.digest()

    def _take_body(self, octets: bytes) -> None:
        octets = octets.replace(b"\t", b" ")
        while b"  " in octets:
            octets = octets.replace(b"  ", b" ")
        octets = octets.replace(b" \r\n", _CRLF)
        # A space may turn out to stand at the end of its line, and a CR to be half of that end.
        end = len(octets)
        if octets.endswith(b"\r"):
            end -= 1
        if octets[:end].endswith(b" "):
            end -= 1
        self._tail = octets[end:]
        text = _without_empty_lines(octets[:end])
        lines = (end - len(text)) // 2
        if text:
            self._add(text)
            self._empty_lines = lines
        else:
            self._empty_lines += lines

    def _add(self, text: bytes) -> None:
        while self._empty_lines:
            some = min(self._empty_lines, _CRLFS_AT_ONCE)
            self._hash.update(_CRLF * some)
            self._empty_lines -= some
        self._hash.update(text)
        self._is_empty = False


def _without_empty_lines(octets: bytes) -> bytes:
    """Up to the last CRLFs."""
    stripped = octets.rstrip(_CRLF)
    rest = octets[len(stripped) :]
    lines = len(rest) // 2
    if rest == _CRLF * lines:
        return stripped
    # Lone CRs or LFs stand before them, and are text.
    end = len(octets)
    while octets[end - 2 : end] == _CRLF:
        end -= 2
    return octets[:end]
