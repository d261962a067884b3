"""What the server machine asks of the world, in order. Imperative: the carrier does these, one after the other.

After an `Ask…` or `EndContent` the machine is paused: octets that arrive wait in its buffer until `answer`.
"""

from typing import NamedTuple

from gatepost.mail.address import ForwardPath
from gatepost.mail.envelope import DsnRequest, Envelope
from gatepost.mail.reply import Reply
from gatepost.value import value


class CommandReceived(NamedTuple):
    """For the protocol log: the command line as it came, without CRLF, cut to a sane length, secrets masked."""

    line: str


class SendReply(NamedTuple):
    """Write `reply.octets`; log `reply.log_row`: one value feeds both, so log and wire cannot differ."""

    reply: Reply


class StartTls(NamedTuple):
    """Begin the TLS handshake as server, then call `tls_established`. The machine has dropped its plaintext."""


class Close(NamedTuple):
    """Flush what was sent, then close. `why` becomes the context of the protocol log's disconnect row."""

    why: str


@value(frozen=True, slots=True, kw_only=True)
class AskMail:
    """May this mail transaction begin? Answer 250, or the refusal."""

    envelope: Envelope
    declared_size: int | None = None
    irregular: str | None = None
    """What the grammar says against the path, where it is taken all the same: the text of the refusal."""


@value(frozen=True, slots=True, kw_only=True)
class AskRecipient:
    """Is this forward-path taken? Answer 250 or 251, or the refusal."""

    forward_path: ForwardPath
    dsn: DsnRequest
    irregular: str | None = None
    """As for `AskMail`."""


class BeginContent(NamedTuple):
    """Content follows: DATA was answered with 354, or the first BDAT of the transaction came."""


class ContentReceived(NamedTuple):
    """Octets of the content: transparency undone, line ends as they came. Never more than the size limit in sum."""

    octets: bytes


class EndContent(NamedTuple):
    """The content is whole. Answer with the final reply; 2xx only when it is on stable storage."""

    size: int


class DropContent(NamedTuple):
    """The transaction ended without acceptance (RSET, too large, malformed, disconnect): forget its content."""


Effect = (
    CommandReceived
    | SendReply
    | StartTls
    | Close
    | AskMail
    | AskRecipient
    | BeginContent
    | ContentReceived
    | EndContent
    | DropContent
)
