"""Intermediates that verified chains have held, on disk: one SQLite file for all workers.

A new one is seen seldom, and written by the log writer's thread. Laws: no session waits for this; a file that cannot be
used costs hints, never mail; the file is bounded as `net.intermediates` bounds the memory.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from gatepost.logs.log_writer import BackgroundLog, LogWriter

_MOST_WAITING: Final = 1000
_MOST_STORED: Final = 16_384
_PATIENCE_S: Final = 5.0

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS intermediate (
  number INTEGER PRIMARY KEY,         -- grows: the oldest first
  scope TEXT NOT NULL,                -- empty: it verified against the shared roots; else whose anchors they were
  name TEXT NOT NULL,                 -- RFC 4514, case folded
  key_id BLOB NOT NULL,
  issuer TEXT NOT NULL,
  issuer_key_id BLOB NOT NULL,
  UNIQUE (scope, name, key_id, issuer, issuer_key_id)
) STRICT
"""


class Row(NamedTuple):
    scope: str
    name: str
    key_id: bytes
    issuer: str
    issuer_key_id: bytes


class IntermediateLog(BackgroundLog[Row]):
    """What one worker has learnt."""

    def __init__(self, path: Path, writer: LogWriter, bound: Callable[[Sequence[Row]], Sequence[Row]]) -> None:
        """`bound` says which of the stored ones stay."""
        super().__init__(writer, f"intermediates {path}", _MOST_WAITING)
        self._path = path
        self._bound = bound

    def _write(self, entries: Sequence[Row], now: float) -> None:
        try:
            with closing(sqlite3.connect(self._path, timeout=_PATIENCE_S)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(_SCHEMA)
                with connection:
                    insert = "INSERT INTO intermediate VALUES (NULL, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
                    connection.executemany(insert, entries)
                    self._tidy(connection)
        except sqlite3.Error as error:
            raise OSError(str(error)) from error

    def _tidy(self, connection: sqlite3.Connection) -> None:
        rows = _rows(connection)
        for gone in set(rows) - set(self._bound(rows)):
            where = "scope = ? AND name = ? AND key_id = ? AND issuer = ? AND issuer_key_id = ?"
            connection.execute(f"DELETE FROM intermediate WHERE {where}", gone)

    def close_file(self) -> None:
        """It is closed after each batch: seldom is there another."""


class StoredIntermediates:
    """To read while workers write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._seen: int | None = None

    def changed(self) -> list[Row] | None:
        """Every one, the oldest first, if there was a change since this was last asked; else None."""
        if self._connection is None and not self._path.exists():
            return None
        try:
            if self._connection is None:
                uri = f"{self._path.absolute().as_uri()}?mode=ro"
                self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
            seen = int(self._connection.execute("PRAGMA data_version").fetchone()[0])
            if seen == self._seen:
                return None
            rows = _rows(self._connection)
            self._seen = seen
            return rows
        except sqlite3.Error:
            self.close()
            return None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._seen = None


def _rows(connection: sqlite3.Connection) -> list[Row]:
    stored = "SELECT scope, name, key_id, issuer, issuer_key_id FROM intermediate ORDER BY number DESC LIMIT ?"
    return [Row(*each) for each in reversed(connection.execute(stored, (_MOST_STORED,)).fetchall())]
