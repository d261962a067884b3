"""Protocol log text both ways: records to lines, and lines of any Exchange generation back to records.

Laws: one record is one line, whatever octets a peer sends, so nobody can forge a row; what cannot be read is counted
with its line number and never raised; columns are taken by the names in `#Fields`, not by position.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from gatepost import __version__
from gatepost.mail.visible import is_plain, visible
from gatepost.protocol_log.record import Event, ProtocolLogRecord

FIELDS: Final = (
    "date-time",
    "connector-id",
    "session-id",
    "sequence-number",
    "local-endpoint",
    "remote-endpoint",
    "event",
    "data",
    "context",
)

_COMMAS: Final = len(FIELDS) - 1


class Side(StrEnum):
    """Which SMTP role the logged host plays."""

    SEND = "send"
    RECEIVE = "receive"


def header(side: Side, at: float) -> str:
    """The lines every file begins with."""
    return (
        f"#Software: Gatepost\r\n#Version: {__version__}\r\n#Log-type: SMTP {side.capitalize()} Protocol Log\r\n"
        f"#Date: {timestamp_text(at)}\r\n#Fields: {','.join(FIELDS)}\r\n"
    )


def timestamp_text(at: float) -> str:
    """ISO 8601, UTC, milliseconds, `Z`."""
    milliseconds = int(at * 1000 + 0.5)
    return f"{_to_the_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=64)
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


class RecordWriter:
    """Records to lines. It remembers the text of the timestamps of one second, since rows come in bursts."""

    __slots__ = ("_second", "_second_text", "_texts")

    def __init__(self) -> None:
        self._second = -1
        self._second_text = ""
        self._texts: dict[int, str] = {}

    def text(self, records: Sequence[ProtocolLogRecord]) -> str:
        """Their lines, one after the other."""
        rows: list[str] = []
        shown, when = -1, ""
        for record in records:
            at, connector, session_id, number, local, remote, event, data, context = record
            milliseconds = int(at * 1000 + 0.5)
            if milliseconds != shown:
                shown, when = milliseconds, self._timestamp(milliseconds)
            row = f"{when},{connector},{session_id},{number},{local},{remote},{event._value_},{data},{context}"
            rows.append(row if row.count(",") == _COMMAS and '"' not in row else self._row(record, _quoted))
        # A line break inside a value would let a peer write rows of its own. Hardly any row has one, and looking at
        # all of them together costs little more than looking at one.
        if not _plain_ascii("".join(rows)):
            rows = [
                row if _plain_ascii(row) else self._row(each, _shown) for row, each in zip(rows, records, strict=True)
            ]
        return "\r\n".join([*rows, ""])

    def _row(self, record: ProtocolLogRecord, made: Callable[[str], str]) -> str:
        """`made`: how the texts of others come into it."""
        at, connector, session_id, number, local, remote, event, data, context = record
        return (
            f"{self._timestamp(int(at * 1000 + 0.5))},{made(connector)},{session_id},{number},{local},{remote},"
            f"{event._value_},{made(data)},{made(context)}"
        )

    def _timestamp(self, milliseconds: int) -> str:
        text = self._texts.get(milliseconds)
        if text is None:
            second, rest = divmod(milliseconds, 1000)
            if second != self._second:
                self._second = second
                self._second_text = _to_the_second(second)
                self._texts.clear()
            text = self._texts[milliseconds] = f"{self._second_text}.{rest:03d}Z"
        return text


def _plain_ascii(text: str) -> bool:
    return text.isascii() and is_plain(text)


def _shown(value: str) -> str:
    return _quoted(visible(value))


def _quoted(value: str) -> str:
    if "," in value or '"' in value:
        return '"' + value.replace('"', '""') + '"'
    return value


class NumberedRecord(NamedTuple):
    """A record and the line it began on, counted from 1, so that a finding can point at it."""

    line: int
    record: ProtocolLogRecord


@dataclass(slots=True, kw_only=True)
class ProtocolLog:
    """What one file or paste held."""

    records: list[NumberedRecord] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    """The `#` lines by lower-case key; the last one of a key counts."""
    damaged: list[int] = field(default_factory=list)
    """Line numbers of rows that could not be read."""

    @property
    def side(self) -> Side | None:
        """As `#Log-type` says; None without that line."""
        kind = self.headers.get("log-type", "").lower()
        return Side.SEND if "smtp send" in kind else Side.RECEIVE if "smtp receive" in kind else None


_BEGINS_A_ROW = re.compile(r"#|\d{4}-\d\d-\d\dT\d\d:")
_QUOTED_FIELD = re.compile(r'"([^"]*(?:""[^"]*)*)"(?=,|\Z)')
_MOST_LINES_OF_A_ROW = 50
_EVENTS = {event.value: event for event in Event}


class RecordReader:
    """Lines in, records out; the state is the columns in force and a row whose quoted value goes on."""

    def __init__(self) -> None:
        self.log = ProtocolLog()
        self._columns: Sequence[str] = FIELDS
        self._line = 0
        self._open_row = ""
        self._open_row_line = 0

    def feed(self, line: str) -> ProtocolLogRecord | None:
        """One line, with or without its line end. Returns the record that it completes."""
        self._line += 1
        line = line.rstrip("\r\n")
        line = line.removeprefix("\ufeff")  # files are pasted and appended together, so it can stand anywhere
        if self._open_row:
            if not _BEGINS_A_ROW.match(line) and self._line - self._open_row_line < _MOST_LINES_OF_A_ROW:
                return self._row(f"{self._open_row}\r\n{line}", self._open_row_line)
            self._give_up_open_row()
        if not line.strip():
            return None
        if line.startswith("#"):
            self._header(line)
            return None
        return self._row(line, self._line)

    def finish(self) -> ProtocolLog:
        """Everything fed, with an unfinished row counted as damaged."""
        self._give_up_open_row()
        return self.log

    def _give_up_open_row(self) -> None:
        if self._open_row:
            self.log.damaged.append(self._open_row_line)
            self._open_row = ""

    def _header(self, line: str) -> None:
        key, _, value = line[1:].partition(":")
        key, value = key.strip().lower(), value.strip()
        self.log.headers[key] = value
        if key == "fields":
            self._columns = tuple(name.strip().lower() for name in value.split(","))

    def _row(self, row: str, line: int) -> ProtocolLogRecord | None:
        values = _split(row)
        if values is None:
            self._open_row, self._open_row_line = row, line
            return None
        self._open_row = ""
        record = self._record(values)
        if record is None:
            self.log.damaged.append(line)
        else:
            self.log.records.append(NumberedRecord(line, record))
        return record

    def _record(self, values: list[str]) -> ProtocolLogRecord | None:
        if len(values) != len(self._columns):
            return None
        if self._columns is not FIELDS and self._columns != FIELDS:
            by_name = dict(zip(self._columns, values, strict=True))
            values = [by_name.get(name, "") for name in FIELDS]
        at, event = _time(values[0]), _EVENTS.get(values[6])
        if at is None or event is None or not (values[3] or "0").isdecimal():
            return None
        return ProtocolLogRecord(
            at, values[1], values[2], int(values[3] or "0"), values[4], values[5], event, values[7], values[8]
        )


def read_protocol_log(octets: bytes) -> ProtocolLog:
    """Everything a file holds."""
    reader = RecordReader()
    for line in _lines(octets):
        reader.feed(line)
    return reader.finish()


def _lines(octets: bytes) -> list[str]:
    if octets[:2] in (b"\xff\xfe", b"\xfe\xff"):  # what a PowerShell redirection makes of a log
        return octets.decode("utf-16", "replace").split("\n")
    try:
        return octets.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return [decode_line(line) for line in octets.split(b"\n")]


def decode_line(octets: bytes) -> str:
    """UTF-8, else Latin-1: in a line nobody can decode, every octet still shows as something."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def _split(row: str) -> list[str] | None:
    """The row's values; None where a quoted value does not end in it."""
    if '"' not in row:
        return row.split(",")
    values, at = [], 0
    while True:
        if row.startswith('"', at):
            quoted = _QUOTED_FIELD.match(row, at)
            if quoted is None:
                return None
            values.append(quoted[1].replace('""', '"'))
            end = quoted.end()
        else:
            end = row.find(",", at)
            end = len(row) if end < 0 else end
            values.append(row[at:end])
        if end >= len(row):
            return values
        at = end + 1


def _time(text: str) -> float | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
