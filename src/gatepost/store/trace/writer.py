"""One worker's trace, as it is written: rows at the end of the day's file, and now and then what they are found by.

What flows through: `Received` and `LaterEvent` in, each in the file of its day and share. Laws: a row is written once;
a day goes as a whole, when it is too old, or the oldest of the share that is furthest beyond its part; the day that is
being written stays, and takes no more rows while its share has no room at all.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from gatepost.store.connection import closed_on_error
from gatepost.store.trace import summary, terms
from gatepost.store.trace.day_file import (
    DAY_S,
    LAST_NUMBER,
    NUMBERS_PER_MS,
    DamagedFile,
    DayFile,
    day_file,
    day_of,
    files_in,
    open_to_write,
    reporting,
)
from gatepost.store.trace.rows import INSERT_EVENT, RECIPIENT_COLUMNS, Row, event_row, recipient_row
from gatepost.store.trace.words import NewWords
from gatepost.trace.search import SHARES, Share
from gatepost.trace.story import LaterEvent, QueuePlace, Received

_INSERT: Final = f"INSERT INTO {{}} VALUES ({', '.join('?' * RECIPIENT_COLUMNS)})"

_SEGMENT: Final = 8192
"""Rows that are read one by one where the newest are looked through."""
_SETTLED_S: Final = 70.0
"""Rows come in the order of their times, within so much: what is fresh is written again after a minute at most."""
_TIDY_EVERY_S: Final = 600.0
_MOST_OPEN: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """0 means no limit."""

    max_age_s: float
    max_octets: int


class SqliteTraceWriter:
    """`TraceWriter` of one worker."""

    def __init__(
        self,
        folder: Path,
        worker: int,
        retention: Retention,
        clock: Callable[[], float] = time.time,
        report: Callable[[str], None] = lambda problem: None,
        segment: int = _SEGMENT,
    ) -> None:
        self._folder = folder
        self._worker = worker
        self._retention = retention
        self._clock = clock
        self._report = report
        self._segment = segment
        self._open: dict[tuple[Share, date], _Writing] = {}
        self._full: set[Share] = set()
        self._tried: set[Path] = set()
        """Files of days before that were finished, or cannot be."""
        self._tidied_at = 0.0

    def write(
        self,
        share: Share,
        received: Sequence[Received],
        later: Sequence[LaterEvent] = (),
        fresh: Sequence[Received] = (),
    ) -> None:
        """Raises `OSError`."""
        now = self._clock()
        if not self._tidied_at <= now < self._tidied_at + _TIDY_EVERY_S:
            self._tidied_at = now
            self._tidy(now)
        if share in self._full:
            # Of those who wrote so much; what others have is written all the same.
            return
        days: dict[date, _Rows] = {}
        for each in received:
            _of_day(days, each.at).received.append(each)
        for each in fresh:
            _of_day(days, each.at).fresh.append(each)
        for event in later:
            _of_day(days, event.event.at).later.append(event)
        for day, rows in days.items():
            self._write_day(share, day, rows)

    def close(self) -> None:
        for writing in self._open.values():
            writing.close()
        self._open.clear()

    def _write_day(self, share: Share, day: date, rows: "_Rows") -> None:
        try:
            self._file(share, day).write(rows)
        except DamagedFile as error:
            self._report(f"{error}; the trace goes on in another file")
            self._let_go(share, day)
            self._write_anew(share, day, rows)
        except OSError:
            self._let_go(share, day)
            raise

    def _write_anew(self, share: Share, day: date, rows: "_Rows") -> None:
        try:
            self._file(share, day, after_damage=True).write(rows)
        except (DamagedFile, OSError) as error:
            self._let_go(share, day)
            raise OSError(str(error)) from error

    def _file(self, share: Share, day: date, *, after_damage: bool = False) -> "_Writing":
        writing = self._open.get((share, day))
        if writing is None:
            if len(self._open) >= _MOST_OPEN:
                self._let_go(*min(self._open, key=lambda each: each[1]))
            writing = self._open[share, day] = self._opened(share, day, after_damage=after_damage)
        return writing

    def _opened(self, share: Share, day: date, *, after_damage: bool) -> "_Writing":
        mine = [
            file.number
            for file in files_in(self._folder)
            if (file.share, file.day, file.worker) == (share, day, self._worker)
        ]
        number = max(mine, default=1)
        if not after_damage:
            with suppress(DamagedFile):
                return _Writing(day_file(self._folder, share, day, self._worker, number), self._segment)
        return _Writing(day_file(self._folder, share, day, self._worker, number + 1), self._segment)

    def _let_go(self, share: Share, day: date) -> None:
        if writing := self._open.pop((share, day), None):
            writing.close()

    # --- old days ---------------------------------------------------------------------------------------------------

    def _tidy(self, now: float) -> None:
        today = day_of(now)
        left = [file for file in files_in(self._folder) if self._is_left_over(file, today)]
        for share, day in [each for each in self._open if each[1] < today]:
            if now > self._open[share, day].file.began_at + DAY_S + _TIDY_EVERY_S:
                # What cannot be finished now, because somebody reads it or the disk is full, is left over next time.
                with suppress(DamagedFile, OSError):
                    self._open[share, day].finish()
                self._let_go(share, day)
        for file in left:
            if file.is_open:
                self._finish(file)
        self._summarise_one(left)
        full = remove_old(self._folder, self._retention, today, now)
        for share in full - self._full:
            self._report(
                f"trace {self._folder / share}: today alone has all the octets that {share} may have; their trace goes "
                "on when there is room; mail continues; raise max_folder_size in [trace]"
            )
        self._full = full

    def _is_left_over(self, file: DayFile, today: date) -> bool:
        """This worker ended before it could finish the file."""
        mine = file.worker == self._worker and (file.share, file.day) not in self._open
        return mine and file.day < today and not file.summary.exists()

    def _summarise_one(self, left: Sequence[DayFile]) -> None:
        """The newest: many may be left by an earlier version, and new rows are not to wait for all of them."""
        for file in reversed(left):
            if file.path not in self._tried:
                self._tried.add(file.path)
                self._finish(file)
                return

    def _finish(self, file: DayFile) -> None:
        with suppress(DamagedFile, OSError), closing(_Writing(file, self._segment)) as writing:
            writing.finish()


class _Rows(NamedTuple):
    """For one file."""

    received: list[Received]
    later: list[LaterEvent]
    fresh: list[Received]


def _of_day(days: dict[date, _Rows], at: float) -> _Rows:
    return days.setdefault(day_of(at), _Rows([], [], []))


class _Writing:
    """A file that is written. Its methods raise `DamagedFile`, `OSError`."""

    def __init__(self, file: DayFile, segment: int) -> None:
        self.file = file
        self._began_at = file.began_at
        # It would say no to what is written now.
        summary.remove(file)
        self._connection = open_to_write(file)
        self._segment_length = segment
        self._fresh: dict[QueuePlace, int] = {}
        """Numbers of rows that are to be written again."""
        with reporting(file), closed_on_error(self._connection):
            self._words = NewWords(self._connection)
            terms.reopen(self._connection)
            self._segment, self._indexed = self._connection.execute(
                "SELECT ifnull(max(number), 0), ifnull(max(last), -1) FROM segment"
            ).fetchone()
            # Of a worker that was killed, or closed the file.
            self._connection.executescript(
                "BEGIN IMMEDIATE; INSERT INTO recipient SELECT * FROM fresh; DELETE FROM fresh; COMMIT;"
            )
            self._recipients = _Numbers(self._connection, "recipient")
            self._events = _Numbers(self._connection, "event")
            self._not_indexed: int = self._connection.execute(
                "SELECT count(*) FROM recipient WHERE number > ?", (self._indexed,)
            ).fetchone()[0]

    def write(self, rows: _Rows) -> None:
        with reporting(self.file), self._transaction():
            self._write(rows)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        indexed = self._segment, self._indexed, self._not_indexed
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._words.forget()
            self._segment, self._indexed, self._not_indexed = indexed
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _write(self, rows: _Rows) -> None:
        numbered = [(self._fresh.pop(each.place, None) if each.place else None, each) for each in rows.received]
        settled = [(number,) for number, _ in numbered if number is not None]
        if settled:
            self._connection.executemany("DELETE FROM fresh WHERE number = ?", settled)
        self._connection.executemany(
            _INSERT.format("recipient"),
            [
                recipient_row(self._number(each) if number is None else number, each, self._words)
                for number, each in numbered
            ],
        )
        if rows.fresh:
            self._connection.executemany(_INSERT.format("fresh"), self._fresh_rows(rows.fresh))
        if rows.later:
            self._connection.executemany(INSERT_EVENT, self._event_rows(rows.later))
        self._not_indexed += len(numbered)
        if self._not_indexed >= self._segment_length:
            self._index(self._recipients.newest - round(_SETTLED_S * 1000) * NUMBERS_PER_MS)

    def _number(self, received: Received) -> int:
        return self._recipients.take(received.at - self._began_at, self._indexed)

    def _fresh_rows(self, fresh: Sequence[Received]) -> Iterator[Row]:
        for each in fresh:
            assert each.place is not None, "what was refused is settled"
            number = self._fresh[each.place] = self._number(each)
            yield recipient_row(number, each, self._words)

    def _event_rows(self, later: Sequence[LaterEvent]) -> list[Row]:
        return [event_row(self._events.take(each.event.at - self._began_at, -1), each, self._words) for each in later]

    def _index(self, last: int) -> None:
        self._not_indexed = 0
        if last > self._indexed:
            self._segment += 1
            terms.index(self._connection, self._segment, self._indexed + 1, last)
            self._indexed = last

    def finish(self) -> None:
        """Nothing more is written: all of it can be found by terms, and the file needs no log. It may be tried again
        after an error, which comes while somebody has the file open."""
        with reporting(self.file):
            with self._transaction():
                self._index(LAST_NUMBER)
                terms.index_ends(self._connection)
            # Else whoever reads it leaves an empty log beside it.
            self._connection.execute("PRAGMA journal_mode = DELETE")
        # Without a summary the file is searched, as on a disk that has no room for one.
        with suppress(OSError, sqlite3.Error):
            summary.write(self.file, self._connection)

    def close(self) -> None:
        self._connection.close()


class _Numbers:
    """Numbers of rows by their time of the day; those of one millisecond follow one another, into the next ones where
    there are more than fit."""

    def __init__(self, connection: sqlite3.Connection, table: str) -> None:
        newest: int = connection.execute(f"SELECT ifnull(max(number), -1) FROM {table}").fetchone()[0]
        self.newest = self._floor = newest
        self._next: dict[int, int] = {}
        """By millisecond, the number that is free."""

    def take(self, after_midnight_s: float, not_before: int) -> int:
        number = max(int(after_midnight_s * 1000) * NUMBERS_PER_MS, not_before + 1, self._floor + 1)
        while (free := self._next.get(number // NUMBERS_PER_MS, number)) // NUMBERS_PER_MS != number // NUMBERS_PER_MS:
            number = (number // NUMBERS_PER_MS + 1) * NUMBERS_PER_MS
        taken = max(free, number)
        self._next[number // NUMBERS_PER_MS] = taken + 1
        self.newest = max(self.newest, taken)
        if len(self._next) > 50_000:
            # What comes later than that by its own account is put behind it.
            self._floor = self.newest
            self._next.clear()
        return taken


def remove_old(folder: Path, retention: Retention, today: date, now: float) -> set[Share]:
    """Whole days that are too old; and while all together is too much, the oldest day of the share that is furthest
    beyond its part. Returns the shares that have no room although they hold nothing but today."""
    kept: dict[Share, list[DayFile]] = {share: [] for share in SHARES}
    for file in files_in(folder):
        if retention.max_age_s and file.began_at + DAY_S < now - retention.max_age_s:
            file.remove()
        else:
            kept[file.share].append(file)
    sizes = {file.path: file.size for files in kept.values() for file in files}
    full: set[Share] = set()
    while retention.max_octets and sum(sizes.values()) > retention.max_octets:
        over = {
            share: sum(sizes[file.path] for file in files) / SHARES[share]
            for share, files in kept.items()
            if files and share not in full
        }
        share = max(over, key=over.__getitem__, default=None)
        if share is None or over[share] <= retention.max_octets:
            break
        oldest = kept[share][0].day
        if oldest >= today:
            full.add(share)
            continue
        for file in [each for each in kept[share] if each.day == oldest]:
            file.remove()
            kept[share].remove(file)
            del sizes[file.path]
    return full
