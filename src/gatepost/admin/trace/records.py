"""Items and stories as JSON objects (design §7), and as lines of a table for other programs."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from gatepost.tenancy.fields import time_text
from gatepost.trace.story import Event, Item, What

Record = dict[str, Any]


def item_record(item: Item) -> Record:
    received, last, certificate = item.received, item.last, item.received.certificate
    return {
        "id": item.id,
        "session_id": received.session_id,
        "queue_id": received.place.message if received.place else None,
        "message_id": f"<{received.message_id}>" if received.message_id else None,
        "at": _time(received.at),
        "tenant": received.tenant,
        "connector": received.connector,
        "basis": received.basis,
        "address": received.address,
        "listener": received.listener,
        "mail_from": received.mail_from,
        "rcpt_to": received.rcpt_to,
        "subject": received.subject,
        "size": received.size,
        "outcome": item.outcome.value,
        "reason": received.reason,
        "reply": received.reply or (last and (last.reply or last.why)),
        "next_hop": last.host if last else None,
        "tls": received.tls,
        "certificate": certificate
        and {"sha256": certificate.sha256, "verified": certificate.verified, "names": list(certificate.names)},
    }


def event_record(item: Item, event: Event) -> Record:
    record: Record = {"at": _time(event.at), "event": event.what.value, "rcpt_to": item.received.rcpt_to}
    if event.what in (What.ACCEPTED, What.REFUSED):
        return {**record, "reply": event.reply}
    return {
        **record,
        "host": event.host,
        "tls": event.tls,
        "seconds": event.took_s,
        "reply": event.reply,
        "why": event.why,
        "next_attempt_at": None if event.due_at is None else _time(event.due_at),
        "by": event.by,
    }


def story_record(items: Sequence[Item]) -> Record:
    """Of recipients in the order in which they came; the first that went wrong is on top."""
    went_wrong = [each for each in items if each.outcome not in ("delivered", "queued")]
    events = [(event, item) for item in items for event in item.events]
    return {
        **item_record((went_wrong or list(items))[0]),
        "recipients": [item_record(each) for each in items],
        "events": [event_record(item, event) for event, item in sorted(events, key=lambda each: each[0].at)],
    }


COLUMNS: Final = (
    "at",
    "outcome",
    "tenant",
    "mail_from",
    "rcpt_to",
    "message_id",
    "size",
    "address",
    "connector",
    "basis",
    "tls",
    "reason",
    "reply",
    "next_hop",
    "queue_id",
    "session_id",
    "id",
)


def cells(record: Mapping[str, Any]) -> list[str]:
    """A line of a table; nothing in it is a formula to whoever opens it in a spreadsheet."""
    return [_cell(record.get(column)) for column in COLUMNS]


_FORMULA: Final = re.compile(r"""\A(?=[\t\r\n])|(?:\A|(?<=[;,\t\r\n]))(?=[ "]*[=+\-@\uff1d\uff0b\uff0d\uff20])""")
"""Where one would begin: at the start, and after what another program may take as the end of a cell. The signs of full
width are read as those of ASCII."""


def _cell(value: object) -> str:
    return _FORMULA.sub("'", "" if value is None else str(value))


def _time(at: float) -> str | None:
    return time_text(datetime.fromtimestamp(round(at, 3), UTC))
