"""Protocol logs on disk: `SENDyyyymmddhh-n.LOG` and `RECVyyyymmddhh-n.LOG` in UTC, as Exchange names them.

What flows through: rows, and now and then whose session it is (`Belongs`). The rows of a session wait until that is
known, for a moment at most, so that they are in one share of the folder (`log_shares`) from the first to the last.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from gatepost.logs.log_series import EXCHANGE_LIMITS, FileLimits, FileNames, LogFile, files_of
from gatepost.logs.log_shares import NOBODYS, PARTS, TENANTS, SharedSeries, Whose, shared_files
from gatepost.logs.log_writer import BackgroundLog, LogWriter
from gatepost.mail.session_id import time_of
from gatepost.protocol_log.codec import RecordWriter, Side, header, read_protocol_log
from gatepost.protocol_log.record import ProtocolLogRecord

_NAMES: Final = {
    Side.SEND: FileNames(prefix="SEND", suffix=".LOG"),
    Side.RECEIVE: FileNames(prefix="RECV", suffix=".LOG"),
}
_MOST_WAITING: Final = 50_000
_ROW_LENGTH: Final = 160
"""A typical row: a file may pass its size limit by what a batch is longer than this tells."""

_HELD_S: Final = 2.0
_MOST_HELD: Final = 20_000
_MOST_KNOWN: Final = 100_000
"""Sessions that are open and known."""

_LONGEST_SESSION: Final = timedelta(hours=24)


class Belongs(NamedTuple):
    """Whose the rows of a session are, those that wait and those that come."""

    session_id: str
    whose: Whose
    ended: bool = False
    """No row will follow."""


Rows = tuple[Whose, Sequence[ProtocolLogRecord]]
"""Of one session, and whose they are."""


class _Owners:
    """Keeps the rows of a session until it is said whose they are, or for `_HELD_S`; then they are a stranger's."""

    def __init__(self) -> None:
        self._known: dict[str, Whose] = {}
        self._held: dict[str, tuple[float, list[ProtocolLogRecord]]] = {}
        """Since when, and what; the oldest first."""
        self.rows_held = 0

    def sorted(self, entries: Sequence[ProtocolLogRecord | Belongs], now: float) -> Iterator[Rows]:
        came: defaultdict[str, list[ProtocolLogRecord]] = defaultdict(list)
        """A busy session has many rows in a batch."""
        for entry in entries:
            if type(entry) is ProtocolLogRecord:
                came[entry.session_id].append(entry)
                continue
            assert isinstance(entry, Belongs)
            rows = (*self._released(entry.session_id), *came.pop(entry.session_id, ()))
            if rows:
                yield self._known.get(entry.session_id, entry.whose), rows
            self._remember(entry)
        for session_id, more in came.items():
            if session_id in self._known:
                yield self._known[session_id], more
            else:
                self._hold(session_id, more, now)
        while self.is_overdue(now):
            yield NOBODYS, self._released(next(iter(self._held)))

    def _hold(self, session_id: str, rows: Sequence[ProtocolLogRecord], now: float) -> None:
        self._held.setdefault(session_id, (now, []))[1].extend(rows)
        self.rows_held += len(rows)

    def is_overdue(self, now: float) -> bool:
        since = next((since for since, _ in self._held.values()), None)
        # A clock that went back is no reason to wait longer.
        return since is not None and (not since <= now < since + _HELD_S or self.rows_held > _MOST_HELD)

    def all(self) -> Iterator[Rows]:
        """The log ends."""
        while self._held:
            yield NOBODYS, self._released(next(iter(self._held)))

    def _released(self, session_id: str) -> Sequence[ProtocolLogRecord]:
        _, rows = self._held.pop(session_id, (0.0, ()))
        self.rows_held -= len(rows)
        return rows

    def _remember(self, said: Belongs) -> None:
        self._known.pop(said.session_id, None)
        if not said.ended:
            self._known[said.session_id] = said.whose
            if len(self._known) > _MOST_KNOWN:
                del self._known[next(iter(self._known))]


class ProtocolLogFiles(BackgroundLog[ProtocolLogRecord | Belongs]):
    """One worker's protocol log of one side. Without `in_shares`, nobody says whose a session is: all is one share."""

    def __init__(
        self,
        folder: Path,
        side: Side,
        writer: LogWriter,
        limits: FileLimits = EXCHANGE_LIMITS,
        clock: Callable[[], float] = time.time,
        *,
        in_shares: bool = False,
        workers: int = 1,
    ) -> None:
        super().__init__(writer, f"protocol log {folder}", _MOST_WAITING, clock)
        self._shares = SharedSeries(folder, _NAMES[side], limits, workers, lambda now: header(side, now).encode())
        self._text = RecordWriter().text
        self._owners = _Owners() if in_shares else None

    def belongs(self, session_id: str, tenant: str | None, *, by_stranger: bool = False, ended: bool = False) -> None:
        """Say whose the session's rows are, and whether a stranger brought them; `ended`: no row will follow."""
        self.add(Belongs(session_id, Whose(tenant, by_stranger), ended))

    @property
    def waiting(self) -> int:
        return super().waiting + (self._owners.rows_held if self._owners else 0)

    def _is_overdue(self, now: float) -> bool:
        return self._owners is not None and self._owners.is_overdue(now)

    def _write(self, entries: Sequence[ProtocolLogRecord | Belongs], now: float) -> None:
        if self._owners is None:
            rows = [each for each in entries if isinstance(each, ProtocolLogRecord)]
            self._append(TENANTS, self._text(rows), now)
        else:
            self._append_shared(self._owners.sorted(entries, now), now)

    def _append_shared(self, sorted_rows: Iterator[Rows], now: float) -> None:
        ready: dict[str, list[str]] = {}
        for whose, rows in sorted_rows:
            text = self._text(rows)
            address = _address_in(rows[0].remote_endpoint) if whose.tenant is None or whose.by_stranger else ""
            share = self._shares.share_of(whose, address, len(text), now)
            ready.setdefault(share, []).append(text)
        # One share that cannot be written must not take the others' rows along.
        failures = []
        for share, texts in ready.items():
            try:
                self._append(share, "".join(texts), now)
            except OSError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def _append(self, share: str, text: str, now: float) -> None:
        octets = text.encode("utf-8", "backslashreplace")
        series = self._shares.of(share)
        series.begin(now, len(octets))
        series.write(octets)

    def close_file(self) -> None:
        if self._owners and self._owners.rows_held:
            with suppress(OSError):
                self._append_shared(self._owners.all(), self._clock())
        self._shares.close()


def _address_in(endpoint: str) -> str:
    """`192.0.2.1:25`, `[2001:db8::1]:25`"""
    return endpoint.rpartition(":")[0].strip("[]")


class StoredProtocolLogs:
    """All protocol logs of a data folder, to read. Folders are by side."""

    def __init__(self, folders: Mapping[Side, Path]) -> None:
        self._folders = folders

    def session(self, session_id: str) -> list[ProtocolLogRecord]:
        """Every row of a session, from the files of its hours. An id that is no session's here, but stands in what a
        remote host said, leads to the session in which it was said."""
        rows = self._rows_about(session_id)
        told_in = {row.session_id for row in rows}
        if not told_in or session_id in told_in:
            return [row for row in rows if row.session_id == session_id]
        # A refusal that was relayed twice stands in two sessions; the first is the remote host's own.
        first = min(told_in)
        return [row for row in self._rows_about(first) if row.session_id == first]

    def _rows_about(self, session_id: str) -> list[ProtocolLogRecord]:
        try:
            began = time_of(session_id)
        except ValueError:
            return []
        wanted = session_id.encode("ascii")
        rows: list[ProtocolLogRecord] = []
        for file in self._files(began):
            octets = file.path.read_bytes()
            if wanted in octets:
                about = b"\n".join(line for line in octets.split(b"\n") if wanted in line)
                rows += [row for _, row in read_protocol_log(about).records]
        return rows

    def _files(self, began: datetime) -> Iterator[LogFile]:
        # A clock that was set back can put the first rows into the hour before.
        first, last = began - timedelta(hours=2), began + _LONGEST_SESSION
        for side, folder in self._folders.items():
            for file in shared_files(folder, _NAMES[side]):
                if first <= file.hour <= last:
                    yield file

    def oldest(self) -> datetime | None:
        """How far back the logs go."""
        hours = (file.hour for side, folder in self._folders.items() for file in shared_files(folder, _NAMES[side]))
        return min(hours, default=None)


class FollowedProtocolLogs:
    """Protocol logs as they grow, from now on."""

    def __init__(self, folders: Mapping[Side, Path]) -> None:
        self._folders = folders
        self._read_to = {path: path.stat().st_size for path in self._paths()}

    def new_rows(self) -> list[ProtocolLogRecord]:
        """Whole rows written since the last call, by time."""
        rows: list[ProtocolLogRecord] = []
        for path in self._paths():
            rows += [row for _, row in read_protocol_log(self._new_octets(path)).records]
        return sorted(rows, key=lambda row: row.at)

    def _paths(self) -> list[Path]:
        return [
            path for side, folder in self._folders.items() for share in PARTS for path in _newest(folder / share, side)
        ]

    def _new_octets(self, path: Path) -> bytes:
        begin = self._read_to.get(path, 0)
        try:
            with path.open("rb") as file:
                file.seek(begin)
                octets = file.read()
        except FileNotFoundError:
            return b""
        whole = octets[: octets.rfind(b"\n") + 1]
        self._read_to[path] = begin + len(whole)
        return whole


def _newest(folder: Path, side: Side) -> list[Path]:
    """The files of the two latest hours that have any: those that are written now."""
    files = files_of(folder, _NAMES[side])
    hours = sorted({file.hour for file in files})[-2:]
    return [file.path for file in files if file.hour in hours]
