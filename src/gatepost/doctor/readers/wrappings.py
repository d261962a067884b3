"""What a container, a journal, a firewall's export or a chat put around each line, taken off again.

What flows: the lines of a page in, as many lines out, so that numbers stay. Laws: a wrapping is taken off only where
enough lines of the page bear it; nothing else of a line is changed.
"""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

Lines = list[str]
_LONGEST_LINE: Final = 20_000


def unwrapped(lines: Lines) -> Lines:
    for take_off in _WRAPPINGS:
        lines = take_off(lines)
    return lines


# --- containers and journals -----------------------------------------------------------------------------------------

_CRI: Final = re.compile(r"^(?:\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) (?:stdout|stderr) [FP] (?P<rest>.*)$")
_POD: Final = re.compile(r"^\[pod/[\w.-]{1,120}/[\w.-]{1,80}\] (?P<rest>.*)$")
_COMPOSE: Final = re.compile(
    r"^(?P<name>[A-Za-z][\w.]{0,40}[-_][\w.-]{1,60}|[a-z][a-z0-9]{1,30})\s{1,20}\| (?P<rest>.*)$"
)
_MOST_NAMES: Final = 8


_HMAIL: Final = re.compile(r'^"SMTP[CD]"\t[^\n]{5,120}\t"(?P<way>SENT|RECEIVED): (?P<rest>[^\n]{0,3000})"$')


def _dialogue(lines: Lines) -> Lines:
    """hMailServer's log: a dialogue line in quotes, `[nl]` for a line's end."""
    spoken = [_HMAIL.match(line[:4000]) for line in lines]
    mark = {"SENT": "C: ", "RECEIVED": "S: "}
    return [
        line if each is None else mark[each["way"]] + each["rest"].replace("[nl]", " ")
        for each, line in zip(spoken, lines, strict=True)
    ]


def _container(lines: Lines) -> Lines:
    """Docker's JSON log, `kubectl logs`, `docker compose logs`, `journalctl -o json`."""
    opened = [_opened(line) for line in lines]
    if _enough(opened, lines):
        return [line if each is None else each for each, line in zip(opened, lines, strict=True)]
    for pattern in (_CRI, _POD):
        lines = _without(lines, pattern)
    names = Counter(match["name"] for line in lines if (match := _COMPOSE.match(line[:400])))
    return _without(lines, _COMPOSE) if 0 < len(names) <= _MOST_NAMES else lines


def _opened(line: str) -> str | None:
    text = line.strip()
    if not text.startswith("{") or ('"log"' not in text and '"MESSAGE"' not in text) or len(text) > _LONGEST_LINE:
        return None
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict):
        return None
    if isinstance(entry.get("log"), str):
        return str(entry["log"]).rstrip("\r\n").replace("\n", " ")
    message = entry.get("MESSAGE")
    return _of_journal(entry, message) if isinstance(message, str) else None


def _of_journal(entry: dict[str, object], message: str) -> str:
    """As the journal prints it: time, host, program and its process."""
    program, host = str(entry.get("SYSLOG_IDENTIFIER", "")), str(entry.get("_HOSTNAME", "-"))
    stamp = str(entry.get("__REALTIME_TIMESTAMP", ""))
    if not program or not stamp.isdecimal() or len(stamp) > 17:
        return message.replace("\n", " ")
    at = datetime.fromtimestamp(int(stamp) / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{at} {host} {program}[{entry.get('_PID', '0')}]: {message}".replace("\n", " ")


def _without(lines: Lines, pattern: re.Pattern[str]) -> Lines:
    rest = [match["rest"] if (match := pattern.match(line[:_LONGEST_LINE])) else None for line in lines]
    if not _enough(rest, lines):
        return lines
    return [line if each is None else each for each, line in zip(rest, lines, strict=True)]


def _enough(found: Sequence[str | None], lines: Lines) -> bool:
    """Most of the lines that are written."""
    written = sum(1 for line in lines if line.strip())
    return written > 0 and 3 * sum(each is not None for each in found) > 2 * written


# --- a log exported as CSV -------------------------------------------------------------------------------------------

_TEXT: Final = ("line", "message", "msg", "log")
_PROGRAM: Final = ("process", "program", "daemon", "appname", "ident", "syslogtag")
_STAMP: Final = ("date", "time", "timestamp", "@timestamp", "datetime", "receivedat")
_HOST: Final = ("host", "hostname", "syslogsource", "fromhost")


def _exported_log(lines: Lines) -> Lines:
    """`Date,Severity,Process,Line` of a firewall, or a log server's export: put together as syslog writes it."""
    head = next((index for index, line in enumerate(lines[:20]) if line.strip()), None)
    if head is None:
        return lines
    delimiter = max(",;\t", key=lines[head].count)
    names = [each.strip().strip('"').casefold() for each in lines[head].split(delimiter)]
    columns = [
        next((names.index(each) for each in among if each in names), None) for among in (_STAMP, _HOST, _PROGRAM, _TEXT)
    ]
    stamp, host, program, text = columns
    if text is None or program is None:
        return lines
    done = list(lines)
    done[head] = ""
    for index in range(head + 1, len(lines)):
        try:
            cells = next(csv.reader([lines[index]], delimiter=delimiter), [])
        except csv.Error:
            continue
        if len(cells) < len(names):
            continue
        ident = cells[program] if "[" in cells[program] else f"{cells[program]}[0]"
        when = cells[stamp].strip().replace(" ", "T", 1) if stamp is not None else ""
        where = cells[host].strip() if host is not None else "-"
        done[index] = f"{when} {where or '-'} {ident}: {cells[text].strip()}".strip()
    return done


# --- a chat ----------------------------------------------------------------------------------------------------------

_CHAT: Final = re.compile(
    r"^(?:\[(?:\d{1,4}[./-]\d{1,2}[./-]\d{2,4},? )?\d{1,2}:\d\d(?::\d\d)?(?: ?[AaPp][Mm])?(?:, \d{1,4}[./-]\d{1,2}[./-]\d{2,4})?\] |\d{1,2}[./]\d{1,2}[./]\d{2,4}, \d{1,2}:\d\d(?: ?[AaPp][Mm])? - )"
    r"(?P<who>[^\W\d_][^:\n\[\]=]{0,40}): (?P<rest>.*)$"
)
_LEVEL: Final = re.compile(r"(?:^|[.\W])(?:ERROR|ERR|INFO|WARN|WARNING|DEBUG|NOTICE|CRITICAL|FATAL|TRACE)$")
"""Who writes like this is a program: its line keeps its time."""


def _chat(lines: Lines) -> Lines:
    """`[14:02] Ann: text` of Teams, Slack, WhatsApp or a ticket: what was said, without who and when."""
    said = [_CHAT.match(line[:_LONGEST_LINE]) for line in lines]
    said = [None if each and _LEVEL.search(each["who"]) else each for each in said]
    if sum(each is not None for each in said) < 2:
        return lines
    return [line if each is None else each["rest"] for each, line in zip(said, lines, strict=True)]


# --- a log that a mail program wrapped -------------------------------------------------------------------------------

_LOGGED: Final = re.compile(
    r"^(?:[A-Z][a-z]{2}\s+\d{1,2} \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*) \S{1,80} [\w./-]{1,60}\[\d+\]:"
)
_WIDEST: Final = 100
_MOST_PARTS: Final = 12


def _soft_wrapped(lines: Lines) -> Lines:
    """A log's line broken at a mail's width goes on until its parenthesis closes."""
    done = list(lines)
    index = 0
    while index < len(lines):
        if not _LOGGED.match(lines[index][:200]) or len(lines[index]) > _WIDEST:
            index += 1
            continue
        last = index
        while last + 1 < len(lines) and last - index < _MOST_PARTS and _goes_on(done[index], lines[last + 1]):
            last += 1
            done[index] = f"{done[index].rstrip()} {lines[last].strip()}"
            done[last] = ""
        index = last + 1
    return done


def _goes_on(so_far: str, following: str) -> bool:
    if not following.strip() or _LOGGED.match(following[:200]) or len(following) > _WIDEST:
        return False
    return so_far.count("(") > so_far.count(")") or so_far.rstrip().endswith((",", ":", "="))


# --- rows and values that a mail program wrapped ---------------------------------------------------------------------

_ROW: Final = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?Z?,")
_BEGINS: Final = re.compile(
    r"^\s{0,20}(?!(?:CN|OU|DC|ST|SERIALNUMBER|STREET)=)(?:[\w-]{2,40}(?: [\w-]{2,20}){0,3}\s{0,40}[:=]|\[PS\]|PS |[A-Z]:\\|#|-{3}|\||>|\d+[.)] |[*+-] |Get-|Set-)"
)
_OF_A_NAME: Final = re.compile(r":\s{0,3}(?:<I>)?(?:CN|O|OU|E|SERIALNUMBER)=")
_NAME_GOES_ON: Final = re.compile(r"[^:=]{0,80}(?:,\s?[A-Z]{1,2}=|<S>)")
_INDENT: Final = " " * 30
_NARROW: Final = 90
_WIDE_ENOUGH: Final = 50


def _wrapped_rows(lines: Lines) -> Lines:
    """A row of a protocol log goes on until the next one begins; a value until what it opened is closed, and its rest is
    indented, as a console would have it."""
    if max(map(len, lines), default=0) > _NARROW:
        return lines
    done = list(lines)
    index = 0
    while index < len(lines):
        last, whole = index, done[index]
        while last + 1 < len(lines) and last - index < _MOST_PARTS and _is_torn(whole, lines[last], lines[last + 1]):
            last += 1
            between = "" if _ROW.match(whole) and whole.endswith(",") else " "
            whole = f"{whole.rstrip()}{between}{lines[last].strip()}"
            done[last] = "" if _ROW.match(whole) else f"{_INDENT}{lines[last].strip()}"
        if _ROW.match(whole):
            done[index] = whole
        index = last + 1
    return done


def _is_torn(so_far: str, line: str, following: str) -> bool:
    if not following.strip() or _ROW.match(following) or following.startswith("  "):
        return False
    if _ROW.match(so_far):
        return not following.startswith("#")
    if len(line.rstrip()) < _WIDE_ENOUGH or not _BEGINS.match(so_far) or _BEGINS.match(following):
        return False
    if _OF_A_NAME.search(so_far) and _NAME_GOES_ON.match(following):
        return True
    opened = any(so_far.count(begin) > so_far.count(end) for begin, end in ("{}", "()", "[]"))
    return following[:1] not in "{[" and (opened or so_far.rstrip().endswith((",", "<S>", "=")))


_WRAPPINGS: Final[tuple[Callable[[Lines], Lines], ...]] = (
    _dialogue,
    _dialogue,
    _container,
    _exported_log,
    _chat,
    _soft_wrapped,
    _wrapped_rows,
)
