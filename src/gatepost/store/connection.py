"""A connection to one SQLite file, as every file of the store is opened: autocommit, by URI, for whichever thread."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def connect(file: Path, mode: str, patience_s: float) -> sqlite3.Connection:
    """`mode` as in https://www.sqlite.org/uri.html 3.1, with what may follow it; `patience_s` is for others' locks."""
    return sqlite3.connect(
        f"{file.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=patience_s,
    )


@contextmanager
def closed_on_error(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    except BaseException:
        connection.close()
        raise
