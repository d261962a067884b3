"""Every number and choice of the client machine. Time-outs are those of RFC 5321 4.5.3.2."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from operator import attrgetter
from typing import Final

MINUTE = 60.0


class StartTlsUse(Enum):
    NEVER = auto()
    WHEN_OFFERED = auto()
    REQUIRED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTimeouts:
    """Seconds of silence after which the wait for a reply is over."""

    greeting_s: float = 5 * MINUTE
    """RFC 5321 4.5.3.2.1"""
    command_s: float = 5 * MINUTE
    """MAIL and RCPT: RFC 5321 4.5.3.2.2, 4.5.3.2.3; used for EHLO and STARTTLS too"""
    data_s: float = 2 * MINUTE
    """The reply to DATA: RFC 5321 4.5.3.2.4"""
    block_s: float = 3 * MINUTE
    """One block of content to go out: RFC 5321 4.5.3.2.5"""
    end_of_data_s: float = 10 * MINUTE
    """The reply to the content: RFC 5321 4.5.3.2.6"""
    quit_s: float = 5.0
    """The reply to QUIT. RFC 5321 4.1.1.10 wants it awaited; nothing depends on it."""


RFC_TIMEOUTS = ClientTimeouts()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    ehlo_name: str
    starttls: StartTlsUse = StartTlsUse.WHEN_OFFERED
    most_recipients: int = 100
    """In one transaction. RFC 5321 4.5.3.1.8: every server must take 100."""
    most_inline_content: int = 128 * 1024
    """Content up to this size follows its BDAT command in the same write, before RCPT is answered."""
    timeouts: ClientTimeouts = RFC_TIMEOUTS


class Awaited(StrEnum):
    GREETING = "the greeting"
    EHLO = "the reply to EHLO"
    HELO = "the reply to HELO"
    STARTTLS = "the reply to STARTTLS"
    RSET = "the reply to RSET"
    MAIL = "the reply to MAIL"
    RCPT = "the reply to RCPT"
    DATA = "the reply to DATA"
    CONTENT = "the reply to the content"
    QUIT = "the reply to QUIT"


_PATIENCE: Final[Mapping[Awaited, Callable[[ClientTimeouts], float]]] = {
    **dict.fromkeys(Awaited, attrgetter("command_s")),
    Awaited.GREETING: attrgetter("greeting_s"),
    Awaited.DATA: attrgetter("data_s"),
    Awaited.CONTENT: attrgetter("end_of_data_s"),
    Awaited.QUIT: attrgetter("quit_s"),
}


def patience_s(timeouts: ClientTimeouts, awaited: Awaited) -> float:
    return _PATIENCE[awaited](timeouts)
