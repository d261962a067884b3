"""What was seen of tenants' servers, on disk: one SQLite file a worker, read together.

They arrive with every session and are written seldom: one that was written in the last minute is not written again, and
how many messages each connector brought is added up for a moment. Laws: neither a session nor the log of it ever waits
for this; a file that cannot be used costs what was seen, never mail; what was not seen for `KEPT` is forgotten, and of
one connector no more than `_MOST_OF_A_CONNECTOR` are kept.
"""

import json
import sqlite3
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from gatepost.logs.log_writer import BackgroundLog, LogWriter
from gatepost.tenancy.attribution import Basis
from gatepost.tenancy.fields import time_from, time_text
from gatepost.tenancy.seen_server import ConnectorUse, SeenCertificate, SeenServer

Session = TypeVar("Session")

KEPT: Final = timedelta(days=90)
_MOST_WAITING: Final = 10_000
_MOST_OF_A_CONNECTOR: Final = 200
"""A connector by certificate may be used from any number of addresses."""
_WRITE_AGAIN_S: Final = 60.0
_COUNTED_EVERY_S: Final = 1.0
"""Each writing is a transaction, which costs as much as receiving a message does."""
_REMEMBERED: Final = 10_000
_TIDY_EVERY_S: Final = 3600.0

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS sighting (
  tenant TEXT NOT NULL,
  connector TEXT NOT NULL,
  basis TEXT NOT NULL,
  address TEXT NOT NULL,
  certificate TEXT NOT NULL,          -- SHA-256 of the leaf, or empty
  first_at REAL NOT NULL,
  last_at REAL NOT NULL,
  PRIMARY KEY (tenant, connector, basis, address, certificate)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sighting_by_age ON sighting (last_at);
CREATE TABLE IF NOT EXISTS volume (
  tenant TEXT NOT NULL,
  connector TEXT NOT NULL,
  seconds INTEGER NOT NULL,           -- how long a span is: an hour or a day
  began INTEGER NOT NULL,             -- seconds since the epoch
  messages INTEGER NOT NULL,
  PRIMARY KEY (tenant, connector, seconds, began)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS volume_by_age ON volume (seconds, began);
CREATE TABLE IF NOT EXISTS certificate (
  sha256 TEXT PRIMARY KEY,
  facts TEXT NOT NULL                 -- JSON
) STRICT, WITHOUT ROWID;
"""

_Key = tuple[str, str, str, str, str]
_HOUR: Final = 3600
_DAY: Final = 86400
_VOLUME_KEPT: Final = {_HOUR: 24, _DAY: 30}
"""How many spans of each length are kept, besides the present one."""
_Counts = Mapping[tuple[str, str], int]


class SeenServers(BackgroundLog[Session], Generic[Session]):
    """One worker's. `describe` says what a session showed; it runs on the log writer's thread."""

    def __init__(
        self,
        folder: Path,
        worker: int,
        describe: Callable[[Session], Iterable[SeenServer]],
        writer: LogWriter,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(writer, f"sightings {folder}", _MOST_WAITING, clock)
        self._path = folder / f"{worker}.sqlite"
        self._describe = describe
        self._connection: sqlite3.Connection | None = None
        self._written: OrderedDict[_Key, float] = OrderedDict()
        self._tidied_at = 0.0
        self._counts: Counter[tuple[str, str]] = Counter()
        """Messages by tenant and connector, since they were last written."""
        self._counted_at = 0.0

    @property
    def waiting(self) -> int:
        return super().waiting + len(self._counts)

    def _is_overdue(self, now: float) -> bool:
        # A clock that went back is no reason to wait longer.
        return bool(self._counts) and not self._counted_at <= now < self._counted_at + _COUNTED_EVERY_S

    def _write(self, entries: Sequence[Session], now: float) -> None:
        new: dict[_Key, SeenServer] = {}
        for entry in entries:
            for server in self._describe(entry):
                key = _key(server)
                if server.messages:
                    self._counts[server.tenant, server.connector] += server.messages
                if now - self._written.get(key, 0.0) >= _WRITE_AGAIN_S:
                    new[key] = server
        if not new and not self._is_overdue(now):
            return
        counts, self._counts, self._counted_at = self._counts, Counter(), now
        try:
            self._store(new, counts, now)
        except sqlite3.Error as error:
            self._disconnect()
            raise OSError(str(error)) from error
        for key in new:
            self._written[key] = now
            self._written.move_to_end(key)
        while len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)

    def _store(self, new: dict[_Key, SeenServer], counts: _Counts, now: float) -> None:
        connection = self._connection = self._connection or _opened(self._path)
        with connection:
            connection.executemany(
                "INSERT INTO sighting VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET last_at = max(last_at, excluded.last_at)",
                [(*key, each.first_at.timestamp(), each.last_at.timestamp()) for key, each in new.items()],
            )
            connection.executemany(
                "INSERT INTO certificate VALUES (?, ?) ON CONFLICT DO NOTHING",
                [(each.certificate.sha256, _facts(each.certificate)) for each in new.values() if each.certificate],
            )
            connection.executemany(
                "INSERT INTO volume VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET messages = messages + excluded.messages",
                [
                    (*whose, seconds, int(now // seconds) * seconds, messages)
                    for whose, messages in counts.items()
                    for seconds in _VOLUME_KEPT
                ],
            )
            if now - self._tidied_at >= _TIDY_EVERY_S:
                self._tidied_at = now
                _tidy(connection, now)

    def close_file(self) -> None:
        if self._counts:
            with suppress(sqlite3.Error):
                self._store({}, self._counts, self._clock())
            self._counts.clear()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o750, exist_ok=True)
    # The log writer's thread writes; who has ended that thread closes.
    connection = sqlite3.connect(path, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # What a power failure costs is seen again with the next session.
        connection.execute("PRAGMA synchronous = OFF")
        # All at once: somebody may read already.
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
    except BaseException:
        connection.close()
        raise
    return connection


def _tidy(connection: sqlite3.Connection, now: float) -> None:
    connection.execute("DELETE FROM sighting WHERE last_at < ?", (now - KEPT.total_seconds(),))
    for seconds, spans in _VOLUME_KEPT.items():
        connection.execute("DELETE FROM volume WHERE seconds = ? AND began < ?", (seconds, now - (spans + 1) * seconds))
    crowded = "SELECT tenant, connector FROM sighting GROUP BY tenant, connector HAVING count(*) > ?"
    for tenant, connector in connection.execute(crowded, (_MOST_OF_A_CONNECTOR,)).fetchall():
        connection.execute(
            "DELETE FROM sighting WHERE tenant = ?1 AND connector = ?2 AND (basis, address, certificate) NOT IN"
            " (SELECT basis, address, certificate FROM sighting WHERE tenant = ?1 AND connector = ?2"
            "  ORDER BY last_at DESC LIMIT ?3)",
            (tenant, connector, _MOST_OF_A_CONNECTOR),
        )
    connection.execute("DELETE FROM certificate WHERE sha256 NOT IN (SELECT certificate FROM sighting)")


class StoredSeenServers:
    """All of a data folder, to read while workers write."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, tenant: str | None = None) -> list[SeenServer]:
        """A tenant's, or all; what several workers saw is one. Ordered by tenant, connector and time."""
        found: dict[_Key, SeenServer] = {}
        for path in sorted(self._folder.glob("*.sqlite")):
            for server in _read(path, tenant):
                key = _key(server)
                found[key] = _together(found[key], server) if key in found else server
        return sorted(found.values(), key=lambda each: (each.tenant, each.connector, each.first_at))

    def servers(self, since: datetime, most: int) -> list[tuple[str, str, float]]:
        """Address, tenant and time of tenants' own servers that were seen `since`; the latest last."""
        found: dict[str, tuple[str, str, float]] = {}
        for path in sorted(self._folder.glob("*.sqlite")):
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
                if not _has(connection, "sighting"):
                    continue
                # Partners' servers, whom a recipient makes a tenant's, are strangers.
                for row in connection.execute(
                    "SELECT address, tenant, last_at FROM sighting WHERE last_at >= ? AND basis != ?"
                    " ORDER BY last_at DESC LIMIT ?",
                    (since.timestamp(), Basis.RECIPIENT.value, most),
                ):
                    if row[0] not in found or found[row[0]][2] < row[2]:
                        found[row[0]] = row
        return sorted(found.values(), key=lambda row: row[2])[-most:]

    def use(self, at: datetime, tenant: str | None = None) -> list[ConnectorUse]:
        """Of each connector that was seen, of a tenant or of all: the last session, and the messages of the 24 hours
        and 30 days before `at`, to the hour and the day."""
        last: dict[tuple[str, str], SeenServer] = {}
        for server in sorted(self.of(tenant), key=lambda each: each.last_at):
            last[server.tenant, server.connector] = server
        hours, days = (self._messages(seconds, at, tenant) for seconds in _VOLUME_KEPT)
        return [
            ConnectorUse(
                tenant=each.tenant,
                connector=each.connector,
                last_at=each.last_at,
                address=each.address,
                certificate=each.certificate,
                messages_24h=hours[whose],
                messages_30d=days[whose],
            )
            for whose, each in sorted(last.items())
        ]

    def _messages(self, seconds: int, at: datetime, tenant: str | None) -> Counter[tuple[str, str]]:
        since = at.timestamp() - _VOLUME_KEPT[seconds] * seconds
        found: Counter[tuple[str, str]] = Counter()
        for path in sorted(self._folder.glob("*.sqlite")):
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
                if not _has(connection, "volume"):
                    continue
                for owner, connector, messages in connection.execute(
                    "SELECT tenant, connector, sum(messages) FROM volume WHERE seconds = ? AND began >= ?"
                    " AND (? IS NULL OR tenant = ?) GROUP BY tenant, connector",
                    (seconds, since - seconds + 1, tenant, tenant),
                ):
                    found[owner, connector] += messages
        return found


def _read(path: Path, tenant: str | None) -> Iterator[SeenServer]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        if not _has(connection, "certificate"):
            return
        rows = connection.execute(
            "SELECT tenant, connector, basis, address, first_at, last_at, facts FROM sighting"
            " LEFT JOIN certificate ON sha256 = certificate WHERE ? IS NULL OR tenant = ?",
            (tenant, tenant),
        )
        for owner, connector, basis, address, first_at, last_at, facts in rows:
            yield SeenServer(
                tenant=owner,
                connector=connector,
                basis=Basis(basis),
                address=address,
                certificate=_certificate(json.loads(facts)) if facts else None,
                first_at=datetime.fromtimestamp(first_at, UTC),
                last_at=datetime.fromtimestamp(last_at, UTC),
            )


def _has(connection: sqlite3.Connection, table: str) -> bool:
    """Not in a file that a worker has just begun, nor of an earlier version."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone() is not None


def _together(one: SeenServer, other: SeenServer) -> SeenServer:
    return SeenServer(
        tenant=one.tenant,
        connector=one.connector,
        basis=one.basis,
        address=one.address,
        certificate=one.certificate or other.certificate,
        first_at=min(one.first_at, other.first_at),
        last_at=max(one.last_at, other.last_at),
    )


def _key(server: SeenServer) -> _Key:
    certificate = server.certificate.sha256 if server.certificate else ""
    return server.tenant, server.connector, server.basis.value, server.address, certificate


def _facts(certificate: SeenCertificate) -> str:
    return json.dumps(
        {
            "sha256": certificate.sha256,
            "subject": certificate.subject,
            "names": certificate.names,
            "issuer": certificate.issuer,
            "not_before": time_text(certificate.not_before),
            "not_after": time_text(certificate.not_after),
            "anchor": certificate.anchor,
        }
    )


def _certificate(facts: dict[str, Any]) -> SeenCertificate:
    return SeenCertificate(
        sha256=facts["sha256"],
        subject=facts["subject"],
        names=tuple(facts["names"]),
        issuer=facts["issuer"],
        not_before=time_from(facts["not_before"]),
        not_after=time_from(facts["not_after"]),
        anchor=facts["anchor"],
    )
