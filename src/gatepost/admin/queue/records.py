"""Queued mail as JSON objects, both ways: what `--json` prints, the Management API shows, and `--server` reads back."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gatepost.admin.queue.waiting_mail import MessageView, Overview
from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox, NullReversePath
from gatepost.mail.envelope import NO_DSN_REQUEST, Body, Envelope
from gatepost.queue.message import QueuedMessage, QueuedRecipient, RecipientState
from gatepost.queue.orders import Order
from gatepost.queue.store import QueueCount

Record = dict[str, Any]
ReadRecord = Mapping[str, Any]


def overview_record(found: Overview) -> Record:
    return {
        "recipients": found.recipients,
        "counts": [
            {
                "tenant": count.tenant,
                "domain": count.domain,
                "state": count.state.value,
                "recipients": count.recipients,
                "oldest_received_at": _utc(count.oldest_received_at),
            }
            for count in found.counts
        ],
        "messages": [
            {**message_record(message), "recipient": recipient_record(recipient)} for message, recipient in found.first
        ],
    }


def shown_record(found: MessageView) -> Record:
    return {
        **message_record(found.message),
        "recipients": [recipient_record(recipient) for recipient in found.recipients],
        "headers": found.headers,
    }


def order_record(queue_name: str, order: Order) -> Record:
    return {
        "queue": queue_name,
        "number": order.number,
        "given_at": _utc(order.given_at),
        "given_by": order.given_by,
        "action": order.action.value,
        "message_id": order.message_id,
        "tenant": order.tenant,
        "domain": order.domain,
        "state": order.state,
        "sender": order.sender,
        "received_until": None if order.received_until is None else _utc(order.received_until),
        "recipients": order.recipients,
        "carried_out": order.carried_out,
    }


def message_record(message: QueuedMessage) -> Record:
    return {
        "id": message.id,
        "session_id": message.session_id,
        "received_at": _utc(message.received_at),
        "reverse_path": str(message.envelope.reverse_path),
        "size": message.size,
        "body": message.envelope.body.value,
        "smtputf8": message.envelope.smtputf8,
        "envid": message.envelope.envid,
    }


def recipient_record(recipient: QueuedRecipient) -> Record:
    return {
        "forward_path": recipient.forward_path,
        "domain": recipient.domain,
        "tenant": recipient.tenant,
        "connector": recipient.connector,
        "state": recipient.state.value,
        "due_at": _utc(recipient.due_at),
        "attempts": recipient.attempts,
        "last_reply": recipient.last_reply,
    }


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def overview_from(record: ReadRecord) -> Overview:
    return Overview(
        counts=[
            QueueCount(
                tenant=each["tenant"],
                domain=each["domain"],
                state=RecipientState(each["state"]),
                recipients=each["recipients"],
                oldest_received_at=_seconds(each["oldest_received_at"]),
            )
            for each in record["counts"]
        ],
        first=[(_message_from(each), _recipient_from(each["recipient"])) for each in record["messages"]],
    )


def shown_from(record: ReadRecord) -> MessageView:
    return MessageView(
        message=_message_from(record),
        recipients=[_recipient_from(each) for each in record["recipients"]],
        headers=record["headers"],
    )


def _message_from(record: ReadRecord) -> QueuedMessage:
    return QueuedMessage(
        id=record["id"],
        session_id=record["session_id"],
        received_at=_seconds(record["received_at"]),
        size=record["size"],
        envelope=Envelope(
            reverse_path=_reverse_path(record["reverse_path"]),
            body=Body(record["body"]),
            smtputf8=record["smtputf8"],
            envid=record["envid"],
        ),
    )


def _recipient_from(record: ReadRecord) -> QueuedRecipient:
    return QueuedRecipient(
        id=0,
        forward_path=record["forward_path"],
        domain=record["domain"],
        tenant=record["tenant"],
        connector=record["connector"],
        dsn=NO_DSN_REQUEST,
        state=RecipientState(record["state"]),
        due_at=_seconds(record["due_at"]),
        attempts=record["attempts"],
        last_reply=record["last_reply"],
        delay_notified=False,
    )


def _reverse_path(text: str) -> Mailbox | NullReversePath:
    local_part, _, domain = text.rpartition("@")
    return Mailbox(local_part=local_part, domain=domain, text=text) if text else NULL_REVERSE_PATH


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
