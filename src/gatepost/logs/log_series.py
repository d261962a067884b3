"""A series of log files in one folder: begun every hour and at a size. What is removed, `log_shares` says.

Several worker processes write into one folder. Each has a file of its own, taken by exclusive creation and locked while
it is written. Laws: no two writers share a file; a file that is being written is never removed; a file begins with its
whole header or does not exist.
"""

import fcntl
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLimits:
    """0 means no limit."""

    file_size: int
    folder_size: int
    max_age_s: float = 30 * 86400.0


EXCHANGE_LIMITS: Final = FileLimits(file_size=10 * 1024 * 1024, folder_size=250 * 1024 * 1024)
"""Exchange's defaults for protocol logs (Set-TransportService)."""


class LogFile(NamedTuple):
    """A file of a series, as its name tells."""

    hour: datetime
    path: Path
    modified_at: float
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileNames:
    """`<prefix><yyyymmddhh><tag>-<n><suffix>`; the hour is UTC. All tags of a prefix share the folder's limits."""

    prefix: str
    suffix: str
    tag: str = ""

    def name(self, hour: str, number: int) -> str:
        return f"{self.prefix}{hour}{self.tag}-{number}{self.suffix}"


def files_of(folder: Path, names: FileNames, tag: str | None = None) -> list[LogFile]:
    """The files of a series, of one tag or of all, oldest first; none where the folder does not exist."""
    marked = r"[^/]*" if tag is None else re.escape(tag)
    pattern = re.compile(rf"{re.escape(names.prefix)}(\d{{10}}){marked}-\d+{re.escape(names.suffix)}")
    found = []
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return []
    for entry in entries:
        if named := pattern.fullmatch(entry.name):
            try:
                hour = datetime.strptime(named[1], "%Y%m%d%H").replace(tzinfo=UTC)
                status = entry.stat()
            except (ValueError, FileNotFoundError):  # a name by chance, or another worker just removed it
                continue
            found.append(LogFile(hour, Path(entry.path), status.st_mtime, status.st_size))
    return sorted(found, key=lambda file: (file.hour, file.modified_at))


class LogSeries:
    """One writer's place in a series. Every method may raise `OSError`; after that the next write begins a new file."""

    def __init__(
        self,
        folder: Path,
        names: FileNames,
        limits: FileLimits,
        header: Callable[[float], bytes],
        tidy: Callable[[float], None],
    ) -> None:
        """`tidy` is called whenever a file was begun."""
        self._folder = folder
        self._names = names
        self._limits = limits
        self._header = header
        self._tidy = tidy
        self._fd: int | None = None
        self._hour = ""
        self._size = 0

    def begin(self, now: float, about: int) -> bool:
        """Make ready for `about` octets. Whether a new file was begun."""
        hour = _hour_of(now)
        if self._fd is not None and hour == self._hour and self._has_room(about) and self._still_there(self._fd):
            return False
        self.close()
        self._open(hour, now)
        self._tidy(now)
        return True

    def write(self, octets: bytes) -> None:
        """Append to the file that `begin` made ready."""
        assert self._fd is not None
        left = memoryview(octets)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError:
            # What was written may end within a row: the rest must not continue it.
            self.close()
            raise
        self._size += len(octets)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def close_past(self, now: float) -> None:
        """Let go of the file of an hour that is over: as long as it is held, nobody can remove it."""
        if self._hour != _hour_of(now):
            self.close()

    def _has_room(self, about: int) -> bool:
        return not self._limits.file_size or self._size + about <= self._limits.file_size

    @staticmethod
    def _still_there(fd: int) -> bool:
        """An operator may have removed the file; rows written into it would be lost."""
        return os.fstat(fd).st_nlink > 0

    def _open(self, hour: str, now: float) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        number = 1
        while True:
            path = self._folder / self._names.name(hour, number)
            try:
                fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
                break
            except FileExistsError:
                number += 1
        try:
            fcntl.flock(fd, fcntl.LOCK_SH)
            header = self._header(now)
            if os.write(fd, header) < len(header):
                raise OSError(28, "no space left for the header", str(path))
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        self._fd, self._hour, self._size = fd, hour, len(header)


def _hour_of(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%d%H")


def remove_file(path: Path) -> bool:
    """Unless a writer holds it. Whether it is gone."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True
