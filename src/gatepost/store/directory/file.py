"""The directory file: opening it, knowing its version, and saying plainly what is wrong with it.

One SQLite file in WAL mode: workers read while an administrator writes, and neither waits for the other.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gatepost.queue.store import StoreDamaged, StoreError, StoreUnavailable
from gatepost.store.connection import closed_on_error
from gatepost.store.schema import bring_up_to_date, format_of, is_empty

# "GPdi": tells our file from any other SQLite file.
APPLICATION_ID = 0x47506469
SCHEMA_VERSION = 8

_UNUSABLE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. Raises `StoreError`."""
    if not path.exists():
        raise StoreUnavailable(f"there is no directory file {path}; create it with: gatepost init")
    with (
        reporting(path),
        closed_on_error(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        ) as connection,
    ):
        _check(connection, path)
        return connection


def open_to_change(path: Path, patience_s: float) -> sqlite3.Connection:
    """A connection that waits `patience_s` for other writers. The file is created when missing."""
    if not path.parent.is_dir():
        raise StoreUnavailable(f"there is no data folder {path.parent}; create it with: gatepost init")
    if not path.exists():
        # SQLite would make it readable for everybody, whatever it holds. Where this fails, SQLite says why.
        with suppress(OSError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640))
    with (
        reporting(path),
        closed_on_error(sqlite3.connect(path, timeout=patience_s, isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if is_empty(connection):
            connection.execute("PRAGMA journal_mode = WAL")
        else:
            _check(connection, path)
        bring_up_to_date(connection, "gatepost.store.directory", SCHEMA_VERSION, APPLICATION_ID)
        return connection


@contextmanager
def reporting(path: Path) -> Iterator[None]:
    """SQLite's complaints become one line: what, where, and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise _store_error(path, error) from error


def _store_error(path: Path, error: sqlite3.Error) -> StoreError:
    # The low octet is the primary code, the rest tells the kind (SQLite "Result and Error Codes" 2).
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _UNUSABLE:
        return StoreDamaged(f"the directory file {path} is damaged ({error}); restore it from a backup")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreUnavailable(f"the directory file {path} is being changed by another process; try again")
    if code == sqlite3.SQLITE_FULL:
        return StoreUnavailable(f"the disk of {path} is full; make room and try again")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return StoreUnavailable(f"the directory file {path} cannot be opened for this ({error}); check its permissions")
    return StoreUnavailable(f"the directory file {path}: {error}")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    schema = format_of(connection)
    if application != APPLICATION_ID:
        raise StoreDamaged(f"{path} is not a Gatepost directory file; move it away or correct 'data' in gatepost.toml")
    if schema > SCHEMA_VERSION:
        raise StoreDamaged(
            f"the directory file {path} was written by a newer Gatepost (schema {schema}, this one knows "
            f"{SCHEMA_VERSION}); update Gatepost"
        )
