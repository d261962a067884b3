"""How the server machine reads content: after DATA up to the dot, or chunk by chunk (RFC 3030).

Laws: a message that cannot be taken is read to its end and then refused; content that two servers could read
differently ends the session, since nobody knows where the next command begins.
"""

from gatepost.mail.envelope import Body
from gatepost.mail.reply import Reply
from gatepost.smtp import replies
from gatepost.smtp.content import DataContent, TextWatch
from gatepost.smtp.server_effects import ContentReceived, DropContent, EndContent
from gatepost.smtp.server_machine import Machine, Transaction


def read_data(machine: Machine) -> bool:
    transaction = machine.transaction
    assert transaction is not None and transaction.data is not None
    octets = machine.buffer[machine.at :]
    if not octets:
        return False
    piece, remaining = transaction.data.take(octets)
    machine.at = len(machine.buffer) - (remaining or 0)
    _take(machine, transaction, piece)
    _judge_text(machine, transaction, transaction.data)
    if remaining is None:
        return False
    machine.read_commands()
    _end_data(machine, transaction)
    return True


def read_chunk(machine: Machine) -> bool:
    octets = machine.buffer[machine.at : machine.at + machine.chunk_left]
    machine.at += len(octets)
    machine.chunk_left -= len(octets)
    if octets and machine.chunk_refusal is None:
        transaction = machine.transaction
        assert transaction is not None and transaction.chunks is not None
        _take(machine, transaction, octets)
        if transaction.envelope.body is not Body.BINARY_MIME:
            transaction.chunks.see(octets)
    if machine.chunk_left:
        return False
    machine.read_commands()
    _end_chunk(machine)
    return True


def fail_content(machine: Machine, transaction: Transaction, failure: Reply) -> None:
    if transaction.failure is None:
        machine.effects.append(DropContent())
    # Several defects may show in any order, depending on the packets; the gravest decides.
    if transaction.failure is None or _gravity(failure) > _gravity(transaction.failure):
        transaction.failure = failure


def _take(machine: Machine, transaction: Transaction, piece: bytes) -> None:
    transaction.size += len(piece)
    if transaction.size > machine.settings.largest_message:
        # RFC 1870 6.3: read on to the end, then refuse.
        fail_content(machine, transaction, replies.TOO_LARGE)
    elif piece and transaction.failure is None:
        machine.effects.append(ContentReceived(piece))


def _judge_text(machine: Machine, transaction: Transaction, seen: DataContent | TextWatch) -> None:
    if seen.has_bare_line_end:
        fail_content(machine, transaction, replies.BARE_LINE_END)
    elif seen.has_nul:
        fail_content(machine, transaction, replies.NUL)


def _end_data(machine: Machine, transaction: Transaction) -> None:
    if transaction.failure is None:
        machine.ask(EndContent(transaction.size), _answered)
        return
    machine.transaction = None
    machine.send(transaction.failure)
    # Two servers that read a bare CR or LF, or a NUL, differently see different messages after it: nothing more is
    # read.
    if transaction.failure is replies.BARE_LINE_END:
        machine.close(replies.BARE_LINE_END_CLOSES, "bare CR or LF in the content")
    elif transaction.failure is replies.NUL:
        machine.close(replies.NUL_CLOSES, "NUL in the content")


def _end_chunk(machine: Machine) -> None:
    transaction = machine.transaction
    if machine.chunk_refusal is not None:
        machine.refuse_out_of_order(machine.chunk_refusal)
        return
    assert transaction is not None and transaction.chunks is not None
    if machine.chunk_is_last:
        transaction.chunks.end()
    _judge_text(machine, transaction, transaction.chunks)
    if transaction.failure is not None:
        machine.send(transaction.failure)
        if machine.chunk_is_last:
            machine.transaction = None
    elif machine.chunk_is_last:
        machine.ask(EndContent(transaction.size), _answered)
    else:
        machine.send(replies.CHUNK_TAKEN)


def _answered(machine: Machine, reply: Reply) -> None:
    machine.transaction = None
    if reply.kind == 2:
        machine.idle_commands = 0
    machine.pass_on(reply)


def _gravity(failure: Reply) -> int:
    return 2 if failure is replies.BARE_LINE_END else 1 if failure is replies.NUL else 0
