"""Replies: the ones we give and the ones we are given.

A `Reply` of ours takes the subject and detail of its enhanced status code; the class digit comes from the reply code,
so the two can never disagree (RFC 2034 4). A `RemoteReply` is kept as it came, since other hosts pair their codes as
they please, but never more of it than `excerpt` leaves: what a stranger says is stored, logged and quoted.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, TypeVar

from gatepost.value import value

# RFC 5321 4.5.3.1.5: a reply line is at most 512 octets with code and CRLF.
LONGEST_REPLY_LINE = 512

# What Gatepost, or Exchange Online Protection, says to a server that it does not know (design 4).
_NOT_RECOGNISED = re.compile(r"5\.7\.64 TenantAttribution")

# What is kept of another host's reply, in log, queue, notifications and events alike.
MOST_KEPT_LINES = 20
MOST_KEPT_OCTETS = 4096


Value = TypeVar("Value")


class _computed_once(Generic[Value]):
    """`functools.cached_property` without its lock, which in Python 3.11 takes longer than most of what is computed
    here: a reply that tells a message's id is said once."""

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self._compute = compute

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, reply: Any, owner: type) -> Value:
        value = self._compute(reply)
        reply.__dict__[self._name] = value
        return value


@value(frozen=True, slots=False)
class Reply:
    """One reply of ours. `status` is `subject.detail` of RFC 3463 (`"7.64"`), or None for greeting, EHLO and 3xx."""

    code: int
    status: str | None
    lines: tuple[str, ...]

    @property
    def enhanced(self) -> str | None:
        return f"{self.code // 100}.{self.status}" if self.status else None

    @_computed_once
    def kind(self) -> Literal[2, 3, 4, 5]:
        return self.code // 100  # type: ignore[return-value]

    @_computed_once
    def log_lines(self) -> tuple[str, ...]:
        """The lines as sent, without CRLF: what the protocol log shows is what went over the wire."""
        prefix = f"{self.enhanced} " if self.enhanced else ""
        room = LONGEST_REPLY_LINE - 2 - 4
        last = len(self.lines) - 1
        return tuple(
            f"{self.code}{' ' if at == last else '-'}{(prefix + line)[:room]}" for at, line in enumerate(self.lines)
        )

    @_computed_once
    def log_row(self) -> str:
        """The lines as one row: the newest generation of Exchange joins a reply of several."""
        lines = self.log_lines
        return lines[0] if len(lines) == 1 else f"{self.code}  " + " ".join(line[4:] for line in lines)

    @_computed_once
    def octets(self) -> bytes:
        return ("\r\n".join(self.log_lines) + "\r\n").encode("utf-8", "replace")

    def __str__(self) -> str:
        return "\n".join(self.log_lines)


def reply(code: int, status: str | None, *lines: str) -> Reply:
    """Shorthand for a reply of one or more lines."""
    return Reply(code, status, lines)


@value(frozen=True, slots=False)
class RemoteReply:
    """A reply another host gave: `lines` are verbatim, without CRLF and with their codes, unless `kept` cut them."""

    code: int
    enhanced: str | None
    lines: tuple[str, ...]

    @_computed_once
    def kind(self) -> int:
        return self.code // 100

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def kept(self) -> "RemoteReply":
        """Itself where it is of a usual size, else what is kept of it."""
        lines = excerpt(self.lines)
        return self if lines is self.lines else RemoteReply(self.code, self.enhanced, lines)


def says_not_recognised(lines: Sequence[str]) -> bool:
    """Whether a relay refused for what this server presented, and not for anything in the message."""
    return _NOT_RECOGNISED.search(" ".join(lines)) is not None


def excerpt(lines: tuple[str, ...], most_octets: int = MOST_KEPT_OCTETS) -> tuple[str, ...]:
    """At most `MOST_KEPT_LINES` of the lines of a reply and about `most_octets` of UTF-8. The first lines and the last
    stay, since the last often names the session; what is left out is said in its place."""
    if len(lines) <= MOST_KEPT_LINES and sum(map(_octets, lines)) <= most_octets:
        return lines
    if len(lines) == 1:
        return (_cut(lines[0], most_octets),)
    last = _cut(lines[-1], most_octets // 4)
    first = _as_many_as_fit(lines[:-1], most_octets - _octets(last))
    left_out = len(lines) - 1 - len(first)
    if not left_out:
        return (*first, last)
    return (*first, f"{lines[0][:3]}-… {left_out:,} more line{'' if left_out == 1 else 's'}", last)


def _as_many_as_fit(lines: Sequence[str], room: int) -> list[str]:
    fitting: list[str] = []
    for line in lines[: MOST_KEPT_LINES - 2]:
        if _octets(line) > room:
            return fitting or [_cut(line, room)]
        fitting.append(line)
        room -= _octets(line)
    return fitting


def _octets(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _cut(text: str, most_octets: int) -> str:
    octets = text.encode()
    if len(octets) <= most_octets:
        return text
    start = octets[:most_octets].decode("utf-8", "ignore")
    return f"{start}… {len(octets) - most_octets:,} more octets"
