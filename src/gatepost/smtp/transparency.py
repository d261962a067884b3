"""How content is put on the wire, and what it needs of the server to be carried unchanged.

Law: what the next hop stores is octet for octet what we hold; only DATA adds a CRLF where the content lacks its last.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

# RFC 5321 4.5.3.1.6: a text line is at most 1000 octets with CRLF.
LONGEST_TEXT_LINE = 998

_DOT_AT_START: Final = b"\r\n."
# Most content has none, and a pattern is three times as fast as `bytes.replace` to find that out.
_find_dot_at_start: Final = re.compile(re.escape(_DOT_AT_START)).search


def dot_stuffed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The content as DATA sends it, with its final dot (RFC 5321 4.5.2)."""
    tail = b"\r\n"
    # One piece is held back, so that the final dot leaves with the last of them: in one packet, for most messages.
    held = b""
    for chunk in chunks:
        if not chunk:
            continue
        if held:
            yield held
        held = chunk
        # The end of the chunk before shows whether a dot stands at the beginning of a line across the border.
        if _find_dot_at_start(chunk) or _DOT_AT_START in tail + chunk[:2]:
            held = (tail + chunk).replace(_DOT_AT_START, b"\r\n..")[len(tail) :]
        tail = (tail + chunk[-2:])[-2:]
    yield held + (b".\r\n" if tail == b"\r\n" else b"\r\n.\r\n")


def until_nul(octets: Iterable[bytes], when_met: Callable[[], None]) -> Iterator[bytes]:
    """The pieces before the first that holds a NUL."""
    for piece in octets:
        if b"\0" in piece:
            when_met()
            return
        yield piece


def holds_nul(chunks: Iterable[bytes]) -> bool:
    return any(b"\0" in chunk for chunk in chunks)


def is_seven_bit(chunks: Iterable[bytes]) -> bool:
    return all(chunk.isascii() for chunk in chunks)


def is_text(chunks: Iterable[bytes]) -> bool:
    """Whether the content consists of lines that every server must take: no NUL, no lone CR or LF, no over-long line
    (RFC 5321 2.3.8, RFC 3030 3)."""
    rest = b""
    for chunk in chunks:
        if b"\0" in chunk:
            return False
        *lines, rest = (rest + chunk).split(b"\r\n")
        if len(rest) > LONGEST_TEXT_LINE + 1 or any(
            len(line) > LONGEST_TEXT_LINE or b"\r" in line or b"\n" in line for line in lines
        ):
            return False
    return b"\r" not in rest and b"\n" not in rest


def header_is_ascii(chunks: Iterable[bytes]) -> bool:
    tail = b""
    for chunk in chunks:
        joined = tail + chunk
        end = joined.find(b"\r\n\r\n")
        if end >= 0:
            return joined[:end].isascii()
        if not chunk.isascii():
            return False
        tail = joined[-3:]
    return True
