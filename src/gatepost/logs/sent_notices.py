"""Which notices were sent: one SQLite file of the data folder."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from gatepost.queue.store import StoreUnavailable

Key = tuple[str, str, str, str, int]

_KEPT: Final = timedelta(days=400)
"""Longer than any certificate lives."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS told (
  tenant TEXT NOT NULL,
  code TEXT NOT NULL,
  connector TEXT NOT NULL,
  subject TEXT NOT NULL,
  stage INTEGER NOT NULL,             -- days; 0: a prospect without a date
  at REAL NOT NULL,
  PRIMARY KEY (tenant, code, connector, subject, stage)
) STRICT, WITHOUT ROWID
"""


class SentNotices:
    """Every method raises `StoreUnavailable` where the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> frozenset[Key]:
        return frozenset(self._do("SELECT tenant, code, connector, subject, stage FROM told"))

    def remember(self, keys: Iterable[Key], at: datetime) -> None:
        self._do("DELETE FROM told WHERE at < ?", ((at - _KEPT).timestamp(),))
        for key in keys:
            self._do("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?, ?, ?)", (*key, at.timestamp()))

    def remember_new(self, key: Key, at: datetime) -> bool:
        """Whether it was not remembered before: of several workers that ask, one gets yes."""
        return bool(
            self._do("INSERT OR IGNORE INTO told VALUES (?, ?, ?, ?, ?, ?) RETURNING 1", (*key, at.timestamp()))
        )

    def _do(self, statement: str, values: tuple[object, ...] = ()) -> list[Key]:
        try:
            connection = sqlite3.connect(self._path)
            try:
                connection.execute(_SCHEMA)
                with connection:
                    return connection.execute(statement, values).fetchall()
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self._path}: {error}; notices wait until it can be used") from error
