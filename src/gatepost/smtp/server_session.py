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

import re
from collections.abc import Callable, Mapping
from typing import Final

from gatepost.mail.domain import domain_key
from gatepost.mail.envelope import Body, Envelope
from gatepost.mail.path_grammar import BadPath, read_forward_path, read_reverse_path
from gatepost.mail.reply import Reply
from gatepost.smtp import replies
from gatepost.smtp.command_line import logged, read_command_line
from gatepost.smtp.content import DataContent, TextWatch
from gatepost.smtp.parameters import mail_parameters, recipient_parameters
from gatepost.smtp.server_effects import (
    AskMail,
    AskRecipient,
    BeginContent,
    Close,
    CommandReceived,
    ContentReceived,
    DropContent,
    Effect,
    EndContent,
    SendReply,
    StartTls,
)
from gatepost.smtp.server_settings import ServerSettings

# RFC 5321 4.1.1.1 asks for a domain or an address literal; 4.1.4 forbids refusing a name for what it says, so any
# single word of printable ASCII is taken down.
_NAME = re.compile(r"[!-~]{1,255}")
# RFC 5321 4.1.1.2, 4.1.1.3 allow no space after the colon; many clients send one.
_FROM = re.compile(r"FROM:[ \t]*", re.ASCII | re.IGNORECASE)
_TO = re.compile(r"TO:[ \t]*", re.ASCII | re.IGNORECASE)
# RFC 3030 2: bdat-cmd = "BDAT" SP chunk-size [SP "LAST"]
_CHUNK = re.compile(r"([0-9]{1,20})(?: +(LAST))?", re.ASCII | re.IGNORECASE)


class _Transaction:
    """A mail transaction that was accepted at MAIL."""

    __slots__ = ("asked_recipients", "chunks", "data", "envelope", "failure", "size", "taken_recipients")

    def __init__(self, envelope: Envelope) -> None:
        self.envelope = envelope
        self.asked_recipients = 0
        self.taken_recipients = 0
        self.data: DataContent | None = None
        # Set by the first BDAT; DATA is out of order from then on.
        self.chunks: TextWatch | None = None
        self.size = 0
        # Why the content cannot be taken; what follows of it is read and dropped.
        self.failure: Reply | None = None


class ServerSession:
    """Call `connected` once, then whatever happens; carry out the effects in order."""

    __slots__ = (
        "_at",
        "_buffer",
        "_chunk_is_last",
        "_chunk_left",
        "_chunk_refusal",
        "_client_gone",
        "_effects",
        "_errors",
        "_mail_was_refused",
        "_read",
        "_settings",
        "_shutting_down",
        "_transaction",
        "_transactions",
        "_turn_left",
        "_turned_away",
        "_waiting_mail",
        "_when_answered",
        "closed",
        "ehlo",
        "extended",
        "idle_commands",
        "paused",
        "secured",
        "waiting",
        "wore_out",
    )

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._turn_left = settings.most_commands_per_turn
        self._effects: list[Effect] = []
        # Octets before `_at` are read. They are cut off only now and then, so that the cost of a pipelined command
        # does not depend on what lies behind it.
        self._buffer = b""
        self._at = 0
        # How to read what comes next. A plain function, not a bound method: no reference cycle to collect.
        self._read: Callable[[ServerSession], bool] = ServerSession._read_later
        self._when_answered: Callable[[ServerSession, Reply], None] | None = None
        self._transaction: _Transaction | None = None
        self._waiting_mail: AskMail | None = None
        self._chunk_left = 0
        self._chunk_is_last = False
        self._chunk_refusal: Reply | None = None
        self._mail_was_refused = False
        self._errors = 0
        self._transactions = 0
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
        self._read = ServerSession._read_command
        if greeting.code == 421:
            self._close(greeting, "turned away at the greeting")
        else:
            self._turned_away = greeting.kind != 2
            self._send(greeting)
        return self._advance()

    def receive(self, octets: bytes, *, at_once: bool = True) -> list[Effect]:
        """Not `at_once`: the octets wait for `go_on`."""
        self._buffer = self._buffer[self._at :] + octets if self._buffer else octets
        self._at = 0
        if self.paused or self.waiting:
            return []
        if not at_once:
            self.waiting = not self.closed
            return []
        self._turn_left = self._settings.most_commands_per_turn
        return self._advance()

    def go_on(self) -> list[Effect]:
        """The next turn, while `waiting`."""
        self.waiting = False
        self._turn_left = self._settings.most_commands_per_turn
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
        self._read = ServerSession._read_command
        return self._advance()

    def timed_out(self) -> list[Effect]:
        """The client was silent for too long. While we owe an answer the silence is ours, and nothing happens."""
        if self.closed or self.paused or self.waiting:
            return []
        handshaking = self._read is ServerSession._read_nothing
        self._close(None if handshaking else replies.TIMED_OUT, "the client was silent for too long")
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
        transaction = self._transaction
        if not self.paused and transaction is not None and (transaction.data or transaction.chunks):
            self._fail_content(transaction, refusal)
        return self._taken_effects()

    def break_off(self, farewell: Reply, why: str) -> list[Effect]:
        """The carrier has a reason to end the session now: say `farewell`, a 421, and close."""
        if self.closed or self.paused:
            return []
        self._close(farewell, why)
        return self._taken_effects()

    @property
    def buffered(self) -> int:
        """Octets that wait until `answer` or `go_on`: what the carrier's back-pressure looks at."""
        return len(self._buffer) - self._at

    @property
    def transactions(self) -> int:
        """How many have begun."""
        return self._transactions

    @property
    def in_content(self) -> bool:
        """Whether the next octets are content, not a command."""
        return self._read is ServerSession._read_data or self._read is ServerSession._read_chunk

    @property
    def has_content(self) -> bool:
        """Whether content has begun and has not ended: between two chunks of BDAT, too."""
        transaction = self._transaction
        return transaction is not None and (transaction.data is not None or transaction.chunks is not None)

    # --- reading -----------------------------------------------------------------------------------------------------

    def _advance(self) -> list[Effect]:
        while not self.paused and self._read(self):
            pass
        if self._client_gone and not (self.paused or self.waiting or self.closed):
            self._close(None, "the client closed the connection")
        if self._at == len(self._buffer):
            self._drop_buffer()
        effects, self._effects = self._effects, []
        return effects

    def _taken_effects(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

    def _drop_buffer(self) -> None:
        self._buffer = b""
        self._at = 0

    def _read_later(self) -> bool:
        """Before the greeting."""
        return False

    def _read_nothing(self) -> bool:
        """After Close; and after STARTTLS, when no plaintext may be kept (RFC 3207 6)."""
        self._drop_buffer()
        return False

    def _read_command(self) -> bool:
        if self._shutting_down and self._transaction is None:
            self._close(replies.SHUTTING_DOWN, "shutting down")
            return False
        buffer, start, longest = self._buffer, self._at, self._settings.longest_command
        end = buffer.find(b"\n", start) + 1
        if (end or len(buffer)) > start + longest:
            self._log(buffer[start : start + longest])
            self._read = ServerSession._skip_line
            self._refuse(replies.LINE_TOO_LONG)
            return True
        if not end:
            return False
        if self._turn_left is not None:
            if not self._turn_left:
                self.waiting = True
                return False
            self._turn_left -= 1
        self._at = end
        self._command(buffer[start:end])
        return True

    def _skip_line(self) -> bool:
        """The rest of a line that was too long; nothing of it is kept."""
        end = self._buffer.find(b"\n", self._at) + 1
        if not end:
            self._drop_buffer()
            return False
        self._at = end
        self._read = ServerSession._read_command
        return True

    def _read_data(self) -> bool:
        transaction = self._transaction
        assert transaction is not None and transaction.data is not None
        octets = self._buffer[self._at :]
        if not octets:
            return False
        piece, remaining = transaction.data.take(octets)
        self._at = len(self._buffer) - (remaining or 0)
        self._content(transaction, piece)
        self._judge_text(transaction, transaction.data)
        if remaining is None:
            return False
        self._read = ServerSession._read_command
        self._end_data(transaction)
        return True

    def _read_chunk(self) -> bool:
        octets = self._buffer[self._at : self._at + self._chunk_left]
        self._at += len(octets)
        self._chunk_left -= len(octets)
        if octets and self._chunk_refusal is None:
            transaction = self._transaction
            assert transaction is not None and transaction.chunks is not None
            self._content(transaction, octets)
            if transaction.envelope.body is not Body.BINARY_MIME:
                transaction.chunks.see(octets)
        if self._chunk_left:
            return False
        self._read = ServerSession._read_command
        self._end_chunk()
        return True

    # --- content -----------------------------------------------------------------------------------------------------

    def _content(self, transaction: _Transaction, piece: bytes) -> None:
        transaction.size += len(piece)
        if transaction.size > self._settings.largest_message:
            # RFC 1870 6.3: read on to the end, then refuse.
            self._fail_content(transaction, replies.TOO_LARGE)
        elif piece and transaction.failure is None:
            self._effects.append(ContentReceived(piece))

    def _fail_content(self, transaction: _Transaction, failure: Reply) -> None:
        if transaction.failure is None:
            self._effects.append(DropContent())
        # Several defects may show in any order, depending on the packets; the gravest decides.
        if transaction.failure is None or _gravity(failure) > _gravity(transaction.failure):
            transaction.failure = failure

    def _judge_text(self, transaction: _Transaction, seen: DataContent | TextWatch) -> None:
        if seen.has_bare_line_end:
            self._fail_content(transaction, replies.BARE_LINE_END)
        elif seen.has_nul:
            self._fail_content(transaction, replies.NUL)

    def _end_data(self, transaction: _Transaction) -> None:
        if transaction.failure is None:
            self._ask_content(transaction)
            return
        self._transaction = None
        self._send(transaction.failure)
        # Two servers that read a bare CR or LF, or a NUL, differently see different messages after it: nothing more is
        # read.
        if transaction.failure is replies.BARE_LINE_END:
            self._close(replies.BARE_LINE_END_CLOSES, "bare CR or LF in the content")
        elif transaction.failure is replies.NUL:
            self._close(replies.NUL_CLOSES, "NUL in the content")

    def _end_chunk(self) -> None:
        transaction = self._transaction
        if self._chunk_refusal is not None:
            self._refuse_out_of_order(self._chunk_refusal)
            return
        assert transaction is not None and transaction.chunks is not None
        if self._chunk_is_last:
            transaction.chunks.end()
        self._judge_text(transaction, transaction.chunks)
        if transaction.failure is not None:
            self._send(transaction.failure)
            if self._chunk_is_last:
                self._transaction = None
        elif self._chunk_is_last:
            self._ask_content(transaction)
        else:
            self._send(replies.CHUNK_TAKEN)

    def _ask_content(self, transaction: _Transaction) -> None:
        self._ask(EndContent(transaction.size), ServerSession._content_answered)

    def _content_answered(self, reply: Reply) -> None:
        self._transaction = None
        if reply.kind == 2:
            self.idle_commands = 0
        self._pass_on(reply)

    # --- commands ----------------------------------------------------------------------------------------------------

    def _command(self, line: bytes) -> None:
        if not line.endswith(b"\r\n") or line.count(b"\r") > 1:
            # RFC 5321 2.3.8: only CRLF ends a line. Taking less would let two servers see different commands.
            self._log(line.rstrip(b"\r\n"))
            self._refuse(replies.LINE_END_NOT_CRLF)
            return
        line = line[:-2]
        self._log(line)
        verb, argument = read_command_line(line)
        if verb in _IDLE:
            self.idle_commands += 1
        if self.idle_commands > self._settings.most_idle_commands:
            self._close(replies.TOO_MANY_IDLE_COMMANDS, "too many commands without mail")
        elif self._turned_away and verb != b"QUIT":
            self._refuse(replies.TURNED_AWAY)
        elif argument is None:
            self._refuse(replies.NOT_UTF8)
        elif (command := _COMMANDS.get(verb)) is not None:
            command(self, argument)
        else:
            self._unknown(verb)

    def _unknown(self, verb: bytes) -> None:
        if verb in _HTTP_METHODS:
            self._send(replies.NO_HTTP)
            self._close(None, "the client speaks HTTP")
        elif not verb:
            self._refuse(replies.EMPTY_COMMAND)
        else:
            self._refuse(replies.UNKNOWN_COMMAND)

    def _ehlo(self, argument: str) -> None:
        offer_starttls = self._settings.offers_starttls and not self.secured
        self._introduce(argument, replies.ehlo(self._settings, offer_starttls), extended=True)

    def _helo(self, argument: str) -> None:
        self._introduce(argument, replies.helo(self._settings.hostname), extended=False)

    def _introduce(self, name: str, welcome: Reply, *, extended: bool) -> None:
        if _NAME.fullmatch(name) is None:
            self._refuse(replies.NAME_EXPECTED)
            return
        self._forget_transaction()  # RFC 5321 4.1.4
        self.ehlo = name
        self.extended = extended
        self._send(welcome)

    def _starttls(self, argument: str) -> None:
        if argument:
            self._refuse(replies.NO_ARGUMENT_ALLOWED)  # RFC 3207 4
        elif self.secured:
            self._refuse(replies.TLS_ALREADY)
        elif not self._settings.offers_starttls:
            self._refuse(replies.TLS_NOT_AVAILABLE)
        else:
            self._forget_transaction()
            self._send(replies.READY_FOR_TLS)
            self._effects.append(StartTls())
            self._read = ServerSession._read_nothing

    def _mail(self, argument: str) -> None:
        if not self.ehlo:
            self._refuse(replies.EHLO_FIRST)
            return
        if self._transaction is not None:
            self._refuse(replies.CONTENT_BEGUN if self._transaction.chunks is not None else replies.MAIL_ALREADY)
            return
        # RFC 9422 4.1: every MAIL counts, taken or not.
        self._transactions += 1
        if self._transactions > self._settings.most_transactions:
            self._close(replies.TOO_MANY_TRANSACTIONS, "too many mail transactions")
            return
        question = self._read_mail(argument)
        if isinstance(question, Reply):
            self._mail_was_refused = True
            self._refuse(question)
        else:
            self._waiting_mail = question
            self._ask(question, ServerSession._mail_answered)

    def _read_mail(self, argument: str) -> AskMail | Reply:
        start = _FROM.match(argument)
        if start is None:
            return replies.MAIL_SYNTAX
        read = read_reverse_path(argument, start.end(), irregular=self._settings.irregular_paths)
        if isinstance(read, BadPath):
            return replies.bad_reverse_path(read.says)
        ask = mail_parameters(
            argument[read.end :],
            AskMail(envelope=Envelope(reverse_path=read.path), irregular=read.irregular and read.irregular.says),
        )
        if isinstance(ask, Reply):
            return ask
        if not ask.envelope.smtputf8 and not argument.isascii():
            return replies.NEEDS_SMTPUTF8
        if ask.declared_size is not None and ask.declared_size > self._settings.largest_message:
            return replies.TOO_LARGE  # RFC 1870 6.1
        return ask

    def _mail_answered(self, reply: Reply) -> None:
        question = self._waiting_mail
        assert question is not None
        self._waiting_mail = None
        self._mail_was_refused = reply.kind != 2
        if not self._mail_was_refused:
            self._transaction = _Transaction(question.envelope)
        self._pass_on(reply)

    def _rcpt(self, argument: str) -> None:
        transaction = self._transaction
        if transaction is None:
            self._refuse_out_of_order(replies.MAIL_FIRST)
        elif transaction.chunks is not None:
            self._refuse(replies.CONTENT_BEGUN)
        elif transaction.asked_recipients >= self._settings.most_recipients:
            # RFC 5321 4.5.3.1.10; RFC 9422 4.2 counts every RCPT, taken or not.
            self.idle_commands += 1
            self._refuse(replies.TOO_MANY_RECIPIENTS)
        else:
            question = self._read_rcpt(argument, transaction.envelope.smtputf8)
            if isinstance(question, Reply):
                self._refuse(question)
            else:
                transaction.asked_recipients += 1
                self._ask(question, ServerSession._recipient_answered)

    def _read_rcpt(self, argument: str, smtputf8: bool) -> AskRecipient | Reply:
        start = _TO.match(argument)
        if start is None:
            return replies.RCPT_SYNTAX
        read = read_forward_path(
            argument,
            start.end(),
            postmaster_at=domain_key(self._settings.hostname),
            irregular=self._settings.irregular_paths,
        )
        if isinstance(read, BadPath):
            return replies.bad_forward_path(read.says)
        if not smtputf8 and not argument[: read.end].isascii():
            return replies.NEEDS_SMTPUTF8
        dsn = recipient_parameters(argument[read.end :], smtputf8=smtputf8)
        if isinstance(dsn, Reply):
            return dsn
        return AskRecipient(forward_path=read.path, dsn=dsn, irregular=read.irregular and read.irregular.says)

    def _recipient_answered(self, reply: Reply) -> None:
        if reply.kind == 2 and self._transaction is not None:
            self._transaction.taken_recipients += 1
        self._pass_on(reply)

    def _data(self, argument: str) -> None:
        transaction = self._transaction
        refusal = self._why_no_content()
        if argument:
            self._refuse(replies.NO_ARGUMENT_ALLOWED)
        elif refusal is not None:
            self._refuse_out_of_order(refusal)
        elif transaction is not None and transaction.chunks is not None:
            self._refuse(replies.CONTENT_BEGUN)  # RFC 3030 2
        elif transaction is not None and transaction.envelope.body is Body.BINARY_MIME:
            self._refuse(replies.BINARY_NEEDS_BDAT)  # RFC 3030 3
        elif transaction is not None:
            transaction.data = DataContent()
            self._send(replies.SEND_CONTENT)
            self._effects.append(BeginContent())
            self._read = ServerSession._read_data

    def _bdat(self, argument: str) -> None:
        chunk = _CHUNK.fullmatch(argument)
        if chunk is None:
            # Nobody can tell where such a chunk would end and the next command begin.
            self._close(replies.CHUNK_SIZE_EXPECTED, "BDAT without a readable size")
            return
        self._chunk_left = int(chunk[1])
        self._chunk_is_last = chunk[2] is not None
        if not self._chunk_is_last and self._chunk_left < self._settings.smallest_free_chunk:
            self.idle_commands += 1
        # RFC 3030 2: a chunk that is refused is read all the same, and dropped.
        self._chunk_refusal = self._why_no_content()
        transaction = self._transaction
        if self._chunk_refusal is None and transaction is not None and transaction.chunks is None:
            transaction.chunks = TextWatch()
            self._effects.append(BeginContent())
        self._read = ServerSession._read_chunk

    def _why_no_content(self) -> Reply | None:
        transaction = self._transaction
        if transaction is None:
            return replies.MAIL_FIRST
        if transaction.taken_recipients:
            return None
        # RFC 5321 3.3: 554 when every recipient was refused.
        return replies.NO_VALID_RECIPIENTS if transaction.asked_recipients else replies.RCPT_FIRST

    def _rset(self, argument: str) -> None:
        if argument:
            self._refuse(replies.NO_ARGUMENT_ALLOWED)
        else:
            self._forget_transaction()
            self._send(replies.RESET)

    def _noop(self, argument: str) -> None:
        self._send(replies.OK)

    def _vrfy(self, argument: str) -> None:
        if argument:
            self._send(replies.CANNOT_VERIFY)
        else:
            self._refuse(replies.MAILBOX_EXPECTED)

    def _help(self, argument: str) -> None:
        self._send(replies.HELP)

    def _quit(self, argument: str) -> None:
        if argument:
            self._refuse(replies.NO_ARGUMENT_ALLOWED)
        else:
            self._close(replies.goodbye(self._settings.hostname), "QUIT")

    def _auth(self, argument: str) -> None:
        self._refuse(replies.AUTH_NOT_OFFERED)

    def _not_implemented(self, argument: str) -> None:
        self._refuse(replies.NOT_IMPLEMENTED)

    # --- effects -----------------------------------------------------------------------------------------------------

    def _log(self, line: bytes) -> None:
        self._effects.append(CommandReceived(logged(line)))

    def _send(self, reply: Reply) -> None:
        self._effects.append(SendReply(reply))

    def _refuse_out_of_order(self, reply: Reply) -> None:
        """A client that pipelines (RFC 2920 3.1) sends on after a refusal of policy, and this is no error of its."""
        if reply is replies.NO_VALID_RECIPIENTS or (reply is replies.MAIL_FIRST and self._mail_was_refused):
            self.idle_commands += 1
            self._send(reply)
        else:
            self._refuse(reply)

    def _refuse(self, reply: Reply) -> None:
        """Refuse a command by ourselves; too many such refusals end the session. Those of policy do not count."""
        if reply.kind == 5:
            self._errors += 1
        if self._errors > self._settings.most_errors:
            self.wore_out = True
            self._close(replies.TOO_MANY_ERRORS, "too many errors")
        else:
            self._send(reply)

    def _ask(self, question: AskMail | AskRecipient | EndContent, when_answered: "_WhenAnswered") -> None:
        self._effects.append(question)
        self._when_answered = when_answered
        self.paused = True

    def _pass_on(self, reply: Reply) -> None:
        if reply.code == 421:
            self._close(reply, "turned away with 421")
        else:
            self._send(reply)

    def _forget_transaction(self) -> None:
        transaction = self._transaction
        if transaction is not None:
            # Whoever asks about recipients and sends nothing keeps a server busy with each of them.
            self.idle_commands += transaction.taken_recipients
            if transaction.failure is None:
                self._effects.append(DropContent())
        self._transaction = None

    def _close(self, reply: Reply | None, why: str) -> None:
        self._forget_transaction()
        if reply is not None:
            self._send(reply)
        self._effects.append(Close(why))
        self.closed = True
        self.waiting = False
        self._drop_buffer()
        self._read = ServerSession._read_nothing


def _gravity(failure: Reply) -> int:
    return 2 if failure is replies.BARE_LINE_END else 1 if failure is replies.NUL else 0


_WhenAnswered = Callable[[ServerSession, Reply], None]

_COMMANDS: Final[Mapping[bytes, Callable[[ServerSession, str], None]]] = {
    b"EHLO": ServerSession._ehlo,
    b"HELO": ServerSession._helo,
    b"STARTTLS": ServerSession._starttls,
    b"MAIL": ServerSession._mail,
    b"RCPT": ServerSession._rcpt,
    b"DATA": ServerSession._data,
    b"BDAT": ServerSession._bdat,
    b"RSET": ServerSession._rset,
    b"NOOP": ServerSession._noop,
    b"VRFY": ServerSession._vrfy,
    b"HELP": ServerSession._help,
    b"QUIT": ServerSession._quit,
    b"AUTH": ServerSession._auth,
    b"EXPN": ServerSession._not_implemented,
    # RFC 5321 F.6, RFC 1985: commands of other times and services.
    b"TURN": ServerSession._not_implemented,
    b"SEND": ServerSession._not_implemented,
    b"SOML": ServerSession._not_implemented,
    b"SAML": ServerSession._not_implemented,
    b"ETRN": ServerSession._not_implemented,
}

# Commands that nobody sends by the thousand, except to keep a server busy.
_IDLE: Final = frozenset({b"EHLO", b"HELO", b"NOOP", b"RSET", b"VRFY", b"HELP"})

# A web page can make a browser post SMTP commands to this port; they must not be read.
_HTTP_METHODS: Final = frozenset({b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH", b"CONNECT"})
