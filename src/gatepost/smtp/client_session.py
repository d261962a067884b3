"""The SMTP client machine: what the server said in, what to do next out. No I/O, no clock.

A session goes greeting, EHLO, perhaps STARTTLS and EHLO again, then any number of mail transactions, then QUIT. The
carrier feeds octets (`octets_received`), tells what happened (`tls_established`, `content_sent`, `peer_closed`,
`timed_out`) and orders (`begin`, `quit`, `break_off`); each returns effects, to be done in order.

Laws:
- it never raises for anything a server does, and its effects do not depend on how the octets were cut;
- a recipient is delivered only by a 2xx to the content, after a 2xx to its own RCPT; where that reply did not come or
  was no reply, the recipient is deferred, since mail sent twice is better than mail lost;
- content goes out only where every octet of it may (8BITMIME, BINARYMIME, SMTPUTF8): nothing is ever converted. NUL
  goes out as BINARYMIME alone: who drops it sees another end of the content (RFC 2045 2.7, 2.8);
- plaintext that arrives with the reply to STARTTLS is dropped (RFC 3207 6);
- no effect holds more of a reply than `RemoteReply.kept` leaves; what is no reply appears in `GarbageReceived` alone.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal, Protocol

from gatepost.mail.domain import DomainError, domain_key
from gatepost.mail.envelope import Body, DsnRequest, Envelope
from gatepost.mail.reply import RemoteReply
from gatepost.smtp.client_effects import (
    ClientEffect,
    Close,
    GarbageReceived,
    Ready,
    ReplyReceived,
    SendCommands,
    SendContent,
    SessionFailed,
    StartTls,
    TransactionEnded,
    Verdict,
)
from gatepost.smtp.client_settings import ClientSettings, StartTlsUse
from gatepost.smtp.reply_reader import Garbled, ReplyReader
from gatepost.smtp.transparency import dot_stuffed, header_is_ascii, holds_nul, is_seven_bit, is_text, until_nul


class OutgoingRecipient(Protocol):
    @property
    def forward_path(self) -> str: ...

    @property
    def dsn(self) -> DsnRequest: ...


class OutgoingContent(Protocol):
    @property
    def size(self) -> int: ...

    def chunks(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One message to at most `most_recipients` recipients."""

    envelope: Envelope
    recipients: Sequence[OutgoingRecipient]
    content: OutgoingContent


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """The EHLO keywords of the server that change what we do."""

    pipelining: bool = False
    starttls: bool = False
    chunking: bool = False
    binarymime: bool = False
    eight_bit_mime: bool = False
    smtputf8: bool = False
    dsn: bool = False
    size: bool = False
    largest_message: int | None = None
    most_recipients: int | None = None
    most_transactions: int | None = None


NOTHING_OFFERED = Offers()


class _Awaited(Enum):
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


class _State(Enum):
    OPENING = auto()
    SECURING = auto()
    IDLE = auto()
    SENDING = auto()
    LEAVING = auto()
    CLOSED = auto()


class ClientSession:
    """One session as SMTP client."""

    def __init__(self, settings: ClientSettings) -> None:
        self.offers = NOTHING_OFFERED
        self._settings = settings
        self._state = _State.OPENING
        self._secured = False
        self._reader = ReplyReader()
        self._replies: deque[RemoteReply | Garbled] = deque()
        self._awaited: deque[_Awaited] = deque((_Awaited.GREETING,))
        self._needs_reset = False
        self._content_under_way = False
        self._nul_met = False
        self._transaction: Transaction
        self._script: deque[tuple[_Awaited, str]] = deque()
        self._verdicts: list[Verdict | None] = []
        self._accepted: list[int] = []
        self._asked = 0
        self._answered = False
        self._taken_nevertheless = False

    @property
    def idle(self) -> bool:
        """It can take a mail transaction."""
        return self._state is _State.IDLE

    @property
    def closed(self) -> bool:
        return self._state is _State.CLOSED

    @property
    def most_recipients(self) -> int:
        """In one transaction: ours, or what the server says it takes (RFC 9422)."""
        return min(self._settings.most_recipients, self.offers.most_recipients or self._settings.most_recipients)

    @property
    def timeout_s(self) -> float:
        """How long the present silence may last."""
        timeouts = self._settings.timeouts
        if self._content_under_way:
            return timeouts.block_s
        match self._awaited[0] if self._awaited else None:
            case _Awaited.GREETING:
                return timeouts.greeting_s
            case _Awaited.DATA:
                return timeouts.data_s
            case _Awaited.CONTENT:
                return timeouts.end_of_data_s
            case _Awaited.QUIT:
                return timeouts.quit_s
            case _:
                return timeouts.command_s

    # What happened

    def octets_received(self, octets: bytes) -> list[ClientEffect]:
        if self._state in (_State.SECURING, _State.CLOSED):
            return []
        self._replies.extend(self._reader.feed(octets))
        return self._work_off()

    def tls_established(self) -> list[ClientEffect]:
        """RFC 3207 4.2: what the server said before TLS is forgotten, and EHLO is said again."""
        self._reader = ReplyReader()
        self._replies.clear()
        self._secured = True
        self.offers = NOTHING_OFFERED
        self._state = _State.OPENING
        return [self._command(_Awaited.EHLO, f"EHLO {self._settings.ehlo_name}")]

    def content_sent(self) -> list[ClientEffect]:
        """The octets of `SendContent` are out. Replies that came meanwhile count from now."""
        self._content_under_way = False
        if self._nul_met:
            return self._end_before_nul()
        return self._work_off()

    def _end_before_nul(self) -> list[ClientEffect]:
        """The content that is under way is not whole, and only hanging up keeps the next hop from taking it so."""
        effects: list[ClientEffect] = []
        self._end(_NUL, effects)
        self._close("Local", effects)
        return effects

    def peer_closed(self, why: str = "the connection was lost") -> list[ClientEffect]:
        effects = self.content_sent()
        if self._state is not _State.CLOSED:
            awaited = f" while waiting for {self._awaited[0].value}" if self._awaited else ""
            self._break_off(why + awaited, "4.4.2", effects, who="Remote")
        return effects

    def break_off(self, why: str) -> list[ClientEffect]:
        """We hang up, for a reason of ours."""
        effects: list[ClientEffect] = []
        if self._state is not _State.CLOSED:
            self._content_under_way = False
            self._break_off(why, "4.4.2", effects)
        return effects

    def timed_out(self) -> list[ClientEffect]:
        effects: list[ClientEffect] = []
        if self._state is not _State.CLOSED:
            awaited = self._awaited[0].value if self._awaited else "the next transaction"
            within = "took the content too slowly" if self._content_under_way else f"did not send {awaited} in time"
            self._break_off(f"the next hop {within}", "4.4.2", effects)
        return effects

    def _work_off(self) -> list[ClientEffect]:
        effects: list[ClientEffect] = []
        while self._replies and not self._content_under_way:
            reply = self._replies.popleft()
            if isinstance(reply, Garbled):
                effects.append(GarbageReceived(reply.said))
                self._break_off(reply.why, "4.5.0", effects)
            else:
                kept = reply.kept()
                effects.append(ReplyReceived(kept))
                self._take(reply, kept, effects)
            if self._state in (_State.SECURING, _State.CLOSED):
                self._replies.clear()
        return effects

    # Orders

    def begin(self, transaction: Transaction) -> list[ClientEffect]:
        """Start a mail transaction; only while `idle`."""
        refusal = self._why_not(transaction)
        if refusal:
            return [TransactionEnded((refusal,) * len(transaction.recipients), untouched=False)]
        self._state = _State.SENDING
        self._transaction = transaction
        self._verdicts = [None] * len(transaction.recipients)
        self._accepted = []
        self._asked = 0
        self._answered = False
        self._taken_nevertheless = False
        self._nul_met = False
        self._script = self._commands(transaction)
        effects: list[ClientEffect] = []
        if self._reader.pending:
            self._break_off("the next hop broke the protocol: a reply that nobody asked for", "4.5.0", effects)
        else:
            self._send_next(effects)
        return effects

    def quit(self) -> list[ClientEffect]:
        if self._state is not _State.IDLE:
            self._state = _State.CLOSED
            return [Close("Local")]
        return self._leave()

    # The opening

    def _take(self, whole: RemoteReply, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        """`reply`: what is kept of the `whole`."""
        if not self._awaited:
            # Nothing was asked: an idle server says 421 before it hangs up (RFC 5321 3.8), or has lost the thread.
            self._close("Remote", effects)
            return
        awaited = self._awaited.popleft()
        if awaited is _Awaited.EHLO and reply.kind == 2:
            self.offers = _offers(whole)
        if reply.code == 421 and awaited is not _Awaited.QUIT:
            self._service_closing(awaited, reply, effects)
            return
        match awaited:
            case _Awaited.RCPT:
                self._rcpt_answered(reply, effects)
            case _Awaited.MAIL:
                self._mail_answered(reply, effects)
            case _Awaited.CONTENT:
                self._content_answered(reply, effects)
            case _Awaited.DATA:
                self._data_answered(reply, effects)
            case _Awaited.RSET:
                self._advance(effects)
            case _Awaited.GREETING:
                self._greeted(reply, effects)
            case _Awaited.EHLO:
                self._ehlo_answered(reply, effects)
            case _Awaited.HELO:
                self._helo_answered(reply, effects)
            case _Awaited.STARTTLS:
                self._starttls_answered(reply, effects)
            case _Awaited.QUIT:
                self._close("Local", effects)

    def _greeted(self, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        if reply.kind == 2:
            effects.append(self._command(_Awaited.EHLO, f"EHLO {self._settings.ehlo_name}"))
        else:
            self._refused("the next hop does not take mail now", reply, effects)

    def _ehlo_answered(self, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        if reply.kind == 2:
            self._greeting_over(effects)
        elif reply.kind == 5 and not self._secured:
            # RFC 5321 3.2: a server that does not know EHLO is greeted with HELO.
            effects.append(self._command(_Awaited.HELO, f"HELO {self._settings.ehlo_name}"))
        else:
            self._refused("the next hop refused EHLO", reply, effects)

    def _helo_answered(self, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        if reply.kind == 2:
            self._greeting_over(effects)
        else:
            self._refused("the next hop refused HELO", reply, effects)

    def _greeting_over(self, effects: list[ClientEffect]) -> None:
        use = self._settings.starttls
        if self._secured or use is StartTlsUse.NEVER or (use is StartTlsUse.WHEN_OFFERED and not self.offers.starttls):
            self._become_ready(effects)
        elif self.offers.starttls:
            effects.append(self._command(_Awaited.STARTTLS, "STARTTLS"))
        else:
            self._fail("the next hop does not offer STARTTLS, which the send connector demands", None, effects)

    def _starttls_answered(self, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        if reply.kind == 2:
            self._state = _State.SECURING
            effects.append(StartTls())
        elif self._settings.starttls is StartTlsUse.REQUIRED:
            self._fail("the next hop refused STARTTLS, which the send connector demands", reply, effects)
        else:
            self._become_ready(effects)

    def _become_ready(self, effects: list[ClientEffect]) -> None:
        self._state = _State.IDLE
        effects.append(Ready())

    def _refused(self, why: str, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        if reply.kind == 3:
            self._break_off(f"the next hop broke the protocol: {reply.lines[0][:100]}", "4.5.0", effects)
            return
        # Another host of the domain may take it, and this one may be mended: a session refused is never the end of a
        # message (RFC 5321 5.1).
        effects.append(SessionFailed(why, "4.3.2", reply))
        effects.extend(self._leave())

    def _fail(self, why: str, reply: RemoteReply | None, effects: list[ClientEffect]) -> None:
        # RFC 3463 3.8: X.7.4, security features not supported.
        effects.append(SessionFailed(why, "4.7.4", reply))
        effects.extend(self._leave())

    # The mail transaction

    def _why_not(self, transaction: Transaction) -> Verdict | None:
        """Why this server can never take this message unchanged."""
        offers, content, envelope = self.offers, transaction.content, transaction.envelope
        largest = offers.largest_message
        if largest and content.size > largest:
            # RFC 1870 6.1: no use in sending what is larger than announced.
            return _never("5.3.4", f"the message has {content.size} octets; the next hop takes {largest} at most")
        if envelope.smtputf8 and not offers.smtputf8 and not _fits_ascii(transaction):
            return _never("5.6.7", "the message needs SMTPUTF8, which the next hop does not offer")
        if envelope.body is Body.BINARY_MIME:
            if self._goes_as_binary(transaction):
                return None
            if not is_text(content.chunks()):
                return _never("5.6.1", "the message is binary and the next hop does not offer BINARYMIME")
            return self._why_not_text(transaction)
        if self._was_looked_at(transaction) and holds_nul(content.chunks()):
            return _NUL
        return self._why_not_text(transaction) if envelope.body is Body.EIGHT_BIT_MIME else None

    def _was_looked_at(self, transaction: Transaction) -> bool:
        """For NUL, before it is sent. Larger content is looked at meanwhile, so that it is not read twice."""
        return transaction.content.size <= self._settings.most_inline_content

    def _goes_as_binary(self, transaction: Transaction) -> bool:
        return transaction.envelope.body is Body.BINARY_MIME and self.offers.chunking and self.offers.binarymime

    def _why_not_text(self, transaction: Transaction) -> Verdict | None:
        if self.offers.eight_bit_mime or is_seven_bit(transaction.content.chunks()):
            return None
        # RFC 6152 3: convert, or return as undeliverable. Converting would break signatures.
        return _never("5.6.3", "the message holds 8-bit text and the next hop does not offer 8BITMIME")

    def _commands(self, transaction: Transaction) -> deque[tuple[_Awaited, str]]:
        script = deque(((_Awaited.MAIL, self._mail_command(transaction)),))
        if self._needs_reset:
            script.appendleft((_Awaited.RSET, "RSET"))
            self._needs_reset = False
        passes_dsn = self.offers.dsn
        for recipient in transaction.recipients:
            line = f"RCPT TO:<{self._on_the_wire(recipient.forward_path)}>"
            if passes_dsn and (recipient.dsn.notify or recipient.dsn.orcpt):
                line += _dsn_parameters(recipient.dsn)
            script.append((_Awaited.RCPT, line))
        return script

    def _on_the_wire(self, path: str) -> str:
        """RFC 6531 3.2: where SMTPUTF8 is not to be had, a domain beyond ASCII may go as A-labels."""
        return path if path.isascii() or self.offers.smtputf8 else _with_a_labels(path)

    def _mail_command(self, transaction: Transaction) -> str:
        offers, envelope = self.offers, transaction.envelope
        line = f"MAIL FROM:<{self._on_the_wire(str(envelope.reverse_path))}>"
        if offers.size:
            line += f" SIZE={transaction.content.size}"
        if self._goes_as_binary(transaction):
            line += " BODY=BINARYMIME"
        elif envelope.body is not Body.SEVEN_BIT and offers.eight_bit_mime:
            line += " BODY=8BITMIME"
        if envelope.smtputf8 and offers.smtputf8:
            line += " SMTPUTF8"
        if offers.dsn:
            if envelope.ret:
                line += f" RET={envelope.ret}"
            if envelope.envid:
                line += f" ENVID={envelope.envid}"
        return line

    def _send_next(self, effects: list[ClientEffect]) -> None:
        """RFC 2920: with PIPELINING the whole envelope goes in one write, and DATA or the small content with it."""
        if not self.offers.pipelining:
            awaited, line = self._script.popleft()
            effects.append(self._command(awaited, line))
            return
        self._awaited.extend([awaited for awaited, _ in self._script])
        lines = [line for _, line in self._script]
        self._script.clear()
        content = self._transaction.content
        inline: list[bytes] = []
        if not self.offers.chunking:
            lines.append("DATA")
            self._awaited.append(_Awaited.DATA)
        elif content.size <= self._settings.most_inline_content:
            # RFC 3030 4.2: BDAT may be pipelined, its octets with it.
            lines.append(f"BDAT {content.size} LAST")
            self._awaited.append(_Awaited.CONTENT)
            inline.extend(content.chunks())
        octets = ("\r\n".join(lines) + "\r\n").encode()
        effects.append(SendCommands(b"".join((octets, *inline)) if inline else octets, tuple(lines)))

    def _advance(self, effects: list[ClientEffect]) -> None:
        """After a reply: send what comes next, once nothing is awaited."""
        if self._awaited:
            return
        if self._script:
            self._send_next(effects)
        elif self._accepted:
            self._begin_content(effects)
        else:
            # Every RCPT was refused: each recipient has its own verdict by now.
            self._needs_reset = True
            self._end(_NEVER_SENT, effects)

    def _begin_content(self, effects: list[ClientEffect]) -> None:
        if not self.offers.chunking:
            effects.append(self._command(_Awaited.DATA, "DATA"))
            return
        content = self._transaction.content
        effects.append(self._command(_Awaited.CONTENT, f"BDAT {content.size} LAST"))
        self._stream(content.chunks(), effects)

    def _stream(self, octets: Iterator[bytes], effects: list[ClientEffect]) -> None:
        self._content_under_way = True
        if not self._was_looked_at(self._transaction) and not self._goes_as_binary(self._transaction):
            octets = until_nul(octets, self._meet_nul)
        effects.append(SendContent(octets))

    def _meet_nul(self) -> None:
        self._nul_met = True

    def _mail_answered(self, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        self._answered = True
        if reply.kind == 3:
            self._contradicted(reply, effects)
            return
        if reply.kind != 2:
            self._verdicts = [_verdict(reply)] * len(self._verdicts)
            self._script.clear()
        self._advance(effects)

    def _rcpt_answered(self, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        if reply.kind == 3:
            self._contradicted(reply, effects)
            return
        at = self._asked
        self._asked += 1
        if self._verdicts[at] is None:
            if reply.kind == 2:
                self._accepted.append(at)
            else:
                self._verdicts[at] = _verdict(reply)
        elif reply.kind == 2:
            self._taken_nevertheless = True
        self._advance(effects)

    def _data_answered(self, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        if reply.kind == 2:
            self._contradicted(reply, effects)
        elif reply.kind != 3:
            self._needs_reset = True
            self._end(_verdict(reply), effects)
        elif self._accepted:
            self._awaited.append(_Awaited.CONTENT)
            self._stream(dot_stuffed(self._transaction.content.chunks()), effects)
        elif self._taken_nevertheless:
            # MAIL was refused, RCPT and DATA were not: an empty content would be taken for the message.
            self._break_off("the next hop took recipients though it had refused MAIL", "4.5.0", effects)
        else:
            # RFC 2920 3.1: every recipient was refused and DATA taken nevertheless: an empty content ends it.
            self._awaited.append(_Awaited.CONTENT)
            effects.append(SendCommands(b".\r\n", (".",)))

    def _content_answered(self, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        if reply.kind == 3:
            self._contradicted(reply, effects)
            return
        # RFC 3030 2: after a failed BDAT only RSET makes a new transaction possible.
        self._needs_reset = reply.kind != 2 or not self._accepted
        self._end(_verdict(reply), effects)

    def _contradicted(self, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        """A reply code that this command cannot have."""
        self._break_off(f"the next hop broke the protocol: {reply.lines[0][:100]}", "4.5.0", effects)

    def _service_closing(self, awaited: _Awaited, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        """421 may come in answer to anything (RFC 5321 3.8): the server is about to hang up."""
        if self._state is _State.SENDING:
            self._end(_verdict(reply), effects)
        else:
            effects.append(SessionFailed("the next hop closes the session", "4.3.2", reply))
        self._close("Remote", effects)

    # Endings

    def _end(self, verdict_of_rest: Verdict, effects: list[ClientEffect]) -> None:
        verdicts = tuple(own or verdict_of_rest for own in self._verdicts)
        self._state = _State.IDLE
        effects.append(TransactionEnded(verdicts, untouched=not self._answered))

    def _break_off(
        self, why: str, status: str, effects: list[ClientEffect], who: Literal["Local", "Remote"] = "Local"
    ) -> None:
        if self._state is _State.SENDING:
            self._end(Verdict(4, status, why, None), effects)
        elif self._state in (_State.OPENING, _State.SECURING):
            effects.append(SessionFailed(why, status, None))
        self._close(who, effects)

    def _leave(self) -> list[ClientEffect]:
        self._state = _State.LEAVING
        return [self._command(_Awaited.QUIT, "QUIT")]

    def _close(self, who: Literal["Local", "Remote"], effects: list[ClientEffect]) -> None:
        self._state = _State.CLOSED
        self._awaited.clear()
        effects.append(Close(who))

    def _command(self, awaited: _Awaited, line: str) -> SendCommands:
        self._awaited.append(awaited)
        return SendCommands(line.encode() + b"\r\n", (line,))


_NEVER_SENT = Verdict(4, "4.5.0", "the content was never sent", None)


def _verdict(reply: RemoteReply) -> Verdict:
    kind = reply.kind
    if kind == 2:
        return Verdict(2, _status(reply), "", reply)
    return Verdict(5 if kind == 5 else 4, _status(reply), "the next hop refused it", reply)


def _status(reply: RemoteReply) -> str:
    """The enhanced status code where it agrees with the reply code, else the plainest of its class (RFC 3463 3.1)."""
    if reply.enhanced and int(reply.enhanced[0]) == reply.kind:
        return reply.enhanced
    return f"{reply.kind}.0.0"


def _never(status: str, why: str) -> Verdict:
    return Verdict(5, status, why, None)


_NUL = _never("5.6.0", "the message holds a NUL octet, which is sent as BINARYMIME or not at all")


def _fits_ascii(transaction: Transaction) -> bool:
    """SMTPUTF8 was declared and nothing needs it (RFC 6531 3.1 asks for it only where something does)."""
    return (
        _with_a_labels(str(transaction.envelope.reverse_path)).isascii()
        and all(
            _with_a_labels(recipient.forward_path).isascii()
            # RFC 6533 3: an original recipient beyond ASCII would need another form.
            and (recipient.dsn.orcpt or "").isascii()
            for recipient in transaction.recipients
        )
        and header_is_ascii(transaction.content.chunks())
    )


def _with_a_labels(path: str) -> str:
    """The path with its domain in ASCII; as it is, where its local part is not, or its domain is none."""
    local_part, _, domain = path.rpartition("@")
    if path.isascii() or not local_part.isascii():
        return path
    try:
        return f"{local_part}@{domain_key(domain)}"
    except DomainError:
        return path


def _dsn_parameters(dsn: DsnRequest) -> str:
    notify = f" NOTIFY={','.join(sorted(dsn.notify))}" if dsn.notify else ""
    return f"{notify} ORCPT={dsn.orcpt}" if dsn.orcpt else notify


def _offers(reply: RemoteReply) -> Offers:
    keywords = {}
    for line in reply.lines[1:]:
        keyword, _, parameters = line[4:].strip().partition(" ")
        keywords[keyword.upper()] = parameters
    limits = dict(item.upper().partition("=")[::2] for item in keywords.get("LIMITS", "").split())
    return Offers(
        pipelining="PIPELINING" in keywords,
        starttls="STARTTLS" in keywords,
        chunking="CHUNKING" in keywords,
        binarymime="BINARYMIME" in keywords,
        eight_bit_mime="8BITMIME" in keywords,
        smtputf8="SMTPUTF8" in keywords,
        dsn="DSN" in keywords,
        size="SIZE" in keywords,
        largest_message=_number(keywords.get("SIZE", "")),
        most_recipients=_number(limits.get("RCPTMAX", "")),
        most_transactions=_number(limits.get("MAILMAX", "")),
    )


def _number(text: str) -> int | None:
    """A positive number, or None: SIZE=0 means no fixed maximum (RFC 1870 4)."""
    return int(text) or None if text.isascii() and text.isdigit() and len(text) <= 18 else None
