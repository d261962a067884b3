"""Replies: the ones we give and the ones we are given.

A `Reply` of ours takes the subject and detail of its enhanced status code; the class digit comes from the reply code,
so the two can never disagree (RFC 2034 4). A `RemoteReply` is kept as it came, since other hosts pair their codes as
they please.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

# RFC 5321 4.5.3.1.5: a reply line is at most 512 octets with code and CRLF.
LONGEST_REPLY_LINE = 512


@dataclass(frozen=True)
class Reply:
    """One reply of ours. `status` is `subject.detail` of RFC 3463 (`"7.64"`), or None for greeting, EHLO and 3xx."""

    code: int
    status: str | None
    lines: tuple[str, ...]

    @property
    def enhanced(self) -> str | None:
        return f"{self.code // 100}.{self.status}" if self.status else None

    @property
    def kind(self) -> Literal[2, 3, 4, 5]:
        return self.code // 100  # type: ignore[return-value]

    @cached_property
    def log_lines(self) -> tuple[str, ...]:
        """The lines as sent, without CRLF: what the protocol log shows is what went over the wire."""
        prefix = f"{self.enhanced} " if self.enhanced else ""
        room = LONGEST_REPLY_LINE - 2 - 4
        last = len(self.lines) - 1
        return tuple(
            f"{self.code}{' ' if at == last else '-'}{(prefix + line)[:room]}" for at, line in enumerate(self.lines)
        )

    @cached_property
    def log_row(self) -> str:
        """The lines as one row: the newest generation of Exchange joins a reply of several."""
        lines = self.log_lines
        return lines[0] if len(lines) == 1 else f"{self.code}  " + " ".join(line[4:] for line in lines)

    @cached_property
    def octets(self) -> bytes:
        return ("\r\n".join(self.log_lines) + "\r\n").encode("utf-8", "replace")

    def __str__(self) -> str:
        return "\n".join(self.log_lines)


def reply(code: int, status: str | None, *lines: str) -> Reply:
    """Shorthand for a reply of one or more lines."""
    return Reply(code, status, lines)


@dataclass(frozen=True, slots=True)
class RemoteReply:
    """A reply another host gave: `lines` are verbatim, without CRLF and with their codes."""

    code: int
    enhanced: str | None
    lines: tuple[str, ...]

    @property
    def kind(self) -> int:
        return self.code // 100

    def __str__(self) -> str:
        return "\n".join(self.lines)
