"""The server's side of one SMTP session: octets and answers in, effects out, no I/O (RFC 5321).

Laws of this file:
- the replies, the questions and the content never depend on how the octets were cut into packets;
- after `AskMail`, `AskRecipient` or `EndContent`, always the last effect of a list, the machine is paused until
  `answer`: what comes meanwhile waits, unread, in the buffer;
- what arrived in the clear after STARTTLS is dropped, and so is all that was known before it (RFC 3207 4.2);
- every line of the peer is answered, and nothing a peer sends raises an exception;
- after so many commands as one turn may have, the machine is `waiting` until `go_on`: what comes meanwhile waits too;
- after `Close` everything is ignored.
"""

from collections.abc import Callable
from typing import Final

from gatepost.mail.reply import Reply
from gatepost.smtp import replies
from gatepost.smtp.command_line import logged, read_command_line
from gatepost.smtp.server_commands import COMMANDS, unknown
from gatepost.smtp.server_content import fail_content, read_chunk, read_data
from gatepost.smtp.server_effects import (
    AskMail,
    AskRecipient,
    Close,
    CommandReceived,
    DropContent,
    Effect,
    EndContent,
    SendReply,
)
from gatepost.smtp.server_machine import Transaction
from gatepost.smtp.server_settings import ServerSettings


class ServerSession:
    """Call `connected` once, then whatever happens; carry out the effects in order."""

    __slots__ = (
        "_client_gone",
        "_errors",
        "_shutting_down",
        "_turn_left",
        "_turned_away",
        "_when_answered",
        "at",
        "buffer",
        "chunk_is_last",
        "chunk_left",
        "chunk_refusal",
        "closed",
        "effects",
        "ehlo",
        "extended",
        "idle_commands",
        "mail_was_refused",
        "paused",
        "read",
        "secured",
        "settings",
        "transaction",
        "transactions",
        "waiting",
        "waiting_mail",
        "wore_out",
    )

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self._turn_left = settings.most_commands_per_turn
        self.effects: list[Effect] = []
        # Octets before `at` are read. They are cut off only now and then, so that the cost of a pipelined command
        # does not depend on what lies behind it.
        self.buffer = b""
        self.at = 0
        # How to read what comes next. A plain function, not a bound method: no reference cycle to collect.
        self.read: Callable[..., bool] = _read_later
        self._when_answered: Callable[..., None] | None = None
        self.transaction: Transaction | None = None
        self.waiting_mail: AskMail | None = None
        self.chunk_left = 0
        self.chunk_is_last = False
        self.chunk_refusal: Reply | None = None
        self.mail_was_refused = False
        self._errors = 0
        self.transactions = 0
        self._turned_away = False
        self._client_gone = False
        self._shutting_down = False
        self.ehlo = ""
        """What the client called itself; empty until EHLO or HELO."""
        self.extended = False
        """EHLO, not HELO."""
        self.secured = False
        self.paused = False
        self.waiting = False
        """Commands are there, and the turn is over."""
        self.closed = False
        self.idle_commands = 0
        """Commands that led to no mail, since the last message that was taken."""
        self.wore_out = False
        """Closed, after too many errors."""

    # --- what happens ------------------------------------------------------------------------------------------------

    def connected(self, greeting: Reply) -> list[Effect]:
        """Greet. A 421 ends the session at once; after a 554 only QUIT is taken (RFC 5321 3.1)."""
        self.read = ServerSession._read_command
        if greeting.code == 421:
            self.close(greeting, "turned away at the greeting")
        else:
            self._turned_away = greeting.kind != 2
            self.send(greeting)
        return self._advance()

    def receive(self, octets: bytes, *, at_once: bool = True) -> list[Effect]:
        """Not `at_once`: the octets wait for `go_on`."""
        self.buffer = self.buffer[self.at :] + octets if self.buffer else octets
        self.at = 0
        if self.paused or self.waiting:
            return []
        if not at_once:
            self.waiting = not self.closed
            return []
        self._turn_left = self.settings.most_commands_per_turn
        return self._advance()

    def go_on(self) -> list[Effect]:
        """The next turn, while `waiting`."""
        self.waiting = False
        self._turn_left = self.settings.most_commands_per_turn
        return [] if self.paused else self._advance()

    def answer(self, reply: Reply) -> list[Effect]:
        """The answer to the last `AskMail`, `AskRecipient` or `EndContent`. A 421 also closes."""
        if self.closed:
            return []
        when_answered = self._when_answered
        if when_answered is None:
            raise RuntimeError("an answer was given, but nothing was asked")
        self._when_answered = None
        self.paused = False
        when_answered(self, reply)
        return self._advance()

    def tls_established(self) -> list[Effect]:
        """RFC 3207 4.2: the session begins anew, without a greeting."""
        if self.closed:
            return []
        self.secured = True
        self.ehlo = ""
        self.extended = False
        self.read = ServerSession._read_command
        return self._advance()

    def timed_out(self) -> list[Effect]:
        """The client was silent for too long. While we owe an answer the silence is ours, and nothing happens."""
        if self.closed or self.paused or self.waiting:
            return []
        handshaking = self.read is _read_nothing
        self.close(None if handshaking else replies.TIMED_OUT, "the client was silent for too long")
        return self._advance()

    def peer_closed(self) -> list[Effect]:
        """The client sends no more. What it sent before is still answered, whoever is asked meanwhile."""
        self._client_gone = True
        return [] if self.paused or self.waiting else self._advance()

    def shutting_down(self) -> list[Effect]:
        """Say 421 and close as soon as no mail transaction is open (RFC 5321 3.8)."""
        self._shutting_down = True
        return [] if self.paused or self.waiting else self._advance()

    def refuse_content(self, refusal: Reply) -> list[Effect]:
        """There is no room for the content that is coming in: what is left of it is read and dropped, and its end is
        answered with `refusal`. Without effect where no content is."""
        if not self.paused and self.transaction is not None and self.has_content:
            fail_content(self, self.transaction, refusal)
        return self._taken_effects()

    def break_off(self, farewell: Reply, why: str) -> list[Effect]:
        """The carrier has a reason to end the session now: say `farewell`, a 421, and close."""
        if self.closed or self.paused:
            return []
        self.close(farewell, why)
        return self._taken_effects()

    @property
    def buffered(self) -> int:
        """Octets that wait until `answer` or `go_on`: what the carrier's back-pressure looks at."""
        return len(self.buffer) - self.at

    @property
    def in_content(self) -> bool:
        """Whether the next octets are content, not a command."""
        return self.read is read_data or self.read is read_chunk

    @property
    def has_content(self) -> bool:
        """Whether content has begun and has not ended: between two chunks of BDAT, too."""
        transaction = self.transaction
        return transaction is not None and (transaction.data is not None or transaction.chunks is not None)

    # --- reading -----------------------------------------------------------------------------------------------------

    def _advance(self) -> list[Effect]:
        while not self.paused and self.read(self):
            pass
        if self._client_gone and not (self.paused or self.waiting or self.closed):
            self.close(None, "the client closed the connection")
        if self.at == len(self.buffer):
            self.buffer, self.at = b"", 0
        effects, self.effects = self.effects, []
        return effects

    def _taken_effects(self) -> list[Effect]:
        effects, self.effects = self.effects, []
        return effects

    def drop_buffer(self) -> None:
        self.buffer = b""
        self.at = 0

    def read_commands(self) -> None:
        self.read = ServerSession._read_command

    def read_nothing(self) -> None:
        self.read = _read_nothing

    def _read_command(self) -> bool:
        if self._shutting_down and self.transaction is None:
            self.close(replies.SHUTTING_DOWN, "shutting down")
            return False
        buffer, start, longest = self.buffer, self.at, self.settings.longest_command
        end = buffer.find(b"\n", start) + 1
        if (end or len(buffer)) > start + longest:
            self._log(buffer[start : start + longest])
            self.read = _skip_line
            self.refuse(replies.LINE_TOO_LONG)
            return True
        if not end:
            return False
        if self._turn_left is not None:
            if not self._turn_left:
                self.waiting = True
                return False
            self._turn_left -= 1
        self.at = end
        self._command(buffer[start:end])
        return True

    # --- commands ----------------------------------------------------------------------------------------------------

    def _command(self, line: bytes) -> None:
        if not line.endswith(b"\r\n") or line.count(b"\r") > 1:
            # RFC 5321 2.3.8: only CRLF ends a line. Taking less would let two servers see different commands.
            self._log(line.rstrip(b"\r\n"))
            self.refuse(replies.LINE_END_NOT_CRLF)
            return
        line = line[:-2]
        self._log(line)
        verb, argument = read_command_line(line)
        if verb in _IDLE:
            self.idle_commands += 1
        if self.idle_commands > self.settings.most_idle_commands:
            self.close(replies.TOO_MANY_IDLE_COMMANDS, "too many commands without mail")
        elif self._turned_away and verb != b"QUIT":
            self.refuse(replies.TURNED_AWAY)
        elif argument is None:
            self.refuse(replies.NOT_UTF8)
        elif (command := COMMANDS.get(verb)) is not None:
            command(self, argument)
        else:
            unknown(self, verb)

    # --- effects -----------------------------------------------------------------------------------------------------

    def _log(self, line: bytes) -> None:
        self.effects.append(CommandReceived(logged(line)))

    def send(self, reply: Reply) -> None:
        self.effects.append(SendReply(reply))

    def refuse_out_of_order(self, reply: Reply) -> None:
        """A client that pipelines (RFC 2920 3.1) sends on after a refusal of policy, and this is no error of its."""
        if reply is replies.NO_VALID_RECIPIENTS or (reply is replies.MAIL_FIRST and self.mail_was_refused):
            self.idle_commands += 1
            self.send(reply)
        else:
            self.refuse(reply)

    def refuse(self, reply: Reply) -> None:
        """Refuse a command by ourselves; too many such refusals end the session. Those of policy do not count."""
        if reply.kind == 5:
            self._errors += 1
        if self._errors > self.settings.most_errors:
            self.wore_out = True
            self.close(replies.TOO_MANY_ERRORS, "too many errors")
        else:
            self.send(reply)

    def ask(self, question: AskMail | AskRecipient | EndContent, when_answered: Callable[..., None]) -> None:
        self.effects.append(question)
        self._when_answered = when_answered
        self.paused = True

    def pass_on(self, reply: Reply) -> None:
        if reply.code == 421:
            self.close(reply, "turned away with 421")
        else:
            self.send(reply)

    def forget_transaction(self) -> None:
        transaction = self.transaction
        if transaction is not None:
            # Whoever asks about recipients and sends nothing keeps a server busy with each of them.
            self.idle_commands += transaction.taken_recipients
            if transaction.failure is None:
                self.effects.append(DropContent())
        self.transaction = None

    def close(self, reply: Reply | None, why: str) -> None:
        self.forget_transaction()
        if reply is not None:
            self.send(reply)
        self.effects.append(Close(why))
        self.closed = True
        self.waiting = False
        self.drop_buffer()
        self.read = _read_nothing


def _read_later(session: ServerSession) -> bool:
    """Before the greeting."""
    return False


def _read_nothing(session: ServerSession) -> bool:
    """After Close; and after STARTTLS, when no plaintext may be kept (RFC 3207 6)."""
    session.drop_buffer()
    return False


def _skip_line(session: ServerSession) -> bool:
    """The rest of a line that was too long; nothing of it is kept."""
    end = session.buffer.find(b"\n", session.at) + 1
    if not end:
        session.drop_buffer()
        return False
    session.at = end
    session.read_commands()
    return True


# Commands that nobody sends by the thousand, except to keep a server busy.
_IDLE: Final = frozenset({b"EHLO", b"HELO", b"NOOP", b"RSET", b"VRFY", b"HELP"})
