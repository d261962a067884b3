"""Conversations: the rows of one session put together again from any number of files, and shown to people."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from textwrap import wrap
from typing import Final, NamedTuple

from gatepost.mail.visible import visible
from gatepost.protocol_log.certificates import LoggedCertificate, parse_certificate_row
from gatepost.protocol_log.codec import timestamp_text
from gatepost.protocol_log.record import Event, ProtocolLogRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One session. At least one record, in the order things happened."""

    session_id: str
    records: tuple[ProtocolLogRecord, ...]

    @property
    def connector_id(self) -> str:
        return self.records[0].connector_id


def conversations(records: Iterable[ProtocolLogRecord]) -> list[Conversation]:
    """Records of any files in any order, grouped by session; the sessions in the order in which they began."""
    sessions: dict[str, set[ProtocolLogRecord]] = {}
    for record in records:
        # A set, since the same rows are often handed in twice: the whole folder, and the one file that matters.
        sessions.setdefault(record.session_id, set()).add(record)
    found = [Conversation(session_id=each, records=_in_order(rows)) for each, rows in sessions.items()]
    return sorted(found, key=lambda conversation: conversation.records[0].at)


def _in_order(rows: Iterable[ProtocolLogRecord]) -> tuple[ProtocolLogRecord, ...]:
    return tuple(sorted(rows, key=lambda row: (row.sequence_number, row.at)))


ATTRIBUTION: Final = "attribution of "
"""How the context of a verdict's row begins; the rows after it have a reason code as data and its text as context."""


class LineKind(StrEnum):
    """What a shown line is, so that a face can colour it."""

    TITLE = "title"
    CONNECT = "connect"
    SENT = "sent"
    RECEIVED = "received"
    INFORMATION = "information"
    DETAIL = "detail"
    REFUSAL = "refusal"
    VERDICT = "verdict"
    REASON = "reason"


class Line(NamedTuple):
    kind: LineKind
    text: str


_ARROWS: Final = {
    Event.CONNECT: " + ",
    Event.DISCONNECT: " - ",
    Event.SEND: "-->",
    Event.RECEIVE: "<--",
    Event.INFORMATION: " * ",
}
_KINDS: Final = {
    Event.CONNECT: LineKind.CONNECT,
    Event.DISCONNECT: LineKind.CONNECT,
    Event.SEND: LineKind.SENT,
    Event.RECEIVE: LineKind.RECEIVED,
    Event.INFORMATION: LineKind.INFORMATION,
}
_REFUSAL = re.compile(r"[45]\d\d[ -]")
_REASON_CODE = re.compile(r"[a-z]+(?:-[a-z]+)+")
_MARGIN: Final = " " * 19


def render(conversation: Conversation, width: int = 80) -> list[Line]:
    """The conversation for people, no line wider than `width`."""
    first = conversation.records[0]
    lines = [
        Line(LineKind.TITLE, f"session {conversation.session_id}  {timestamp_text(first.at)[:10]}"),
        *(Line(LineKind.TITLE, part) for part in wrap(f"connector {visible(conversation.connector_id)}", width)),
    ]
    for record in conversation.records:
        lines += _shown(record, width)
    return lines


def render_record(record: ProtocolLogRecord, width: int = 80) -> list[Line]:
    """One row for people, with its session id: for following a log in which sessions interleave."""
    return [Line(line.kind, f"{record.session_id} {line.text}") for line in _shown(record, width - 17)]


def _shown(record: ProtocolLogRecord, width: int) -> Iterator[Line]:
    kind, texts = _kind_and_texts(record)
    mark = "!!" if kind is LineKind.REFUSAL else "  "
    beginning = f"{timestamp_text(record.at)[11:23]} {mark}{_ARROWS[record.event]} "
    for text in texts:
        for part in wrap(visible(text), width - len(_MARGIN), break_on_hyphens=False) or [""]:
            yield Line(kind, (beginning + part).rstrip())
            beginning = _MARGIN
    if certificate := parse_certificate_row(record.data, record.context):
        for label, value in _certificate_lines(certificate):
            for part in wrap(visible(value), width - len(_MARGIN) - 14, break_on_hyphens=False):
                yield Line(LineKind.DETAIL, f"{_MARGIN}  {label:<11} {part}")
                label = ""


def _kind_and_texts(record: ProtocolLogRecord) -> tuple[LineKind, list[str]]:
    kind = _KINDS[record.event]
    if kind is LineKind.CONNECT:
        return kind, [f"{_connection(record)}{f' ({record.context})' if record.context else ''}"]
    if kind is not LineKind.INFORMATION:
        kind = LineKind.REFUSAL if _REFUSAL.match(record.data) else kind
        return kind, [record.data] + ([f"({record.context})"] if record.context else [])
    if parse_certificate_row(record.data, record.context):
        return kind, [" ".join(record.context.split(" ")[:2])]
    if record.context.startswith(ATTRIBUTION):
        return LineKind.VERDICT, [f"VERDICT {record.context.removeprefix(ATTRIBUTION)}: {record.data}"]
    if _REASON_CODE.fullmatch(record.data):
        return LineKind.REASON, [f"because {record.data}: {record.context}"]
    return kind, [": ".join(part for part in (record.context, record.data) if part)]


def _connection(record: ProtocolLogRecord) -> str:
    verb = "connected" if record.event is Event.CONNECT else "disconnected"
    return f"{verb}: {record.local_endpoint or '?'} and {record.remote_endpoint or '?'}"


def _certificate_lines(certificate: LoggedCertificate) -> Iterator[tuple[str, str]]:
    yield "subject", certificate.subject
    yield "issuer", certificate.issuer
    yield "serial", certificate.serial
    yield "thumbprint", certificate.thumbprint
    if certificate.not_before:
        yield "not before", f"{certificate.not_before:%Y-%m-%d %H:%M:%SZ}"
    if certificate.not_after:
        yield "not after", f"{certificate.not_after:%Y-%m-%d %H:%M:%SZ}"
    yield "names", " ".join(certificate.names)
