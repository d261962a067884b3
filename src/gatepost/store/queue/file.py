"""Opening a queue file, and saying in one line what is wrong with one.

Laws: `synchronous` is per connection and builds differ in its default, so it is set every time. A file from a newer
Gatepost, or of another program, is never written to. One process at a time works a queue; operators' commands may
change it beside the worker, in short transactions.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeGuard

from gatepost.queue.store import StoreDamaged, StoreError, StoreInDoubt, StoreInUse, StoreUnavailable
from gatepost.store.connection import closed_on_error, connect
from gatepost.store.schema import bring_up_to_date, format_of, is_empty

# "GPqu": tells our file from any other SQLite file.
APPLICATION_ID: Final = 0x47507175
SCHEMA_VERSION: Final = 4

# 8 KiB pages cost less CPU for messages of a few KiB than 4 or 16 (measured with 10 KB contents in groups of 20).
PAGE_SIZE: Final = 8192

# 32 MiB of log between two checkpoints: most pages of a short-lived message are written over in the log before they
# are ever copied to the file.
PAGES_BETWEEN_CHECKPOINTS: Final = 4096

# Many times the largest transaction, so that no page is written twice within one.
CACHE_KIB: Final = 64 * 1024

# An operator's transaction lasts some milliseconds, a checkpoint at the end of his command perhaps seconds.
_PATIENCE_AT_START_S: Final = 20.0

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})

_ADVICE: Final = {
    sqlite3.SQLITE_FULL: "the disk is full: free space there",
    sqlite3.SQLITE_READONLY: "it cannot be written: check owner and mode of the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: check the path, owner and mode of the file and its folder",
    sqlite3.SQLITE_PERM: "it cannot be opened: check owner and mode of the file and its folder",
    sqlite3.SQLITE_BUSY: "another process keeps it locked: let that process finish",
    sqlite3.SQLITE_IOERR: "reading or writing failed: check the disk and the kernel's log",
}


def open_to_work(file: Path) -> sqlite3.Connection:
    """The worker's connection; the file is created when missing."""
    with reporting(file), closed_on_error(connect(file, "rwc", _PATIENCE_AT_START_S)) as connection:
        if is_empty(connection):
            connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
            connection.execute("PRAGMA journal_mode = WAL")
        else:
            _check(connection, file)
        _prepare_to_write(connection)
        bring_up_to_date(connection, "gatepost.store.queue", SCHEMA_VERSION, APPLICATION_ID)
        return connection


def open_again_to_work(file: Path) -> sqlite3.Connection:
    """Another connection of the worker to the file it has open; waits for nobody."""
    with reporting(file), closed_on_error(connect(file, "rw", 0)) as connection:
        _check(connection, file)
        _prepare_to_write(connection)
        return connection


def open_to_change(file: Path, patience_s: float) -> sqlite3.Connection:
    """An operator's connection to an existing file; waits `patience_s` for the worker's transactions."""
    with reporting(file), closed_on_error(connect(file, "rw", patience_s)) as connection:
        version = _check(connection, file)
        if version < SCHEMA_VERSION:
            raise StoreUnavailable(
                f"{file} has format {version} of an older Gatepost, and this one changes format {SCHEMA_VERSION}: "
                "start gatepost serve, which brings it up to date"
            )
        _prepare_to_write(connection)
        return connection


def open_to_read(file: Path) -> sqlite3.Connection:
    """A connection that cannot write. A file of an older format is read as if it were of the present one."""
    with reporting(file), closed_on_error(connect(file, "ro", 1)) as connection:
        version = _check(connection, file)
        if version < 2:
            connection.execute("CREATE TEMP TABLE operator_order (number, next_id, last_id)")
        elif version < 3:
            connection.execute("CREATE TEMP VIEW operator_order AS SELECT *, NULL AS sender FROM main.operator_order")
        return connection


def own(file: Path) -> int:
    """Make this process the one worker of `file`; gives the descriptor that holds the ownership until it is closed."""
    lock = file.with_suffix(".lock")
    try:
        lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnavailable(f"{error.filename}: {error.strerror}: check the path, owner and mode") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise StoreInUse(
            f"queue {file.stem} is in use by process {holder or 'unknown'}: stop that one, or set another data folder"
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


@contextmanager
def reporting(file: Path) -> Iterator[None]:
    """SQLite's complaints become one line: what, where, and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise store_error(error, file) from error


def store_error(error: sqlite3.Error, file: Path) -> StoreError:
    """What SQLite said, as what it means for who wanted something of `file`."""
    code = _primary_code(error)
    if code in _DAMAGED:
        return StoreDamaged(
            f"{file} is damaged ({error}): stop Gatepost, move the file and its -wal file away together, start again; "
            f"what can still be read of it comes out with: sqlite3 {file.name} .recover"
        )
    says = f"{file}: {_ADVICE.get(code, 'the store failed')} ({error})"
    return StoreInDoubt(says) if leaves_doubt(error) else StoreUnavailable(says)


def leaves_doubt(error: sqlite3.Error) -> bool:
    """Whether what was being written may be in the file in spite of the error: the disk itself failed."""
    return _primary_code(error) == sqlite3.SQLITE_IOERR


def is_of_the_file(error: Exception) -> TypeGuard[sqlite3.Error]:
    """Whether it lies in the file and what is under it, not in what one statement was given."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.DataError | sqlite3.NotSupportedError
    )


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another process holds the lock at the moment."""
    return _primary_code(error) == sqlite3.SQLITE_BUSY


def _prepare_to_write(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {PAGES_BETWEEN_CHECKPOINTS}")
    connection.execute(f"PRAGMA journal_size_limit = {4 * PAGES_BETWEEN_CHECKPOINTS * PAGE_SIZE}")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    # Overwriting freed pages with zeros is some builds' default, and costs a third of the CPU per message.
    connection.execute("PRAGMA secure_delete = OFF")


def _check(connection: sqlite3.Connection, file: Path) -> int:
    """The file's format. Raises `StoreDamaged` when it is none of ours."""
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    schema = format_of(connection)
    if application != APPLICATION_ID:
        raise StoreDamaged(f"{file} is not a Gatepost queue file: move it away, or correct 'data' in gatepost.toml")
    if schema > SCHEMA_VERSION:
        raise StoreDamaged(
            f"{file} is from a newer Gatepost (format {schema}, this one reads up to {SCHEMA_VERSION}): "
            "start the newer Gatepost, or let it empty the queue first"
        )
    return schema


def _primary_code(error: sqlite3.Error) -> int:
    # The low octet is the primary code; what Python's module raises by itself carries none.
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF
