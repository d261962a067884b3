"""Values to rows and back: what the tables `message` and `recipient` hold of a message."""

from functools import lru_cache
from typing import Any, Final, cast

from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox, ReversePath
from gatepost.mail.envelope import NO_DSN_REQUEST, Body, DsnRequest, Envelope, Notify
from gatepost.queue.message import NewMessage, NewRecipient, QueuedMessage, QueuedRecipient, RecipientState

Row = tuple[Any, ...]

_STATES: Final = {state.value: state for state in RecipientState}
_BODIES: Final = {body.value: body for body in Body}


def message_row(number: int, message: NewMessage, content: bytes | None) -> Row:
    """For `INSERT_MESSAGE`."""
    envelope, path = message.envelope, message.envelope.reverse_path
    parts = (path.text, path.local_part, path.domain) if isinstance(path, Mailbox) else (None, None, None)
    return (
        number,
        message.session_id,
        message.received_at,
        *parts,
        message.content.size,
        envelope.body.value,
        envelope.smtputf8,
        envelope.ret,
        envelope.envid,
        content,
    )


def recipient_row(id: int, recipient: NewRecipient, state: str, received_at: float) -> Row:
    """For `INSERT_RECIPIENT`: due as soon as it was received."""
    path = recipient.forward_path
    dsn = recipient.dsn
    return (
        id,
        state,
        received_at,
        received_at,
        path.domain,
        recipient.tenant,
        recipient.connector,
        path.text,
        None if dsn.notify is None else ",".join(sorted(dsn.notify)),
        dsn.orcpt,
    )


def queued_message(id: str, message: NewMessage) -> QueuedMessage:
    """What was accepted, as it is known from now on."""
    return QueuedMessage(
        id=id,
        session_id=message.session_id,
        received_at=message.received_at,
        envelope=message.envelope,
        size=message.content.size,
    )


def claimed_recipient(id: int, recipient: NewRecipient, received_at: float) -> QueuedRecipient:
    """A recipient whose first attempt begins at once."""
    return QueuedRecipient(
        id=id,
        forward_path=recipient.forward_path.text,
        domain=recipient.forward_path.domain,
        tenant=recipient.tenant,
        connector=recipient.connector,
        dsn=recipient.dsn,
        state=RecipientState.ACTIVE,
        due_at=received_at,
        attempts=0,
        last_reply=None,
        delay_notified=False,
    )


def message_from_row(queue: str, row: Row) -> QueuedMessage:
    """From `MESSAGE_COLUMNS`."""
    return QueuedMessage(
        id=f"{queue}-{row[0]}",
        session_id=row[1],
        received_at=row[2],
        size=row[6],
        envelope=Envelope(
            reverse_path=_reverse_path(row[3], row[4], row[5]),
            body=_BODIES[row[7]],
            smtputf8=bool(row[8]),
            ret=row[9],
            envid=row[10],
        ),
    )


def recipient_from_row(row: Row) -> QueuedRecipient:
    """From `RECIPIENT_COLUMNS`."""
    return QueuedRecipient(
        id=row[0],
        state=_STATES[row[1]],
        due_at=row[2],
        domain=row[3],
        tenant=row[4],
        connector=row[5],
        forward_path=row[6],
        dsn=NO_DSN_REQUEST if row[7] is None and row[8] is None else DsnRequest(notify=_notify(row[7]), orcpt=row[8]),
        attempts=row[9],
        last_reply=row[10],
        delay_notified=bool(row[11]),
    )


def _reverse_path(text: str | None, local_part: str | None, domain: str | None) -> ReversePath:
    if text is None:
        return NULL_REVERSE_PATH
    assert local_part is not None and domain is not None
    return Mailbox(local_part, domain, text)


@lru_cache(maxsize=64)
def _notify(text: str | None) -> frozenset[Notify] | None:
    return None if text is None else frozenset(cast("list[Notify]", text.split(",")))
