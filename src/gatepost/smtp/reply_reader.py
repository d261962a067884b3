"""Octets from an SMTP server in, whole replies out (RFC 5321 4.2).

Laws: never raises; the result does not depend on how the octets were cut; what is no reply becomes one `Garbled`, and
nothing is read after it. Lines may end with a bare LF, since some servers do that and nothing hangs on it here.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from gatepost.mail.reply import RemoteReply

# RFC 5321 4.5.3.1.5 says 512; some servers write long texts, and what bounds our memory may be generous.
LONGEST_LINE = 4096
MOST_LINES = 200
MOST_OCTETS = 64 * 1024
"""Of one reply."""

# A reply that many sessions hear is read once; long ones would fill the memory.
_LONGEST_REMEMBERED = 512

# How much of what is no reply is shown to operators.
_SHOWN_OF_GARBAGE = 200

# Reply-line = Reply-code [ SP textstring ] CRLF, or "-" where more lines follow (RFC 5321 4.2).
_REPLY_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?\Z", re.DOTALL)

# status-code = class "." subject "." detail (RFC 3463 2)
_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?![^ ])")


class Garbled(NamedTuple):
    """What came is no reply, or its lines contradict each other."""

    why: str
    """Says nothing of what came: whoever chose the host must not read other services' banners by it."""
    said: str = ""
    """The beginning of what came, for operators."""


_NO_SMTP = "the next hop does not speak SMTP"


class ReplyReader:
    __slots__ = ("_dead", "_lines", "_octets", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []
        self._octets = 0
        self._dead = False

    @property
    def pending(self) -> bool:
        """Part of a reply has come."""
        return bool(self._rest or self._lines)

    def feed(self, octets: bytes) -> list[RemoteReply | Garbled]:
        if self._dead:
            return []
        pieces = (self._rest + octets).split(b"\n")
        self._rest = pieces.pop()
        found: list[RemoteReply | Garbled] = []
        for line in pieces:
            self._take_line(line.removesuffix(b"\r"), found)
            if self._dead:
                return found
        if len(self._rest) > LONGEST_LINE:
            self._too_much(f"line of more than {LONGEST_LINE:,} octets", self._rest, found)
        return found

    def _take_line(self, line: bytes, found: list[RemoteReply | Garbled]) -> None:
        if len(line) >= LONGEST_LINE:
            return self._too_much(f"line of more than {LONGEST_LINE:,} octets", line, found)
        if not self._lines and line[3:4] != b"-":
            reply = _remembered(line) if len(line) <= _LONGEST_REMEMBERED else _single(line)
        else:
            self._lines.append(line)
            self._octets += len(line)
            if self._octets > MOST_OCTETS:
                return self._too_much(f"of more than {MOST_OCTETS:,} octets", line, found)
            if line[3:4] == b"-" and _REPLY_LINE.match(line):
                if len(self._lines) >= MOST_LINES:
                    return self._too_much(f"of more than {MOST_LINES} lines", line, found)
                return None
            reply = _several(tuple(self._lines))
        if reply is None:
            return self._give_up(_NO_SMTP, line, found)
        self._lines.clear()
        self._octets = 0
        found.append(reply)
        return None

    def _too_much(self, what: str, line: bytes, found: list[RemoteReply | Garbled]) -> None:
        self._give_up(f"the next hop broke the protocol: a reply {what}", line, found)

    def _give_up(self, why: str, line: bytes, found: list[RemoteReply | Garbled]) -> None:
        self._dead = True
        self._rest = b""
        self._lines.clear()
        found.append(Garbled(why, _text(line[:_SHOWN_OF_GARBAGE])))


def _single(line: bytes) -> RemoteReply | None:
    match = _REPLY_LINE.match(line)
    if match is None or match[2] == b"-":
        return None
    return RemoteReply(int(match[1]), _enhanced(match[3] or b""), (_text(line),))


_remembered = lru_cache(maxsize=1024)(_single)


def _several(lines: tuple[bytes, ...]) -> RemoteReply | None:
    """A reply of many lines. They must agree on the class of the code (RFC 5321 4.2.1 asks for the whole code); the
    last line's code counts."""
    matches = [_REPLY_LINE.match(line) for line in lines]
    if any(match is None or match[1][:1] != lines[0][:1] for match in matches):
        return None
    first, last = matches[0], matches[-1]
    if first is None or last is None or last[2] == b"-":
        return None
    return RemoteReply(int(last[1]), _enhanced(first[3] or b""), tuple(_text(line) for line in lines))


def _enhanced(text: bytes) -> str | None:
    match = _ENHANCED.match(_text(text[:12]))
    return match[0] if match else None


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "backslashreplace")
