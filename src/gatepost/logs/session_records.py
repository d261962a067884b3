"""Session records on disk: JSON lines that let `why` find any session of the last weeks by its id alone.

A file name carries the hour and the worker, as the session id does, so a look-up reads the few files that can hold it.
Every file is self-contained: a client's certificates are written once in each file that speaks of them, as lines of
their own, before the first record that names them.
"""

import mmap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from json import JSONEncoder, loads
from math import inf
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from gatepost.logs.log_series import FileLimits, FileNames, LogFile
from gatepost.logs.log_shares import TENANTS, SharedSeries, Whose, shared_files
from gatepost.logs.log_writer import BackgroundLog, LogWriter
from gatepost.mail.session_id import time_of, worker_of
from gatepost.tenancy.evidence import CertificateFacts
from gatepost.tenancy.session_record import certificate_record, with_certificates

Session = TypeVar("Session")

_NAMES: Final = FileNames(prefix="SESSIONS", suffix=".jsonl")
_MOST_WAITING: Final = 10_000
_RECORD_LENGTH: Final = 1500
_MOST_CERTIFICATES: Final = 10
"""Of one chain; public chains have two to four."""
_LONGEST_SESSION: Final = timedelta(hours=24)
_CLOCK_STEPS: Final = timedelta(hours=1)
"""What a clock may be set back within a session."""

SESSION_LIMITS: Final = FileLimits(file_size=64 * 1024 * 1024, folder_size=2 * 1024 * 1024 * 1024)

_Described = tuple[str, Sequence[CertificateFacts]]

_encoded = JSONEncoder(separators=(",", ":")).encode


class SessionRecords(BackgroundLog[Session], Generic[Session]):
    """One worker's records. `describe` turns what is added into a record, whose first field is `session_id`, and the
    certificates that it names; it runs on the log writer's thread. `whose` says whose it is; without it all is one
    share."""

    def __init__(
        self,
        folder: Path,
        worker: int,
        describe: Callable[[Session], tuple[Mapping[str, object], Sequence[CertificateFacts]]],
        writer: LogWriter,
        limits: FileLimits = SESSION_LIMITS,
        clock: Callable[[], float] = time.time,
        *,
        whose: Callable[[Session], Whose] | None = None,
        workers: int = 1,
    ) -> None:
        super().__init__(writer, f"session records {folder}", _MOST_WAITING, clock)
        self._describe = describe
        self._whose = whose
        self._shares = SharedSeries(folder, _names_of(worker), limits, workers)
        self._written: dict[str, set[str]] = {}
        """By share, the certificates that its file holds."""

    def _write(self, entries: Sequence[Session], now: float) -> None:
        ready: dict[str, list[_Described]] = {}
        for entry in entries:
            record, chain = self._describe(entry)
            line = _encoded(record)
            ready.setdefault(self._share_of(entry, record, line, now), []).append((line, chain))
        for share, described in ready.items():
            self._append(share, described, now)

    def _share_of(self, session: Session, record: Mapping[str, object], line: str, now: float) -> str:
        if self._whose is None:
            return TENANTS
        return self._shares.share_of(self._whose(session), str(record["address"]), len(line), now)

    def _append(self, share: str, described: Sequence[_Described], now: float) -> None:
        series, written = self._shares.of(share), self._written.setdefault(share, set())
        if series.begin(now, _RECORD_LENGTH * len(described)):
            written.clear()
        lines: list[str] = []
        for line, chain in described:
            lines += _new_certificates(chain, written)
            lines.append(line)
        lines.append("")
        series.write("\n".join(lines).encode("ascii"))

    def close_file(self) -> None:
        self._shares.close()


def _new_certificates(chain: Sequence[CertificateFacts], written: set[str]) -> Iterator[str]:
    for facts in chain[:_MOST_CERTIFICATES]:
        if facts.sha256 not in written:
            written.add(facts.sha256)
            yield _encoded({"certificate": facts.sha256, **certificate_record(facts)})


def _names_of(worker: int) -> FileNames:
    return FileNames(prefix=_NAMES.prefix, suffix=_NAMES.suffix, tag=f"-w{worker}")


class StoredSessions:
    """All session records of a data folder, to read, while workers write."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, session_id: str) -> dict[str, Any] | None:
        """The session's record, put together from all its lines; None where none is stored."""
        records: list[dict[str, Any]] = []
        until = datetime.max.replace(tzinfo=UTC)
        for file in self._files_of(session_id):
            if file.hour > until:
                break
            for record in _records_in(file.path, session_id):
                records.append(record)
                if record["closed"]:
                    # Another share may hold what was written before; nothing of the session is written later.
                    until = file.hour + _CLOCK_STEPS
        found: dict[str, Any] | None = None
        for record in sorted(records, key=_place_in_session):
            found = _merged(found or {**record, "transactions": []}, record)
        return found

    def oldest(self) -> datetime | None:
        """How far back the records go."""
        return min((file.hour for file in shared_files(self._folder, _NAMES)), default=None)

    def _files_of(self, session_id: str) -> Iterator[LogFile]:
        """Where its lines can be: they are written when mail is refused and when the session ends, not when it begins,
        and the clock may have been set back meanwhile."""
        try:
            began = time_of(session_id)
            first, last = began - timedelta(hours=2), began + _LONGEST_SESSION
        except (ValueError, OverflowError):
            # At either end of the calendar nothing was ever stored.
            return
        worker = worker_of(session_id)
        for file in sorted(shared_files(self._folder, _NAMES, tag=f"-w{worker}"), key=lambda file: file.hour):
            if first <= file.hour <= last and file.size:
                yield file


def _place_in_session(record: Mapping[str, Any]) -> tuple[float, float, bool]:
    """A later record begins with a later transaction, or with more recipients of the same; the last may have none."""
    transactions = record["transactions"]
    number, first = (transactions[0]["number"], transactions[0]["first"]) if transactions else (inf, inf)
    return number, first, bool(record["closed"])


def _records_in(path: Path, session_id: str) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
            for line in _lines_beginning(octets, f'{{"session_id":"{session_id}"'):
                record: dict[str, Any] = loads(line)
                if record["tls"]:
                    record["tls"] = with_certificates(record["tls"], _certificates(octets, record["tls"]))
                yield record
    except FileNotFoundError:  # it came of age just now
        return


def _certificates(octets: mmap.mmap, tls: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found = {}
    for sha256 in tls["certificate"]["chain"] if tls["certificate"] else ():
        for line in _lines_beginning(octets, f'{{"certificate":"{sha256}"'):
            found[sha256] = loads(line)
            del found[sha256]["certificate"]
            break
    return found


def _lines_beginning(octets: mmap.mmap, beginning: str) -> Iterator[bytes]:
    """Whole lines only: the last one may be in the middle of being written."""
    wanted = beginning.encode("ascii")
    at = octets.find(wanted)
    while at >= 0:
        end = octets.find(b"\n", at)
        if end < 0:
            return
        if at == 0 or octets[at - 1] == 0x0A:
            yield octets[at:end]
        at = octets.find(wanted, end)


def _merged(earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """A later record completes an earlier one; transactions are told apart by their numbers."""
    transactions = {each["number"]: each for each in earlier["transactions"]}
    for each in later["transactions"]:
        before = transactions.get(each["number"], {**each, "recipients": []})
        recipients = [*before["recipients"][: each["first"]], *each["recipients"]]
        transactions[each["number"]] = {**before, **_told(each), "recipients": recipients}
        transactions[each["number"]].pop("first", None)
    return {**earlier, **_told(later), "transactions": [transactions[number] for number in sorted(transactions)]}


def _told(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if value is not None}
