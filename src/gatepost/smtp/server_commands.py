"""The commands of the server machine: what each one makes of its argument (RFC 5321 4.1.1).

What flows through: the argument of a command in; a reply, or a question to the carrier, and a change of the machine's
state out. Order and syntax are decided here; whether mail is taken is asked.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from gatepost.mail.domain import domain_key
from gatepost.mail.envelope import Body, Envelope
from gatepost.mail.path_grammar import BadPath, read_forward_path, read_reverse_path
from gatepost.mail.reply import Reply
from gatepost.smtp import replies
from gatepost.smtp.content import DataContent, TextWatch
from gatepost.smtp.parameters import mail_parameters, recipient_parameters
from gatepost.smtp.server_content import read_chunk, read_data
from gatepost.smtp.server_effects import AskMail, AskRecipient, BeginContent, StartTls
from gatepost.smtp.server_machine import Machine, Transaction
from gatepost.smtp.server_settings import ServerSettings

# RFC 5321 4.1.1.1 asks for a domain or an address literal; 4.1.4 forbids refusing a name for what it says, so any
# single word of printable ASCII is taken down.
_NAME = re.compile(r"[!-~]{1,255}")
# RFC 5321 4.1.1.2, 4.1.1.3 allow no space after the colon; many clients send one.
_FROM = re.compile(r"FROM:[ \t]*", re.ASCII | re.IGNORECASE)
_TO = re.compile(r"TO:[ \t]*", re.ASCII | re.IGNORECASE)
# RFC 3030 2: bdat-cmd = "BDAT" SP chunk-size [SP "LAST"]
_CHUNK = re.compile(r"([0-9]{1,20})(?: +(LAST))?", re.ASCII | re.IGNORECASE)


def _ehlo(machine: Machine, argument: str) -> None:
    offer_starttls = machine.settings.offers_starttls and not machine.secured
    _introduce(machine, argument, replies.ehlo(machine.settings, offer_starttls), extended=True)


def _helo(machine: Machine, argument: str) -> None:
    _introduce(machine, argument, replies.helo(machine.settings.hostname), extended=False)


def _introduce(machine: Machine, name: str, welcome: Reply, *, extended: bool) -> None:
    if _NAME.fullmatch(name) is None:
        machine.refuse(replies.NAME_EXPECTED)
        return
    machine.forget_transaction()  # RFC 5321 4.1.4
    machine.ehlo = name
    machine.extended = extended
    machine.send(welcome)


def _starttls(machine: Machine, argument: str) -> None:
    if argument:
        machine.refuse(replies.NO_ARGUMENT_ALLOWED)  # RFC 3207 4
    elif machine.secured:
        machine.refuse(replies.TLS_ALREADY)
    elif not machine.settings.offers_starttls:
        machine.refuse(replies.TLS_NOT_AVAILABLE)
    else:
        machine.forget_transaction()
        machine.send(replies.READY_FOR_TLS)
        machine.effects.append(StartTls())
        machine.read_nothing()


def _mail(machine: Machine, argument: str) -> None:
    if not machine.ehlo:
        machine.refuse(replies.EHLO_FIRST)
        return
    if machine.transaction is not None:
        machine.refuse(replies.CONTENT_BEGUN if machine.transaction.chunks is not None else replies.MAIL_ALREADY)
        return
    # RFC 9422 4.1: every MAIL counts, taken or not.
    machine.transactions += 1
    if machine.transactions > machine.settings.most_transactions:
        machine.close(replies.TOO_MANY_TRANSACTIONS, "too many mail transactions")
        return
    question = _read_mail(machine.settings, argument)
    if isinstance(question, Reply):
        machine.mail_was_refused = True
        machine.refuse(question)
    else:
        machine.waiting_mail = question
        machine.ask(question, _mail_answered)


def _read_mail(settings: ServerSettings, argument: str) -> AskMail | Reply:
    start = _FROM.match(argument)
    if start is None:
        return replies.MAIL_SYNTAX
    read = read_reverse_path(argument, start.end(), irregular=settings.irregular_paths)
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
    if ask.declared_size is not None and ask.declared_size > settings.largest_message:
        return replies.TOO_LARGE  # RFC 1870 6.1
    return ask


def _mail_answered(machine: Machine, reply: Reply) -> None:
    question = machine.waiting_mail
    assert question is not None
    machine.waiting_mail = None
    machine.mail_was_refused = reply.kind != 2
    if not machine.mail_was_refused:
        machine.transaction = Transaction(question.envelope)
    machine.pass_on(reply)


def _rcpt(machine: Machine, argument: str) -> None:
    transaction = machine.transaction
    if transaction is None:
        machine.refuse_out_of_order(replies.MAIL_FIRST)
    elif transaction.chunks is not None:
        machine.refuse(replies.CONTENT_BEGUN)
    elif transaction.asked_recipients >= machine.settings.most_recipients:
        # RFC 5321 4.5.3.1.10; RFC 9422 4.2 counts every RCPT, taken or not.
        machine.idle_commands += 1
        machine.refuse(replies.TOO_MANY_RECIPIENTS)
    else:
        question = _read_rcpt(machine.settings, argument, transaction.envelope.smtputf8)
        if isinstance(question, Reply):
            machine.refuse(question)
        else:
            transaction.asked_recipients += 1
            machine.ask(question, _recipient_answered)


def _read_rcpt(settings: ServerSettings, argument: str, smtputf8: bool) -> AskRecipient | Reply:
    start = _TO.match(argument)
    if start is None:
        return replies.RCPT_SYNTAX
    read = read_forward_path(
        argument,
        start.end(),
        postmaster_at=domain_key(settings.hostname),
        irregular=settings.irregular_paths,
    )
    if isinstance(read, BadPath):
        return replies.bad_forward_path(read.says)
    if not smtputf8 and not argument[: read.end].isascii():
        return replies.NEEDS_SMTPUTF8
    dsn = recipient_parameters(argument[read.end :], smtputf8=smtputf8)
    if isinstance(dsn, Reply):
        return dsn
    return AskRecipient(forward_path=read.path, dsn=dsn, irregular=read.irregular and read.irregular.says)


def _recipient_answered(machine: Machine, reply: Reply) -> None:
    if reply.kind == 2 and machine.transaction is not None:
        machine.transaction.taken_recipients += 1
    machine.pass_on(reply)


def _data(machine: Machine, argument: str) -> None:
    transaction = machine.transaction
    refusal = _why_no_content(machine)
    if argument:
        machine.refuse(replies.NO_ARGUMENT_ALLOWED)
    elif refusal is not None:
        machine.refuse_out_of_order(refusal)
    elif transaction is not None and transaction.chunks is not None:
        machine.refuse(replies.CONTENT_BEGUN)  # RFC 3030 2
    elif transaction is not None and transaction.envelope.body is Body.BINARY_MIME:
        machine.refuse(replies.BINARY_NEEDS_BDAT)  # RFC 3030 3
    elif transaction is not None:
        transaction.data = DataContent()
        machine.send(replies.SEND_CONTENT)
        machine.effects.append(BeginContent())
        machine.read = read_data


def _bdat(machine: Machine, argument: str) -> None:
    chunk = _CHUNK.fullmatch(argument)
    if chunk is None:
        # Nobody can tell where such a chunk would end and the next command begin.
        machine.close(replies.CHUNK_SIZE_EXPECTED, "BDAT without a readable size")
        return
    machine.chunk_left = int(chunk[1])
    machine.chunk_is_last = chunk[2] is not None
    if not machine.chunk_is_last and machine.chunk_left < machine.settings.smallest_free_chunk:
        machine.idle_commands += 1
    # RFC 3030 2: a chunk that is refused is read all the same, and dropped.
    machine.chunk_refusal = _why_no_content(machine)
    transaction = machine.transaction
    if machine.chunk_refusal is None and transaction is not None and transaction.chunks is None:
        transaction.chunks = TextWatch()
        machine.effects.append(BeginContent())
    machine.read = read_chunk


def _why_no_content(machine: Machine) -> Reply | None:
    transaction = machine.transaction
    if transaction is None:
        return replies.MAIL_FIRST
    if transaction.taken_recipients:
        return None
    # RFC 5321 3.3: 554 when every recipient was refused.
    return replies.NO_VALID_RECIPIENTS if transaction.asked_recipients else replies.RCPT_FIRST


def _rset(machine: Machine, argument: str) -> None:
    if argument:
        machine.refuse(replies.NO_ARGUMENT_ALLOWED)
    else:
        machine.forget_transaction()
        machine.send(replies.RESET)


def _noop(machine: Machine, argument: str) -> None:
    machine.send(replies.OK)


def _vrfy(machine: Machine, argument: str) -> None:
    if argument:
        machine.send(replies.CANNOT_VERIFY)
    else:
        machine.refuse(replies.MAILBOX_EXPECTED)


def _help(machine: Machine, argument: str) -> None:
    machine.send(replies.HELP)


def _quit(machine: Machine, argument: str) -> None:
    if argument:
        machine.refuse(replies.NO_ARGUMENT_ALLOWED)
    else:
        machine.close(replies.goodbye(machine.settings.hostname), "QUIT")


def _auth(machine: Machine, argument: str) -> None:
    machine.refuse(replies.AUTH_NOT_OFFERED)


def _not_implemented(machine: Machine, argument: str) -> None:
    machine.refuse(replies.NOT_IMPLEMENTED)


def unknown(machine: Machine, verb: bytes) -> None:
    if verb in _HTTP_METHODS:
        machine.send(replies.NO_HTTP)
        machine.close(None, "the client speaks HTTP")
    elif not verb:
        machine.refuse(replies.EMPTY_COMMAND)
    else:
        machine.refuse(replies.UNKNOWN_COMMAND)


COMMANDS: Final[Mapping[bytes, Callable[[Machine, str], None]]] = {
    b"EHLO": _ehlo,
    b"HELO": _helo,
    b"STARTTLS": _starttls,
    b"MAIL": _mail,
    b"RCPT": _rcpt,
    b"DATA": _data,
    b"BDAT": _bdat,
    b"RSET": _rset,
    b"NOOP": _noop,
    b"VRFY": _vrfy,
    b"HELP": _help,
    b"QUIT": _quit,
    b"AUTH": _auth,
    b"EXPN": _not_implemented,
    # RFC 5321 F.6, RFC 1985: commands of other times and services.
    b"TURN": _not_implemented,
    b"SEND": _not_implemented,
    b"SOML": _not_implemented,
    b"SAML": _not_implemented,
    b"ETRN": _not_implemented,
}

# A web page can make a browser post SMTP commands to this port; they must not be read.
_HTTP_METHODS: Final = frozenset({b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH", b"CONNECT"})
