"""Alarms in a SQLite file of the data folder, with what is still to be told, by channel.

The process of the alarms writes alarms and posts what is for the webhook; a worker takes what is for the mail. Laws:
an alarm and what is to be told of it are written in one transaction; of one alarm a channel is told the newest state
only, so that whoever was away for long is not told everything that happened meanwhile, and the file is bounded; what
was told is removed once it was told, so that a crash in between tells it twice rather than never.
"""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from gatepost.alarm.alarms import Alarm, AlarmState
from gatepost.alarm.told import Told
from gatepost.queue.store import StoreUnavailable
from gatepost.store.connection import connect

Channel = Literal["webhook", "mail"]

_PATIENCE_S: Final = 5.0
_FIRST_PAUSE_S: Final = 10.0
_LONGEST_PAUSE_S: Final = 3600.0
_LONGEST_PROBLEM: Final = 500

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS alarm (
  code TEXT NOT NULL,
  about TEXT NOT NULL,
  state TEXT NOT NULL,
  since REAL NOT NULL,
  seen_at REAL NOT NULL,
  told_at REAL NOT NULL,
  says TEXT NOT NULL,
  do TEXT NOT NULL,
  PRIMARY KEY (code, about)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notification (
  channel TEXT NOT NULL,
  code TEXT NOT NULL,
  about TEXT NOT NULL,
  id TEXT NOT NULL,
  state TEXT NOT NULL,
  since REAL NOT NULL,
  at REAL NOT NULL,
  says TEXT NOT NULL,
  do TEXT NOT NULL,
  is_reminder INTEGER NOT NULL,
  PRIMARY KEY (channel, code, about)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS channel (
  name TEXT PRIMARY KEY,
  failures INTEGER NOT NULL,          -- since it was last told something
  next_at REAL NOT NULL,              -- when the next attempt is due
  problem TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""
_ALARM: Final = "code, about, state, since, seen_at, told_at, says, do"
_TOLD: Final = "code, about, id, state, since, at, says, do, is_reminder"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    failures: int = 0
    next_at: float = 0.0
    problem: str = ""


class SqliteAlarms:
    """Every method raises `StoreUnavailable` where the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def alarms(self) -> list[Alarm]:
        """The oldest first."""
        with self._open() as connection:
            rows = connection.execute(f"SELECT {_ALARM} FROM alarm ORDER BY since, code, about").fetchall()
        return [_alarm(row) for row in rows]

    def keep(self, alarms: Sequence[Alarm], told: Sequence[Told], channels: Sequence[Channel]) -> None:
        """All alarms as they are now, and what is to be told by each channel."""
        with self._open() as connection, _at_once(connection):
            connection.execute("DELETE FROM alarm")
            connection.executemany(
                f"INSERT INTO alarm ({_ALARM}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(a.code, a.about, a.state, a.since, a.seen_at, a.told_at, a.says, a.do) for a in alarms],
            )
            for each in told:
                for channel in channels:
                    _insert(connection, channel, each)
            # What a channel had that is configured no more would wait for ever.
            names = ", ".join("?" * len(channels))
            connection.execute(f"DELETE FROM notification WHERE channel NOT IN ({names})", tuple(channels))

    def add(self, channel: Channel, told: Told) -> None:
        with self._open() as connection, _at_once(connection):
            _insert(connection, channel, told)

    def waiting(self, channel: Channel) -> list[Told]:
        """What is to be told, the oldest first."""
        with self._open() as connection:
            rows = connection.execute(
                f"SELECT {_TOLD} FROM notification WHERE channel = ? ORDER BY at, code, about", (channel,)
            ).fetchall()
        return [_told(row) for row in rows]

    def was_told(self, channel: Channel, told: Sequence[Told], next_at: float = 0.0) -> None:
        """Newer states of the same alarms stay. Nothing more is to be told before `next_at`."""
        with self._open() as connection, _at_once(connection):
            _remove(connection, channel, [each.id for each in told])
            _put_channel(connection, channel, ChannelState(next_at=next_at))

    def remove(self, channel: Channel, ids: Collection[str]) -> None:
        """What was told while that could not be written down; the channel's pause stays as it is."""
        with self._open() as connection, _at_once(connection):
            _remove(connection, channel, ids)

    def was_not_told(self, channel: Channel, problem: str, now: float) -> ChannelState:
        """It is tried again after a pause that grows."""
        with self._open() as connection, _at_once(connection):
            failures = _channel(connection, channel).failures + 1
            pause = min(_FIRST_PAUSE_S * 2.0 ** min(failures - 1, 20), _LONGEST_PAUSE_S)
            state = ChannelState(failures=failures, next_at=now + pause, problem=problem[:_LONGEST_PROBLEM])
            _put_channel(connection, channel, state)
        return state

    def channel(self, channel: Channel) -> ChannelState:
        with self._open() as connection:
            return _channel(connection, channel)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(connect(self._path, "rwc", _PATIENCE_S)) as connection:
                connection.executescript(_SCHEMA)
                yield connection
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self._path}: {error}; alarms wait until it can be used") from error


@contextmanager
def _at_once(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        yield


def _insert(connection: sqlite3.Connection, channel: Channel, told: Told) -> None:
    connection.execute(
        f"INSERT OR REPLACE INTO notification (channel, {_TOLD}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            channel,
            told.code,
            told.about,
            told.id,
            told.state,
            told.since,
            told.at,
            told.says,
            told.do,
            told.is_reminder,
        ),
    )


def _remove(connection: sqlite3.Connection, channel: Channel, ids: Collection[str]) -> None:
    connection.executemany("DELETE FROM notification WHERE channel = ? AND id = ?", [(channel, each) for each in ids])


def _channel(connection: sqlite3.Connection, channel: Channel) -> ChannelState:
    row = connection.execute("SELECT failures, next_at, problem FROM channel WHERE name = ?", (channel,)).fetchone()
    return ChannelState(failures=row[0], next_at=row[1], problem=row[2]) if row else ChannelState()


def _put_channel(connection: sqlite3.Connection, channel: Channel, state: ChannelState) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO channel VALUES (?, ?, ?, ?)", (channel, state.failures, state.next_at, state.problem)
    )


def _alarm(row: tuple[str, str, str, float, float, float, str, str]) -> Alarm:
    code, about, state, since, seen_at, told_at, says, do = row
    return Alarm(
        code=code,
        about=about,
        state=AlarmState(state),
        since=since,
        seen_at=seen_at,
        told_at=told_at,
        says=says,
        do=do,
    )


def _told(row: tuple[str, str, str, str, float, float, str, str, int]) -> Told:
    code, about, id, state, since, at, says, do, is_reminder = row
    return Told(
        id=id,
        state=state,
        code=code,
        about=about,
        since=since,
        at=at,
        says=says,
        do=do,
        is_reminder=bool(is_reminder),
    )
