"""Protocol logs too large to read row by row: all are looked through, the telling sessions are read whole.

Blocks are searched for the few octets that tell a session's outcome, its certificate and its address, and sessions are
counted by what they have in common. Of every combination the first sessions are then read like those of a small log.
Other large logs are cut down to the lines that could matter.
"""

import codecs
import errno
import os
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from gatepost.doctor.evidence import Moment, SmtpPopulation
from gatepost.doctor.moments import moment
from gatepost.doctor.page import Page
from gatepost.exchange.source import Source

_BLOCK: Final = 8 * 1024 * 1024
_WINDOW: Final = 192 * 1024
"""Octets before and after a telling row within which its session is looked for."""
_SAMPLES: Final = 3
_MOST_COMBINATIONS: Final = 400
_MOST_LINES: Final = 40_000
_LONGEST_LINE: Final = 20_000
_MOST_OPEN: Final = 200_000
"""Sessions under way at once; a log in which none ever ends must not fill the memory."""

Tell = Callable[[int, int], None]
"""Called with the octets and the lines done so far."""

_HEAD = re.compile(rb"#Log-type:\s*SMTP (?:Send|Receive) Protocol Log", re.IGNORECASE)
_ROW = re.compile(rb"^\d{4}-\d\d-\d\dT[\d:.]+Z,[^,\n]*,[0-9A-Fa-f]{16},\d+,", re.MULTILINE)


def is_protocol_log(head: bytes) -> bool:
    return bool(_HEAD.search(head[:4000])) or len(_ROW.findall(head[:20000])) > 10


class _Session:
    """What was seen of one session so far."""

    __slots__ = ("connector", "first", "hello", "offset", "outcome", "thumbprint")

    def __init__(self, connector: bytes, first: bytes, offset: int) -> None:
        self.connector = connector
        self.first = first
        self.offset = offset
        self.hello = b""
        self.thumbprint = b""
        self.outcome = b""


class _Combination:
    __slots__ = ("first", "last", "samples", "sessions")

    def __init__(self, first: bytes) -> None:
        self.sessions = 0
        self.first = first
        self.last = first
        self.samples: list[tuple[bytes, int]] = []


_THUMBPRINT = re.compile(rb"\b[0-9A-Fa-f]{40}\b")
_OUTCOME = re.compile(rb",[<>],\"?([45]\d\d[ -](?:\d\.\d{1,3}\.\d{1,3})?)")
_FAILURE = re.compile(rb"negotiation failed with error (\w+)")
_HELLO: Final = b" Hello ["
_CERTIFICATE: Final = b"Sending certificate"
_REFUSALS: Final = (b",<,5", b",<,4", b',<,"5', b',<,"4', b",>,5", b",>,4", b',>,"5', b',>,"4')
_ACCEPTED: Final = (b",<,250 2.6.0", b",<,250 2.1.5", b",>,250 2.6.0")


class Survey:
    """One log file gone through in blocks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = 0
        self._open: dict[bytes, _Session] = {}
        self.combinations: dict[tuple[bytes, bytes, bytes, bytes], _Combination] = {}
        self._lines_before: list[tuple[int, int]] = []

    def go_through(self, file: BinaryIO, tell: Tell | None = None) -> None:
        offset, rest = 0, b""
        while octets := file.read(_BLOCK):
            block = rest + octets
            cut = block.rfind(b"\n") + 1
            if not cut and len(block) < 4 * _BLOCK:
                rest = block
                continue
            cut = cut or len(block)
            self._block(block[:cut], offset)
            offset += cut
            rest = block[cut:]
            if tell:
                tell(offset, self.rows)
        if rest:
            self._block(rest, offset)
        for identifier, session in self._open.items():
            self._close(identifier, session)
        self._open.clear()

    def _block(self, block: bytes, offset: int) -> None:
        self._lines_before.append((offset, self.rows))
        self.rows += block.count(b"\n")
        for at in _places(block, _HELLO):
            session = self._session(block, at, offset)
            if session and not session.hello:
                end = block.find(b"]", at, at + 60)
                session.hello = block[at + len(_HELLO) : end] if end > 0 else b""
        for at in _places(block, _CERTIFICATE):
            session = self._session(block, at, offset)
            if session and not session.thumbprint:
                begin = block.rfind(b"\n", 0, at) + 1
                # The oldest logs write one row per attribute, the thumbprint among the next five.
                found = _THUMBPRINT.search(block, begin, at) or _THUMBPRINT.search(block, at, at + 1500)
                session.thumbprint = found[0] if found else b"?"
        for sign in _ACCEPTED:
            for at in _places(block, sign):
                session = self._session(block, at, offset)
                if session and not session.outcome:
                    session.outcome = b"accepted"
        for sign in _REFUSALS:
            for at in _places(block, sign):
                found = _OUTCOME.match(block, at)
                if found and (session := self._session(block, at, offset)):
                    session.outcome = found[1].strip(b" -").replace(b"-", b" ")
                    session.offset = offset + at
        for at in _places(block, b"negotiation failed with error "):
            found = _FAILURE.match(block, at)
            if found and (session := self._session(block, at, offset)):
                session.outcome = found[1]
                session.offset = offset + at
        for at in _places(block, b",-,"):
            begin = block.rfind(b"\n", 0, at) + 1
            fields = block[begin:at].split(b",", 3)
            if len(fields) > 2 and (ended := self._open.pop(fields[2], None)):
                self._close(fields[2], ended)

    def _session(self, block: bytes, at: int, offset: int) -> _Session | None:
        begin = block.rfind(b"\n", 0, at) + 1
        fields = block[begin : begin + 300].split(b",", 3)
        if len(fields) < 4 or len(fields[2]) > 20:
            return None
        session = self._open.get(fields[2])
        if session is None:
            if len(self._open) >= _MOST_OPEN:
                self._close_oldest()
            session = self._open[fields[2]] = _Session(fields[1], fields[0], offset + begin)
        return session

    def _close_oldest(self) -> None:
        for identifier in list(islice(self._open, _MOST_OPEN // 2)):
            self._close(identifier, self._open.pop(identifier))

    def _close(self, identifier: bytes, session: _Session) -> None:
        key = (session.connector, session.hello, session.thumbprint, session.outcome)
        combination = self.combinations.get(key)
        if combination is None:
            if len(self.combinations) >= _MOST_COMBINATIONS:
                key = (session.connector, b"", b"", session.outcome)
            combination = self.combinations.setdefault(key, _Combination(session.first))
        combination.sessions += 1
        combination.first = min(combination.first, session.first)
        combination.last = max(combination.last, session.first)
        if len(combination.samples) < _SAMPLES:
            combination.samples.append((identifier, session.offset))

    def populations(self) -> Iterator[SmtpPopulation]:
        for (connector, hello, thumbprint, outcome), found in self.combinations.items():
            at = found.samples[0][1] if found.samples else 0
            yield SmtpPopulation(
                source=Source(self.name, self._line_of_block(at) + 1),
                connector=connector.decode("utf-8", "replace"),
                hello_address=hello.decode("ascii", "replace"),
                thumbprint=thumbprint.decode("ascii", "replace").upper(),
                outcome=outcome.decode("ascii", "replace") or "unknown",
                sessions=found.sessions,
                first=_moment(found.first),
                last=_moment(found.last),
            )

    def _line_of_block(self, offset: int) -> int:
        return next((lines for start, lines in reversed(self._lines_before) if start <= offset), 0)

    def sample_page(self, file: BinaryIO) -> Page:
        """The rows of the sampled sessions, with the numbers they have in the file."""
        wanted = {identifier: at for each in self.combinations.values() for identifier, at in each.samples}
        rows: dict[int, str] = {}
        for identifier, at in wanted.items():
            start = max(0, at - _WINDOW)
            block_start = next((begin for begin, _ in reversed(self._lines_before) if begin <= start), 0)
            number = self._line_of_block(start)
            file.seek(block_start)
            window = file.read(at + _WINDOW - block_start)
            place = 0
            counted_to = 0
            while (place := window.find(identifier, place)) >= 0:
                begin = window.rfind(b"\n", 0, place) + 1
                end = window.find(b"\n", place)
                end = len(window) if end < 0 else end
                number += window.count(b"\n", counted_to, begin)
                counted_to = begin
                rows[number + 1] = window[begin:end].decode("utf-8", "replace").rstrip("\r")
                place = end
        numbers = sorted(rows)
        header = _header_of(file)
        return Page(self.name, [*header, *(rows[each] for each in numbers)], [*range(1, len(header) + 1), *numbers])


def _header_of(file: BinaryIO) -> list[str]:
    file.seek(0)
    return [line.decode("utf-8", "replace").strip() for line in file.read(2000).split(b"\n") if line.startswith(b"#")]


def _places(block: bytes, sign: bytes) -> Iterator[int]:
    at = block.find(sign)
    while at >= 0:
        yield at
        at = block.find(sign, at + 1)


def _moment(text: bytes) -> Moment | None:
    return moment(text.decode("ascii", "replace"))


# --- other large texts -------------------------------------------------------------------------------------------

_INTERESTING = re.compile(
    rb"[45]\d\d[ -]#?[45]\.\d|5\.7\.\d|4\.7\.\d|status=(?:bounced|deferred|expired)|SSL|TLS|ertificate|reject|"
    rb"said: [45]|LED=|PIX|error|postmap|STARTTLS|Event ID|12014"
)


def telling_lines(name: str, file: BinaryIO, tell: Tell | None = None) -> Page:
    """The lines of a large text that could matter, at most the first 40 000 of them."""
    lines: list[str] = []
    numbers: list[int] = []
    number = 0
    for octets in _blocks_of_lines(file):
        for line in octets.split(b"\n")[:-1]:
            number += 1
            if len(lines) < _MOST_LINES and len(line) < _LONGEST_LINE and _INTERESTING.search(line):
                lines.append(line.decode("utf-8", "replace").replace("\0", "").rstrip("\r"))
                numbers.append(number)
        if tell:
            tell(file.tell(), number)
    return Page(name, lines, numbers)


def _blocks_of_lines(file: BinaryIO) -> Iterator[bytes]:
    """Whole lines, a block at a time, in UTF-8. A line that never ends is cut, and the holes of a sparse file are gone
    over, so that neither memory nor time depend on what a file claims to be."""
    decoder = wide_decoder(file.read(400))
    file.seek(0)
    rest = b""
    while octets := file.read(_BLOCK):
        if not octets.strip(b"\0"):
            if not _found_data_after(file):
                break
            continue
        if decoder:
            octets = decoder.decode(octets).encode("utf-8", "replace")
        whole, newline, after = octets.rpartition(b"\n")
        if newline:
            yield rest + whole + newline
            rest = after
        else:
            rest = (rest + after)[:_LONGEST_LINE]
    if rest:
        yield rest + b"\n"


def _found_data_after(file: BinaryIO) -> bool:
    """Go to where the file next holds anything; False at its end."""
    try:
        file.seek(file.tell(), os.SEEK_DATA)
    except OSError as error:
        return error.errno != errno.ENXIO
    return True


def wide_decoder(head: bytes) -> codecs.IncrementalDecoder | None:
    """For a text in UTF-16, with or without a mark; None for any other."""
    encoding = utf_16_of(head)
    return codecs.getincrementaldecoder(encoding)("replace") if encoding else None


def utf_16_of(head: bytes) -> str:
    """Which UTF-16 a text that begins so is in; empty for none."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if head[:400].count(b"\x00") > len(head[:400]) // 3 and head[:400].strip(b"\x00"):
        return "utf-16-le" if head[1:2] == b"\x00" else "utf-16-be"
    return ""


def survey(name: str, path: Path, tell: Tell | None = None) -> tuple[Survey, Page]:
    """A large protocol log: how many sessions of each kind, and the page of those to read."""
    found = Survey(name)
    with path.open("rb") as file:
        found.go_through(file, tell)
        return found, found.sample_page(file)
