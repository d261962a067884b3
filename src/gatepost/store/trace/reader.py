"""The traces of all workers, read together while they are written.

What flows through: a `Wanted` in; its rows come out of each file, the newest first, and are merged by time. Where the
outcome of one was open when it was written, the events that followed say what became of it; those may stand in any file
of its day or a later one.

Laws: no more rows are read than the page needs, as far as terms and words lead to them; a file that is damaged, or was
removed a moment ago, is left out.
"""

import json
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from heapq import merge
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from gatepost.mail.session_id import time_of
from gatepost.store.trace import rows, terms
from gatepost.store.trace.conditions import Conditions, conditions_of
from gatepost.store.trace.day_file import (
    DAY_S,
    LAST_NUMBER,
    NUMBERS_PER_MS,
    DamagedFile,
    DayFile,
    day_of,
    files_in,
    open_to_read,
    reporting,
)
from gatepost.store.trace.summary import Question
from gatepost.store.trace.words import KnownWords
from gatepost.trace.search import BadPosition, Found, Wanted
from gatepost.trace.story import FINAL, OPEN, Event, Item, QueuePlace, Received, events_of, item_of

_AT_ONCE: Final = 100
"""Rows whose later events are looked for together."""
_LONGEST_SESSION_S: Final = DAY_S
_CLOCK_STEPS_S: Final = 3600.0


class _Row(NamedTuple):
    """Of a file: in this order rows are merged."""

    number: int
    file: str
    received: Received


class _Place(NamedTuple):
    """Where a page ended."""

    day: date
    number: int
    file: str


class SqliteTraceReader:
    """`TraceReader` over the files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def search(self, wanted: Wanted, limit: int, after: str | None = None) -> Found:
        place = _place_in(after) if after else None
        found: list[tuple[_Place, Item]] = []
        with closing(_Files(self._folder)) as files, closing(self._rows(files, wanted, place)) as rows_found:
            while len(found) <= limit and (chunk := list(islice(rows_found, min(limit + 1, _AT_ONCE)))):
                items = files.items([row.received for _, row in chunk])
                found += [
                    (_Place(day, row.number, row.file), item)
                    for (day, row), item in zip(chunk, items, strict=True)
                    if wanted.outcomes is None or item.outcome in wanted.outcomes
                ]
            damaged = files.damaged
        next_page = _text_of(found[limit - 1][0]) if len(found) > limit > 0 else None
        return Found([item for _, item in found[:limit]], next_page, damaged)

    def with_events(self, items: Sequence[Item]) -> Sequence[Item]:
        with closing(_Files(self._folder)) as files:
            return files.items([item.received for item in items], every=True)

    def oldest(self) -> float | None:
        return next((file.began_at for file in files_in(self._folder)), None)

    def _rows(self, files: "_Files", wanted: Wanted, after: _Place | None) -> Generator[tuple[date, _Row]]:
        """What the wanted rows are, but for outcomes that were open, the newest first."""
        first, last = _days(wanted)
        if after is not None and (last is None or after.day < last):
            last = after.day
        question = Question(wanted)
        by_day = groupby(reversed(files.all), key=lambda file: file.day)
        for day, of_day in by_day:
            if (first and day < first) or (last and day > last):
                continue
            readings = [files.rows(file, wanted, after) for file in of_day if question.may_be_in(file)]
            for row in merge(*readings, key=lambda row: (row.number, row.file), reverse=True):
                yield day, row


def _days(wanted: Wanted) -> tuple[date | None, date | None]:
    since, until = wanted.since, wanted.until
    if wanted.session_id is not None:
        try:
            began = time_of(wanted.session_id).timestamp()
            since = max(since or 0.0, began - _CLOCK_STEPS_S)
            until = min(until or began + _LONGEST_SESSION_S, began + _LONGEST_SESSION_S)
        except (ValueError, OverflowError):
            # At either end of the calendar nothing was ever kept.
            return date.max, None
    try:
        return (day_of(since) if since is not None else None), (day_of(until) if until is not None else None)
    except (ValueError, OverflowError, OSError):
        return date.max, None


class _Files:
    """The files as they were when the search began, each opened when it is needed."""

    def __init__(self, folder: Path) -> None:
        self.all = files_in(folder)
        self.damaged: list[str] = []
        self._readings: dict[DayFile, _Reading | None] = {}

    def close(self) -> None:
        for reading in self._readings.values():
            if reading is not None:
                reading.close()

    def _reading(self, file: DayFile) -> "_Reading | None":
        if file not in self._readings:
            self._readings[file] = None
            try:
                self._readings[file] = _Reading(file)
            except DamagedFile as error:
                self.damaged.append(str(error))
            except FileNotFoundError:
                pass
            except OSError as error:
                self.damaged.append(f"{error}; its day is incomplete; try again, and check the disk")
        return self._readings[file]

    def rows(self, file: DayFile, wanted: Wanted, after: _Place | None) -> Iterator[_Row]:
        reading = self._reading(file)
        if reading is None:
            return
        try:
            yield from reading.rows(wanted, after)
        except (DamagedFile, OSError) as error:
            self._give_up(file, error)

    def _give_up(self, file: DayFile, error: Exception) -> None:
        if reading := self._readings.get(file):
            self._readings[file] = None
            reading.close()
            self.damaged.append(str(error))

    def items(self, received: Sequence[Received], *, every: bool = False) -> list[Item]:
        """With where they stand; with `every` event, or what decides."""
        open_ = [each for each in received if each.place is not None and (every or each.outcome in OPEN)]
        later = self._later(open_, every=every) if open_ else {}
        followed = [(each, later.get(each.place, ()) if each.place else ()) for each in received]
        items = [item_of(each, events) for each, events in followed]
        if not every:
            return items
        return [replace(item, events=events_of(*each)) for item, each in zip(items, followed, strict=True)]

    def _later(self, received: Sequence[Received], *, every: bool) -> Mapping[QueuePlace, Sequence[Event]]:
        """The events of these, in order. What is done with is not looked for in the files after it."""
        found: dict[QueuePlace, list[Event]] = {}
        waiting = {each.place: each.at for each in received if each.place is not None}
        earliest = day_of(min(waiting.values()))
        for _, of_day in groupby((file for file in self.all if file.day >= earliest), key=lambda file: file.day):
            for file in of_day:
                for place, event in self._events(file, waiting):
                    # A queue that was made anew gives numbers again.
                    if event.at >= waiting[place] - 1.0:
                        found.setdefault(place, []).append(event)
            if not every:
                waiting = {place: at for place, at in waiting.items() if not _is_final(found.get(place, ()))}
            if not waiting:
                break
        return {place: sorted(events, key=lambda event: event.at) for place, events in found.items()}

    def _events(self, file: DayFile, places: Mapping[QueuePlace, float]) -> Sequence[tuple[QueuePlace, Event]]:
        reading = self._reading(file)
        if reading is None:
            return ()
        try:
            return reading.events(places)
        except (DamagedFile, OSError) as error:
            self._give_up(file, error)
            return ()


def _is_final(events: Iterable[Event]) -> bool:
    return any(event.what in FINAL for event in events)


class _Reading:
    """One file. Its methods raise `DamagedFile`, `OSError`."""

    def __init__(self, file: DayFile) -> None:
        self._file = file
        self._connection = open_to_read(file)
        self._words = KnownWords(self._connection)
        with reporting(file):
            segments = self._connection.execute("SELECT number, last FROM segment ORDER BY number DESC").fetchall()
        self._segments: list[int] = [number for number, _ in segments if number != terms.ENDS]
        self._knows_ends = len(segments) > len(self._segments)
        self._indexed: int = segments[0][1] if segments else -1

    def close(self) -> None:
        self._connection.close()

    def rows(self, wanted: Wanted, after: _Place | None) -> Iterator[_Row]:
        with reporting(self._file):
            conditions = conditions_of(wanted, self._words, self._file.share, knows_ends=self._knows_ends)
            if conditions is None:
                return
            first, last = self._numbers(wanted, after)
            # Files of two shares have the same name, and their rows may have the same number.
            began_at, name = self._file.began_at, f"{self._file.share}/{self._file.path.name}"
            for row in self._selected(conditions, first, last):
                found = _Row(row[0], name, rows.received_from(row, began_at, self._words))
                if after is None or (self._file.day, found.number, found.file) < (after.day, after.number, after.file):
                    yield found

    def _numbers(self, wanted: Wanted, after: _Place | None) -> tuple[int, int]:
        first, last = 0, LAST_NUMBER
        if wanted.since is not None:
            first = max(first, int((wanted.since - self._file.began_at) * 1000) * NUMBERS_PER_MS)
        if wanted.until is not None:
            millisecond = int((wanted.until - self._file.began_at) * 1000)
            last = min(last, (millisecond + 1) * NUMBERS_PER_MS - 1)
        if after is not None and after.day == self._file.day:
            last = min(last, after.number)
        return first, last

    def _selected(self, conditions: Conditions, first: int, last: int) -> Iterator[tuple[Any, ...]]:
        """The newest first."""
        where, parameters = conditions.where, {**conditions.parameters, "last": last}
        not_indexed = max(first, self._indexed + 1) if conditions.terms else first
        if not_indexed <= last:
            newest = f"number BETWEEN :first AND :last AND {where}"
            yield from self._connection.execute(
                f"SELECT * FROM recipient WHERE {newest} UNION ALL SELECT * FROM fresh AS recipient WHERE {newest}"
                " ORDER BY number DESC",
                {**parameters, "first": not_indexed},
            )
        if not conditions.terms:
            return
        statement = (
            "SELECT * FROM recipient WHERE number IN ("
            "SELECT recipient FROM term WHERE segment = :segment AND value IN (SELECT value FROM json_each(:terms))"
            f" AND recipient BETWEEN :first AND :last) AND {where} ORDER BY number DESC"
        )
        parameters |= {"first": first, "terms": json.dumps(conditions.terms)}
        for segment in [terms.ENDS] if conditions.by_ends else self._segments:
            yield from self._connection.execute(statement, {**parameters, "segment": segment})

    def events(self, places: Mapping[QueuePlace, float]) -> Sequence[tuple[QueuePlace, Event]]:
        wanted = [rows.queue_and_place(place)[1] for place in places]
        with reporting(self._file):
            found = self._connection.execute(
                "SELECT * FROM event WHERE place IN (SELECT value FROM json_each(?))", (json.dumps(wanted),)
            )
            events = [rows.event_from(row, self._file.began_at, self._words) for row in found]
        return [(place, event) for place, event in events if place in places]


def _text_of(place: _Place) -> str:
    return f"{place.day:%Y%m%d}.{place.number}.{place.file}"


def _place_in(text: str) -> _Place:
    day, _, rest = text.partition(".")
    number, _, file = rest.partition(".")
    try:
        return _Place(date(int(day[:4]), int(day[4:6]), int(day[6:])), int(number), file)
    except ValueError:
        raise BadPosition(text) from None
