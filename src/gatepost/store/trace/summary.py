"""What a finished file of the trace certainly does not hold, beside it: `<file>.summary`.

Most files of 90 days hold nothing of what is looked for, and opening each to find that out is most of a search. A
summary is a set of bits: each thing that rows are found by has two of them (a Bloom filter), so that one that is
missing says no, and both say perhaps. A few octets of it are read for a question, whatever the size of the file.

Laws: a summary that is missing, damaged or not of this file says "perhaps" to everything, and so does each while its
file is open to be written; it is gone before its file is written to again.
"""

import os
import sqlite3
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final
from zlib import crc32

from gatepost.store.trace import terms
from gatepost.store.trace.day_file import DayFile
from gatepost.store.trace.words import Kind, certificate_from
from gatepost.trace.search import Wanted
from gatepost.trace.story import Outcome

_MAGIC: Final = b"GPtrsum1"
_HEAD: Final = struct.Struct("<8sQQ")
"""Magic, size of the file that this is of, number of bits."""
_BITS_EACH: Final = 12
"""With two bits each, 2 % of what is not there looks as if it were."""
_MIXES: Final = 0x9E3779B1
_FILTERED: Final = (Kind.TENANT, Kind.ADDRESS, Kind.REASON, Kind.DOMAIN, Kind.CERTIFICATE)

_TERMS: Final = f"SELECT value FROM term WHERE value & 7 IN ({', '.join(map(str, terms.SUMMARISED))})"
_WORDS: Final = f"SELECT kind, text FROM word WHERE kind IN ({', '.join(str(int(kind)) for kind in _FILTERED)})"


def write(file: DayFile, connection: sqlite3.Connection) -> None:
    """Of a file that is finished. Raises `OSError`, `sqlite3.Error`; none is there then."""
    count = connection.execute(f"SELECT count(*) FROM ({_TERMS})").fetchone()[0]
    words = list(_of_words(connection.execute(_WORDS)))
    bits = max(8, _BITS_EACH * (count + len(words)))
    octets = bytearray(bits // 8 + 1)
    for things in ((value for (value,) in connection.execute(_TERMS)), words):
        for thing in things:
            first, second = thing % bits, (thing * _MIXES & 0xFFFFFFFF) % bits
            octets[first >> 3] |= 1 << (first & 7)
            octets[second >> 3] |= 1 << (second & 7)
    try:
        file.new_summary.write_bytes(_HEAD.pack(_MAGIC, file.path.stat().st_size, bits) + octets)
        file.new_summary.replace(file.summary)
    except OSError:
        remove(file)
        raise


def remove(file: DayFile) -> None:
    """With what a crash left of one that was being written."""
    file.summary.unlink(missing_ok=True)
    file.new_summary.unlink(missing_ok=True)


class Question:
    """What is wanted, as it is asked of summaries: of each group one thing at least must be there."""

    def __init__(self, wanted: Wanted) -> None:
        self._groups = [group for group in _asked(wanted) if group]

    def may_be_in(self, file: DayFile) -> bool:
        if not self._groups:
            return True
        try:
            descriptor = os.open(file.summary, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return True
        with suppress(OSError, struct.error, IndexError):
            try:
                return file.is_open or self._may_be_in(descriptor, file.path.stat().st_size)
            finally:
                os.close(descriptor)
        return True

    def _may_be_in(self, descriptor: int, size: int) -> bool:
        magic, of_size, bits = _HEAD.unpack(os.pread(descriptor, _HEAD.size, 0))
        if magic != _MAGIC or of_size != size or bits == 0:
            return True
        return all(any(_is_set(descriptor, thing, bits) for thing in group) for group in self._groups)


def _is_set(descriptor: int, thing: int, bits: int) -> bool:
    for bit in (thing % bits, (thing * _MIXES & 0xFFFFFFFF) % bits):
        if not os.pread(descriptor, 1, _HEAD.size + (bit >> 3))[0] >> (bit & 7) & 1:
            return False
    return True


def _asked(wanted: Wanted) -> Iterator[list[int]]:
    if wanted.queue_id is not None:
        yield [terms.of_message(int(wanted.queue_id.rpartition("-")[2]))]
    for text, term_of in (
        (wanted.message_id, terms.of_message_id),
        (wanted.mail_from, terms.of_sender),
        (wanted.rcpt_to, terms.of_recipient),
    ):
        if text is not None:
            yield [term_of(text)]
    for text, kind in (
        (wanted.tenant, Kind.TENANT),
        (wanted.address, Kind.ADDRESS),
        (wanted.reason, Kind.REASON),
        (wanted.domain, Kind.DOMAIN),
        (wanted.certificate, Kind.CERTIFICATE),
    ):
        if text is not None:
            yield [_of_text(kind, text)]
    if wanted.outcomes is not None and Outcome.DELIVERED not in wanted.outcomes:
        yield terms.of_ends(wanted.outcomes)


def _of_words(rows: Iterable[tuple[int, str]]) -> Iterator[int]:
    for kind, text in rows:
        if kind != Kind.CERTIFICATE:
            yield _of_text(kind, text)
        elif certificate := certificate_from(text):
            for each in (certificate.sha256, certificate.public_key_sha256, *certificate.names):
                yield _of_text(kind, each.lower())


def _of_text(kind: int, text: str) -> int:
    return crc32(f"{int(kind)} {text}".encode("utf-8", "surrogatepass"))
