"""Protocol logs on disk: `SENDyyyymmddhh-n.LOG` and `RECVyyyymmddhh-n.LOG` in UTC, as Exchange names them."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from gatepost.mail.session_id import time_of
from gatepost.protocol_log.codec import RecordWriter, Side, header, read_protocol_log
from gatepost.protocol_log.record import ProtocolLogRecord
from gatepost.store.log_series import EXCHANGE_LIMITS, FileLimits, FileNames, LogFile, LogSeries, files_of
from gatepost.store.log_writer import BackgroundLog, LogWriter

_NAMES: Final = {
    Side.SEND: FileNames(prefix="SEND", suffix=".LOG"),
    Side.RECEIVE: FileNames(prefix="RECV", suffix=".LOG"),
}
_MOST_WAITING: Final = 50_000
_ROW_LENGTH: Final = 160
"""A typical row: a file may pass its size limit by what a batch is longer than this tells."""

_LONGEST_SESSION: Final = timedelta(hours=24)


class ProtocolLogFiles(BackgroundLog[ProtocolLogRecord]):
    """One worker's protocol log of one side."""

    def __init__(
        self,
        folder: Path,
        side: Side,
        writer: LogWriter,
        limits: FileLimits = EXCHANGE_LIMITS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(writer, f"protocol log {folder}", _MOST_WAITING, clock)
        self._series = LogSeries(folder, _NAMES[side], limits, lambda now: header(side, now).encode())
        self._line = RecordWriter().line

    def _write(self, entries: Sequence[ProtocolLogRecord], now: float) -> None:
        octets = "".join(map(self._line, entries)).encode("utf-8", "backslashreplace")
        self._series.begin(now, len(octets))
        self._series.write(octets)

    def close_file(self) -> None:
        self._series.close()


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
            for file in files_of(folder, _NAMES[side]):
                if first <= file.hour <= last:
                    yield file

    def oldest(self) -> datetime | None:
        """How far back the logs go."""
        first = (files_of(folder, _NAMES[side])[:1] for side, folder in self._folders.items())
        return min((file.hour for files in first for file in files), default=None)


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
        return [path for side, folder in self._folders.items() for path in _newest(folder, side)]

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
