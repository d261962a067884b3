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
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

from gatepost.mail.reply import LONGEST_REPLY_LINE, RemoteReply
from gatepost.smtp.client_answers import Answers, verdict
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
from gatepost.smtp.client_opening import opening_answered
from gatepost.smtp.client_settings import Awaited, ClientSettings, patience_s
from gatepost.smtp.outgoing import (
    NOTHING_OFFERED,
    NUL,
    OutgoingTransaction,
    goes_as_binary,
    read_offers,
    script,
    why_not,
)
from gatepost.smtp.reply_reader import Garbled, ReplyReader
from gatepost.smtp.transparency import dot_stuffed, until_nul

# Words, not members of an Enum, which are looked up through its metaclass: that takes as long as a call.
_State = Literal["opening", "securing", "idle", "sending", "leaving", "closed"]


class ClientSession:
    """One session as SMTP client."""

    def __init__(self, settings: ClientSettings) -> None:
        self.offers = NOTHING_OFFERED
        self.settings = settings
        self._state: _State = "opening"
        self.secured = False
        self._reader = ReplyReader()
        self._replies: deque[RemoteReply | Garbled] = deque()
        self._awaited: deque[Awaited] = deque((Awaited.GREETING,))
        self._needs_reset = False
        self._content_under_way = False
        self._nul_met = False
        self._transaction: OutgoingTransaction
        self._script: deque[tuple[Awaited, str]] = deque()
        self._answers: Answers

    @property
    def idle(self) -> bool:
        """It can take a mail transaction."""
        return self._state == "idle"

    @property
    def closed(self) -> bool:
        return self._state == "closed"

    @property
    def most_recipients(self) -> int:
        """In one transaction: ours, or what the server says it takes (RFC 9422)."""
        return min(self.settings.most_recipients, self.offers.most_recipients or self.settings.most_recipients)

    @property
    def timeout_s(self) -> float:
        """How long the present silence may last."""
        timeouts = self.settings.timeouts
        if self._content_under_way:
            return timeouts.block_s
        return patience_s(timeouts, self._awaited[0]) if self._awaited else timeouts.command_s

    # What happened

    def octets_received(self, octets: bytes) -> list[ClientEffect]:
        if self._state in ("securing", "closed"):
            return []
        self._replies.extend(self._reader.feed(octets))
        return self._work_off()

    def tls_established(self) -> list[ClientEffect]:
        """RFC 3207 4.2: what the server said before TLS is forgotten, and EHLO is said again."""
        self._reader = ReplyReader()
        self._replies.clear()
        self.secured = True
        self.offers = NOTHING_OFFERED
        self._state = "opening"
        return [self.command(Awaited.EHLO, f"EHLO {self.settings.ehlo_name}")]

    def content_sent(self) -> list[ClientEffect]:
        """The octets of `SendContent` are out. Replies that came meanwhile count from now."""
        self._content_under_way = False
        if self._nul_met:
            return self._end_before_nul()
        return self._work_off()

    def _end_before_nul(self) -> list[ClientEffect]:
        """The content that is under way is not whole, and only hanging up keeps the next hop from taking it so."""
        effects: list[ClientEffect] = []
        self._end(NUL, effects)
        self._close("Local", effects)
        return effects

    def peer_closed(self, why: str = "the connection was lost") -> list[ClientEffect]:
        effects = self.content_sent()
        if self._state != "closed":
            awaited = f" while waiting for {self._awaited[0].value}" if self._awaited else ""
            self.break_off_with(why + awaited, "4.4.2", effects, who="Remote")
        return effects

    def break_off(self, why: str) -> list[ClientEffect]:
        """We hang up, for a reason of ours."""
        effects: list[ClientEffect] = []
        if self._state != "closed":
            self._content_under_way = False
            self.break_off_with(why, "4.4.2", effects)
        return effects

    def timed_out(self) -> list[ClientEffect]:
        effects: list[ClientEffect] = []
        if self._state != "closed":
            awaited = self._awaited[0].value if self._awaited else "the next transaction"
            within = "took the content too slowly" if self._content_under_way else f"did not send {awaited} in time"
            self.break_off_with(f"the next hop {within}", "4.4.2", effects)
        return effects

    def _work_off(self) -> list[ClientEffect]:
        effects: list[ClientEffect] = []
        while self._replies and not self._content_under_way:
            reply = self._replies.popleft()
            if isinstance(reply, Garbled):
                effects.append(GarbageReceived(reply.said))
                self.break_off_with(reply.why, "4.5.0", effects)
            else:
                lines = reply.lines
                is_usual = len(lines) == 1 and len(lines[0]) <= LONGEST_REPLY_LINE
                kept = reply if is_usual else reply.kept()
                effects.append(ReplyReceived(kept))
                self._take(reply, kept, effects)
            if self._state in ("securing", "closed"):
                self._replies.clear()
        return effects

    # Orders

    def begin(self, transaction: OutgoingTransaction) -> list[ClientEffect]:
        """Start a mail transaction; only while `idle`."""
        looked_at = transaction.content.size <= self.settings.most_inline_content
        refusal = why_not(transaction, self.offers, looked_at)
        if refusal:
            return [TransactionEnded((refusal,) * len(transaction.recipients), untouched=False)]
        self._state = "sending"
        self._transaction = transaction
        self._answers = Answers(len(transaction.recipients))
        self._nul_met = False
        self._script = script(transaction, self.offers, reset=self._needs_reset)
        self._needs_reset = False
        effects: list[ClientEffect] = []
        if self._reader.pending:
            self.break_off_with("the next hop broke the protocol: a reply that nobody asked for", "4.5.0", effects)
        else:
            self._send_next(effects)
        return effects

    def quit(self) -> list[ClientEffect]:
        if self._state != "idle":
            self._state = "closed"
            return [Close("Local")]
        return self.leave()

    # The opening

    def _take(self, whole: RemoteReply, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        """`reply`: what is kept of the `whole`."""
        if not self._awaited:
            # Nothing was asked: an idle server says 421 before it hangs up (RFC 5321 3.8), or has lost the thread.
            self._close("Remote", effects)
            return
        awaited = self._awaited.popleft()
        answered = _ANSWERED.get(awaited)
        if reply.code == 421 and awaited is not Awaited.QUIT:
            self._service_closing(awaited, reply, effects)
        elif answered is not None:
            answered(self, reply, effects)
        else:
            if awaited is Awaited.EHLO and reply.kind == 2:
                self.offers = read_offers(whole)
            opening_answered(self, awaited, reply, effects)

    # The mail transaction

    def _send_next(self, effects: list[ClientEffect]) -> None:
        """RFC 2920: with PIPELINING the whole envelope goes in one write, and DATA or the small content with it."""
        if not self.offers.pipelining:
            awaited, line = self._script.popleft()
            effects.append(self.command(awaited, line))
            return
        self._awaited.extend([awaited for awaited, _ in self._script])
        lines = [line for _, line in self._script]
        self._script.clear()
        content = self._transaction.content
        inline: list[bytes] = []
        if not self.offers.chunking:
            lines.append("DATA")
            self._awaited.append(Awaited.DATA)
        elif content.size <= self.settings.most_inline_content:
            # RFC 3030 4.2: BDAT may be pipelined, its octets with it.
            lines.append(f"BDAT {content.size} LAST")
            self._awaited.append(Awaited.CONTENT)
            inline.extend(content.chunks())
        octets = ("\r\n".join(lines) + "\r\n").encode()
        effects.append(SendCommands(b"".join((octets, *inline)) if inline else octets, tuple(lines)))

    def _advance(self, effects: list[ClientEffect]) -> None:
        """After a reply: send what comes next, once nothing is awaited."""
        if self._awaited:
            return
        if self._script:
            self._send_next(effects)
        elif self._answers.accepted:
            self._begin_content(effects)
        else:
            # Every RCPT was refused: each recipient has its own verdict by now.
            self._needs_reset = True
            self._end(_NEVER_SENT, effects)

    def _begin_content(self, effects: list[ClientEffect]) -> None:
        if not self.offers.chunking:
            effects.append(self.command(Awaited.DATA, "DATA"))
            return
        content = self._transaction.content
        effects.append(self.command(Awaited.CONTENT, f"BDAT {content.size} LAST"))
        self._stream(content.chunks(), effects)

    def _stream(self, octets: Iterator[bytes], effects: list[ClientEffect]) -> None:
        self._content_under_way = True
        # Small content was looked through before.
        large = self._transaction.content.size > self.settings.most_inline_content
        if large and not goes_as_binary(self._transaction, self.offers):
            octets = until_nul(octets, self._meet_nul)
        effects.append(SendContent(octets))

    def _meet_nul(self) -> None:
        self._nul_met = True

    def _reset_answered(self, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        self._advance(effects)

    def _mail_answered(self, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        self._answers.begun = True
        if reply.kind == 3:
            self._contradicted(reply, effects)
            return
        if reply.kind != 2:
            self._answers.all_refused(reply)
            self._script.clear()
        self._advance(effects)

    def _rcpt_answered(self, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        if reply.kind == 3:
            self._contradicted(reply, effects)
            return
        self._answers.recipient(reply)
        self._advance(effects)

    def _data_answered(self, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        if reply.kind == 2:
            self._contradicted(reply, effects)
        elif reply.kind != 3:
            self._needs_reset = True
            self._end(verdict(reply), effects)
        elif self._answers.accepted:
            self._awaited.append(Awaited.CONTENT)
            self._stream(dot_stuffed(self._transaction.content.chunks()), effects)
        elif self._answers.taken_nevertheless:
            # MAIL was refused, RCPT and DATA were not: an empty content would be taken for the message.
            self.break_off_with("the next hop took recipients though it had refused MAIL", "4.5.0", effects)
        else:
            # RFC 2920 3.1: every recipient was refused and DATA taken nevertheless: an empty content ends it.
            self._awaited.append(Awaited.CONTENT)
            effects.append(SendCommands(b".\r\n", (".",)))

    def _content_answered(self, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        if reply.kind == 3:
            self._contradicted(reply, effects)
            return
        # RFC 3030 2: after a failed BDAT only RSET makes a new transaction possible.
        self._needs_reset = reply.kind != 2 or not self._answers.accepted
        self._end(verdict(reply), effects)

    def _quit_answered(self, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        self._close("Local", effects)

    def _contradicted(self, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        """The command cannot have such a reply."""
        self.break_off_with(f"the next hop broke the protocol: {reply.lines[0][:100]}", "4.5.0", effects)

    def _service_closing(self, awaited: Awaited, reply: RemoteReply, effects: list[ClientEffect]) -> None:
        """421 may come in answer to anything (RFC 5321 3.8): the server is about to hang up."""
        if self._state == "sending":
            self._end(verdict(reply), effects)
        else:
            effects.append(SessionFailed("the next hop closes the session", "4.3.2", reply))
        self._close("Remote", effects)

    # Endings, and what the opening asks for

    def secure(self, effects: list[ClientEffect]) -> None:
        self._state = "securing"
        effects.append(StartTls())

    def become_ready(self, effects: list[ClientEffect]) -> None:
        self._state = "idle"
        effects.append(Ready())

    def _end(self, verdict_of_rest: Verdict, effects: list[ClientEffect]) -> None:
        self._state = "idle"
        effects.append(TransactionEnded(self._answers.verdicts(verdict_of_rest), untouched=not self._answers.begun))

    def break_off_with(
        self, why: str, status: str, effects: list[ClientEffect], who: Literal["Local", "Remote"] = "Local"
    ) -> None:
        if self._state == "sending":
            self._end(Verdict(4, status, why, None), effects)
        elif self._state in ("opening", "securing"):
            effects.append(SessionFailed(why, status, None))
        self._close(who, effects)

    def leave(self) -> list[ClientEffect]:
        self._state = "leaving"
        return [self.command(Awaited.QUIT, "QUIT")]

    def _close(self, who: Literal["Local", "Remote"], effects: list[ClientEffect]) -> None:
        self._state = "closed"
        self._awaited.clear()
        effects.append(Close(who))

    def command(self, awaited: Awaited, line: str) -> SendCommands:
        self._awaited.append(awaited)
        return SendCommands(line.encode() + b"\r\n", (line,))


_NEVER_SENT = Verdict(4, "4.5.0", "the content was never sent", None)


_ANSWERED: Final[Mapping[Awaited, Callable[[ClientSession, RemoteReply, list[ClientEffect]], None]]] = {
    Awaited.RSET: ClientSession._reset_answered,
    Awaited.MAIL: ClientSession._mail_answered,
    Awaited.RCPT: ClientSession._rcpt_answered,
    Awaited.DATA: ClientSession._data_answered,
    Awaited.CONTENT: ClientSession._content_answered,
    Awaited.QUIT: ClientSession._quit_answered,
}
"""What follows a reply; the opening has its own (`client_opening`)."""
