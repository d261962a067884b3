"""The operator's log: one line per event on standard output, as text for people or as JSON for programs, or one entry
per event in systemd's journal.

What flows through: `emit` on a session's way, formatting and writing on the log writer's thread. Laws: secrets are
never written, whatever field they come in; a line is one line whatever a peer put into a value; a reader of the log
that stands still costs events, which are counted, and never holds up mail; what a network of strangers is refused has a
bounded number of lines a minute, and the rest one line with their number.
"""

import math
import os
import re
import select
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from json import JSONEncoder, dumps
from typing import Final, Literal, NamedTuple

from gatepost.logs.journal import Journal, entry, field_name, message_id
from gatepost.logs.log_shares import network_of
from gatepost.logs.log_writer import BackgroundLog, LogWriter
from gatepost.mail.visible import is_plain, visible_json
from gatepost.protocol_log.codec import timestamp_text

_MOST_WAITING: Final = 50_000
_LONGEST_VALUE: Final = 1000
_PATIENCE_S: Final = 1.0
_OF_STRANGERS: Final = frozenset({"refused", "refused-again"})
_LISTED_A_MINUTE: Final = 60
_MOST_SUMMARIES: Final = 20
_MOST_NETWORKS: Final = 10_000

_WARNINGS: Final = frozenset(
    {
        "alarm-not-sent",
        "alarm-raised",
        "certificate-not-loaded",
        "content-full",
        "content-not-written",
        "delivery-warning",
        "domain-verification",
        "signing-key",
        "failed",
        "notification-withheld",
        "proxy-header-refused",
        "relay-refuses-us",
        "renewal-not-rehearsed",
        "enrolment-refused",
        "tenant-over-limit",
        "token-not-renewed",
        "turned-away",
    }
)
_PRIORITIES: Final = {"error": "3", "warning": "4", "info": "6"}
"""As syslog(3) counts them."""
_ERRORS: Final = frozenset(
    {"bug", "message-stuck", "queue-full", "renewal-refused", "store-unavailable", "supervisor-gone"}
)
_FOR_A_PERSON: Final = _ERRORS | {"certificate-not-loaded", "renewal-not-rehearsed", "token-not-renewed"}
"""What `gatepost status` shows for an hour."""

LogForm = Literal["text", "json", "journal"]


class LoggedEvent(NamedTuple):
    at: float
    event: str
    fields: Mapping[str, object]


class EventLog(BackgroundLog[LoggedEvent]):
    """One worker's events. `always` stands in every line: `worker=3`."""

    def __init__(
        self,
        form: LogForm,
        writer: LogWriter,
        clock: Callable[[], float] = time.time,
        fd: int | None = None,
        journal: Journal | None = None,
        heed: Callable[[float, str, str, str], None] = lambda at, event, problem, do: None,
        **always: object,
    ) -> None:
        """`heed` hears of what a person should know: when, which event, its problem, and what to do if the event
        says it."""
        super().__init__(writer, "event log", _MOST_WAITING, clock)
        self._line = json_line if form == "json" else text_line
        self._journal = (journal or Journal()) if form == "journal" else None
        self._has_journal = True
        self._fd = sys.stdout.fileno() if fd is None else fd
        self._always = always
        self._heed = heed
        self._refusals = _Refusals()

    def emit(self, event: str, /, **fields: object) -> None:
        now = self._clock()
        if event in _OF_STRANGERS:
            self._add_what_was_not_listed(now)
            if not self._refusals.may_list(str(fields.get("address"))):
                return
        self.add(LoggedEvent(now, event, fields))

    def finish(self) -> None:
        self._add_what_was_not_listed(math.inf)
        super().finish()

    def _add_what_was_not_listed(self, now: float) -> None:
        for address, refused in self._refusals.not_listed_before(now):
            self.emit("refusals-not-listed", address=address, refused=refused)

    def _write(self, entries: Sequence[LoggedEvent], now: float) -> None:
        logged = []
        for at, event, fields in entries:
            if event in _FOR_A_PERSON:
                problem, do = (str(_shown(name, fields.get(name)) or "") for name in ("problem", "do"))
                self._heed(at, event, problem, do)
            logged.append(LoggedEvent(at, event, {**self._always, **fields}))
        self._write_lines(logged if self._journal is None else self._left_by(self._journal, logged))

    def _left_by(self, journal: Journal, logged: Sequence[LoggedEvent]) -> Sequence[LoggedEvent]:
        """What the journal did not take, which is said once: it goes where the log goes without one."""
        for number, each in enumerate(logged):
            try:
                journal.send(journal_entry(each))
            except OSError as error:
                if self._has_journal:
                    self._has_journal = False
                    self._writer.report(
                        f"the journal cannot be written ({error.strerror or error}): events are written to standard "
                        f'output as text until it can; without systemd, set log = "text"'
                    )
                return logged[number:]
        self._has_journal = True
        return ()

    def _write_lines(self, logged: Sequence[LoggedEvent]) -> None:
        piece = b""
        for each in logged:
            line = self._line(each).encode("utf-8", "backslashreplace")
            # Up to PIPE_BUF octets go into a pipe as a whole: lines of several workers never mix.
            if piece and len(piece) + len(line) > select.PIPE_BUF:
                self._write_piece(piece)
                piece = b""
            piece += line
        self._write_piece(piece)

    def _write_piece(self, octets: bytes) -> None:
        if not select.select((), (self._fd,), (), _PATIENCE_S)[1]:
            raise OSError("nobody reads it")
        left = memoryview(octets)
        while left:
            left = left[os.write(self._fd, left) :]

    def close_file(self) -> None:
        """Standard output is not ours to close."""
        if self._journal is not None:
            self._journal.close()


class _Refusals:
    """Lines about refusals in the present minute, by network."""

    def __init__(self) -> None:
        self._minute = -1.0
        self._seen: Counter[str] = Counter()

    def not_listed_before(self, now: float) -> Sequence[tuple[str, int]]:
        """Once the minute is over: each network that had more than its lines, and how many more."""
        minute = now // 60
        if minute == self._minute:
            return ()
        over = [(who, seen - _LISTED_A_MINUTE) for who, seen in self._seen.items() if seen > _LISTED_A_MINUTE]
        self._minute = minute
        self._seen.clear()
        most = sorted(over, key=lambda each: -each[1])
        rest = sum(refused for _, refused in most[_MOST_SUMMARIES:])
        return [*most[:_MOST_SUMMARIES], *([("others", rest)] if rest else [])]

    def may_list(self, address: str) -> bool:
        who = network_of(address)
        if who not in self._seen and len(self._seen) >= _MOST_NETWORKS:
            who = "others"
        self._seen[who] += 1
        return self._seen[who] <= _LISTED_A_MINUTE


def level(event: str) -> str:
    return "error" if event in _ERRORS else "warning" if event in _WARNINGS else "info"


_encoded = JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def json_line(logged: LoggedEvent) -> str:
    line = {"at": timestamp_text(logged.at), "level": level(logged.event), "event": logged.event}
    fields = {name: _shown(name, value) for name, value in logged.fields.items()}
    # What a person reads first stands first; no field takes its place.
    return visible_json(_encoded({**line, **fields, **line})) + "\n"


def journal_entry(logged: LoggedEvent) -> bytes:
    """The line of text without time and level, which the journal has itself, and each field as one of the journal."""
    shown = {name: _shown(name, value) for name, value in logged.fields.items()}
    fields = {
        field_name("session" if name == "session_id" else name): value if isinstance(value, str) else _encoded(value)
        for name, value in shown.items()
        if value is not None
    }
    return entry(
        {
            **fields,
            "MESSAGE": text_line(logged).split(" ", 2)[2].rstrip("\n"),
            "MESSAGE_ID": message_id(logged.event),
            "PRIORITY": _PRIORITIES[level(logged.event)],
            "SYSLOG_IDENTIFIER": "gatepost",
            "GATEPOST_EVENT": logged.event,
            "GATEPOST_AT": timestamp_text(logged.at),
        }
    )


_PLAIN_ASCII = re.compile(rf"[!#-<>-\[\]-~]{{1,{_LONGEST_VALUE}}}\Z")
_PLAIN = re.compile(r"[^\s\"=\\\x00-\x1f\x7f]+\Z")


def text_line(logged: LoggedEvent) -> str:
    """`time level event name=value …`; a value with blanks or quotes in it is written as a JSON string."""
    parts = [timestamp_text(logged.at), level(logged.event), logged.event]
    for name, value in logged.fields.items():
        # Where there is no blank, there is no secret except in a URL.
        plain = type(value) is int or (isinstance(value, str) and _PLAIN_ASCII.match(value) and "://" not in value)
        if plain and not _is_secret(name):
            parts.append(f"{name}={value}")
        elif (shown := _shown(name, value)) is not None:
            parts.append(f"{name}={_word(shown)}")
    return " ".join(parts) + "\n"


def _word(shown: object) -> str:
    if type(shown) is int:  # most fields that are no text; the encoder takes twenty times as long
        return str(shown)
    text = shown if isinstance(shown, str) else dumps(shown)
    if _PLAIN_ASCII.match(text) or (_PLAIN.match(text) and is_plain(text)):
        return text
    return dumps(text)


_SECRET_NAMES = re.compile(
    r"(?i)pass(?:word|phrase)?$|passwd|secret|token|credential|authorization|private_?key|cookie"
)
# A word that a text with such a secret holds, in lower case; the secret; what is written instead.
_SECRET_VALUES = (
    ("auth", re.compile(r"\b(AUTH\s+[\w-]+)\s+\S+", re.IGNORECASE), r"\1 (hidden)"),
    ("://", re.compile(r"(://[^/\s:@]*):[^/\s@]+@"), r"\1:(hidden)@"),
    (
        "-----begin",
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        "(hidden)",
    ),
)


def _shown(name: str, value: object) -> object:
    """The value as it may be logged: secrets hidden, plain JSON types only, nothing endless."""
    if value is None:
        return None
    if _is_secret(name):
        return "(hidden)"
    if isinstance(value, str):
        return _shown_text(value)
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): _shown(str(key), each) for key, each in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes):
        return [_shown(name, each) for each in value]
    return _shown_text(value.isoformat() if isinstance(value, datetime) else str(value))


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAMES.search(name) is not None


def _shown_text(text: str) -> str:
    lowered = text.lower()
    for word, secret, hidden in _SECRET_VALUES:
        if word in lowered:
            text = secret.sub(hidden, text)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
