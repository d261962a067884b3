"""What the client machine asks of the world, and what it reports. The carrier does these one after the other."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from gatepost.mail.reply import RemoteReply


class SendCommands(NamedTuple):
    """Write `octets`. `lines` are its commands without CRLF, for the protocol log; content in `octets` is not among
    them."""

    octets: bytes
    lines: tuple[str, ...]


class SendContent(NamedTuple):
    """Write these octets piece by piece as the transport takes them, then call `content_sent`."""

    octets: Iterator[bytes]


class ReplyReceived(NamedTuple):
    reply: RemoteReply
    """What is kept of it."""


class GarbageReceived(NamedTuple):
    """What came is no reply; the session ends. `said` is the beginning of it, for the protocol log alone."""

    said: str


class StartTls(NamedTuple):
    """Begin the TLS handshake as client, then call `tls_established`. Plaintext that came early is dropped."""


class Ready(NamedTuple):
    """The session can take its first mail transaction: call `begin`, now or later, or `quit`."""


class Verdict(NamedTuple):
    """What became of one recipient: `kind` 2 taken, 4 not now, 5 never. `reply` is None where no reply decided."""

    kind: Literal[2, 4, 5]
    status: str
    why: str
    reply: RemoteReply | None


class TransactionEnded(NamedTuple):
    """One verdict for each recipient, in order. The session takes the next transaction unless `Close` follows."""

    verdicts: tuple[Verdict, ...]
    untouched: bool
    """The server ended the session before it said anything about this transaction: a fresh connection may try it."""


class SessionFailed(NamedTuple):
    """No transaction can be had from this host at present; the next host may do."""

    why: str
    status: str
    reply: RemoteReply | None


class Close(NamedTuple):
    """Close the connection. `who` is the context of the protocol log's disconnect row."""

    who: Literal["Local", "Remote"]


ClientEffect = (
    SendCommands
    | SendContent
    | ReplyReceived
    | GarbageReceived
    | StartTls
    | Ready
    | TransactionEnded
    | SessionFailed
    | Close
)
