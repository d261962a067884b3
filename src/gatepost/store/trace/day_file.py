"""The files of a trace: where they are, whose they are, and how one is opened.

`<folder>/<share>/<yyyymmdd>-w<worker>-<n>.sqlite`; the day is UTC. Laws: one process writes a file; a power failure
costs the last moments of a trace and never the file (WAL, `synchronous = NORMAL`); nobody waits for a reader.
"""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from gatepost.errors import GatepostError
from gatepost.store.connection import closed_on_error, connect
from gatepost.store.schema import bring_up_to_date, format_of
from gatepost.trace.search import SHARES, Share

# "GPtr"
APPLICATION_ID: Final = 0x47507472
SCHEMA_VERSION: Final = 1

DAY_S: Final = 86400
NUMBERS_PER_MS: Final = 16
LAST_NUMBER: Final = DAY_S * 1000 * NUMBERS_PER_MS - 1

_MAGIC: Final = b"SQLite format 3\0"
_ROOT_PAGES: Final = frozenset({b"\x05", b"\x0d"})
"""What the first page of a table can be: with pages below it, or without."""

_NAME: Final = re.compile(r"(\d{8})-w(\d+)-(\d+)\.sqlite\Z")
_PATIENCE_S: Final = 5.0
_CACHE_KIB: Final = 8 * 1024


class DayFile(NamedTuple):
    path: Path
    share: Share
    day: date
    worker: int
    number: int

    @property
    def began_at(self) -> float:
        return datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC).timestamp()

    @property
    def size(self) -> int:
        return sum(_size(each) for each in (self.path, self._log, self.summary))

    def remove(self) -> None:
        for suffix in ("", "-wal", "-shm", ".summary", ".new"):
            self.path.with_name(f"{self.path.name}{suffix}").unlink(missing_ok=True)

    @property
    def is_open(self) -> bool:
        """A writer has it, or had it when it was killed."""
        return _size(self._log) > 0

    @property
    def is_at_rest(self) -> bool:
        """Nobody writes it any more: to read it needs no locks."""
        return not self.is_open and time.time() - self.path.stat().st_mtime > DAY_S

    @property
    def summary(self) -> Path:
        """What a finished file certainly does not hold (`store.trace.summary`)."""
        return self.path.with_name(f"{self.path.name}.summary")

    @property
    def new_summary(self) -> Path:
        """A summary until it is whole."""
        return self.path.with_name(f"{self.path.name}.new")

    @property
    def _log(self) -> Path:
        return self.path.with_name(f"{self.path.name}-wal")


class DamagedFile(GatepostError):
    """Its content cannot be trusted; the message says so in one line."""


def day_of(at: float) -> date:
    return _date(int(at // DAY_S))


@lru_cache(maxsize=256)
def _date(days: int) -> date:
    return date(1970, 1, 1) + timedelta(days=days)


def day_file(folder: Path, share: Share, day: date, worker: int, number: int = 1) -> DayFile:
    return DayFile(folder / share / f"{day:%Y%m%d}-w{worker}-{number}.sqlite", share, day, worker, number)


def files_in(folder: Path) -> list[DayFile]:
    """The oldest day first."""
    found = []
    for share in SHARES:
        for path in (folder / share).glob("*.sqlite"):
            named = _NAME.fullmatch(path.name)
            try:
                if named:
                    day = datetime.strptime(named[1], "%Y%m%d").replace(tzinfo=UTC).date()
                    found.append(DayFile(path, share, day, int(named[2]), int(named[3])))
            except ValueError:  # a name by chance
                continue
    return sorted(found, key=lambda file: (file.day, file.path))


def damaged_files(folder: Path) -> list[str]:
    """One line for each file that shows at its beginning and its size that it cannot be read; what is inside is found
    when it is searched. Raises `OSError`."""
    return [line for file in files_in(folder) if (line := _damage(file)) is not None]


def _damage(file: DayFile) -> str | None:
    """https://www.sqlite.org/fileformat2.html 1.3. An empty file is one that is being made."""
    try:
        size = file.path.stat().st_size
        with file.path.open("rb") as opened:
            octets = opened.read(101)
    except FileNotFoundError:
        # Its day was removed a moment ago.
        return None
    if size == 0:
        return None
    page = int.from_bytes(octets[16:18], "big")
    pages = int.from_bytes(octets[28:32], "big")
    is_whole = size >= pages * (65536 if page == 1 else page)
    if octets[:16] == _MAGIC and octets[100:] in _ROOT_PAGES and (is_whole or file.is_open):
        return None
    return f"{file.path} is damaged; its day is incomplete"


def open_to_write(file: DayFile) -> sqlite3.Connection:
    """It is created when missing. Raises `DamagedFile`, `OSError`."""
    file.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    with reporting(file), closed_on_error(connect(file.path, "rwc", _PATIENCE_S)) as connection:
        # The log writer's thread writes; who has ended that thread closes.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA secure_delete = OFF")
        bring_up_to_date(connection, "gatepost.store.trace", SCHEMA_VERSION, APPLICATION_ID)
        _check(connection, file)
        return connection


def open_to_read(file: DayFile) -> sqlite3.Connection:
    """Raises `DamagedFile`, `FileNotFoundError`."""
    if not file.path.exists():
        raise FileNotFoundError(file.path)
    if file.is_at_rest:
        # Nearly all are: what can be spared for each is spared.
        _must_be_ours(file, *_header(file.path))
        return connect(file.path, "ro&immutable=1", _PATIENCE_S)
    with reporting(file), closed_on_error(connect(file.path, "ro", _PATIENCE_S)) as connection:
        _check(connection, file)
        # All of it as it is at one moment.
        connection.execute("BEGIN")
        return connection


@contextmanager
def reporting(file: DayFile) -> Iterator[None]:
    """SQLite's complaints: a file that is damaged, or what is under it."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if not file.path.exists():
            raise FileNotFoundError(str(file.path)) from error
        raise OSError(f"{file.path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise DamagedFile(
            f"{file.path} is damaged ({error}); its day is incomplete; "
            f"to read what is left of it: sqlite3 {file.path.name} .recover"
        ) from error


def _check(connection: sqlite3.Connection, file: DayFile) -> None:
    _must_be_ours(file, format_of(connection), connection.execute("PRAGMA application_id").fetchone()[0])


def _header(path: Path) -> tuple[int, int]:
    """Format and application of a SQLite file (https://www.sqlite.org/fileformat2.html 1.3)."""
    with path.open("rb") as file:
        octets = file.read(100)
    return int.from_bytes(octets[60:64], "big"), int.from_bytes(octets[68:72], "big")


def _must_be_ours(file: DayFile, format: int, application: int) -> None:
    if application != APPLICATION_ID or format > SCHEMA_VERSION:
        raise DamagedFile(f"{file.path} is no trace of this version of Gatepost; it is not read; move it away")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
