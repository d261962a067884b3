"""Servers that were seen: one entry a connector, address and certificate, for any number of sessions and workers."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gatepost.logs.log_writer import LogWriter
from gatepost.logs.seen_servers import KEPT, SeenServers, StoredSeenServers
from gatepost.tenancy.attribution import Basis
from gatepost.tenancy.seen_server import SeenCertificate, SeenServer

NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC
CERTIFICATE = SeenCertificate(
    sha256="ab" * 32,
    subject="CN=mail.contoso.com",
    names=("mail.contoso.com", "mx.contoso.com"),
    issuer="CN=R12",
    not_before=datetime(2026, 1, 1, tzinfo=UTC),
    not_after=datetime(2026, 4, 1, tzinfo=UTC),
    anchor="CN=Root",
)


def seen_server(
    at: float, *, address: str = "192.0.2.1", tenant: str = "contoso", certificate: bool = True
) -> SeenServer:
    moment = datetime.fromtimestamp(at, UTC)
    return SeenServer(
        tenant=tenant,
        connector="mail",
        basis=Basis.CERTIFICATE if certificate else Basis.ADDRESS,
        address=address,
        certificate=CERTIFICATE if certificate else None,
        first_at=moment,
        last_at=moment,
    )


class Seeing:
    """What a worker saw, and a clock that the test sets."""

    def __init__(self, folder: Path, worker: int = 0) -> None:
        self.now = NOON
        self.reports: list[str] = []
        self._log: SeenServers[SeenServer] = SeenServers(
            folder, worker, lambda each: (each,), LogWriter(self.reports.append), lambda: self.now
        )

    def sees(self, *seen_servers: SeenServer) -> None:
        for each in seen_servers:
            self._log.add(each)
        self._log.flush()

    def close(self) -> None:
        self._log.finish()


def test_a_server_is_read_as_it_was_seen(tmp_path: Path) -> None:
    seeing = Seeing(tmp_path)
    seen = [seen_server(NOON), seen_server(NOON + 1, address="2001:db8::1", certificate=False)]
    seeing.sees(*seen)
    assert StoredSeenServers(tmp_path).of() == seen


def test_many_sessions_are_one_entry_with_its_first_and_last_moment(tmp_path: Path) -> None:
    seeing = Seeing(tmp_path)
    for minute in range(0, 180, 3):
        seeing.now = NOON + 60 * minute
        seeing.sees(seen_server(seeing.now))
    (found,) = StoredSeenServers(tmp_path).of()
    assert found.first_at.timestamp() == NOON
    assert found.last_at.timestamp() == NOON + 60 * 177


def test_what_was_written_in_the_last_minute_is_not_written_again(tmp_path: Path) -> None:
    seeing = Seeing(tmp_path)
    seeing.sees(seen_server(NOON))
    changes = _changes(tmp_path)
    seeing.now += 30
    seeing.sees(seen_server(seeing.now))
    assert _changes(tmp_path) == changes
    seeing.now += 31
    seeing.sees(seen_server(seeing.now))
    assert StoredSeenServers(tmp_path).of()[0].last_at.timestamp() == NOON + 61


def _changes(folder: Path) -> float:
    with sqlite3.connect(folder / "0.sqlite") as connection:
        return float(connection.execute("SELECT max(last_at) FROM sighting").fetchone()[0])


def test_what_several_workers_saw_is_one_entry(tmp_path: Path) -> None:
    Seeing(tmp_path, 0).sees(seen_server(NOON))
    Seeing(tmp_path, 1).sees(seen_server(NOON + 60), seen_server(NOON, tenant="fabrikam"))
    found = StoredSeenServers(tmp_path).of("contoso")
    assert [(each.first_at.timestamp(), each.last_at.timestamp()) for each in found] == [(NOON, NOON + 60)]


def test_what_was_not_seen_for_long_is_forgotten_with_its_certificate(tmp_path: Path) -> None:
    seeing = Seeing(tmp_path)
    seeing.sees(seen_server(NOON))
    seeing.now = NOON + (KEPT + timedelta(hours=1)).total_seconds()
    seeing.sees(seen_server(seeing.now, certificate=False))
    (found,) = StoredSeenServers(tmp_path).of()
    assert found.basis is Basis.ADDRESS
    with sqlite3.connect(tmp_path / "0.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM certificate").fetchone() == (0,)


def test_a_connector_that_is_used_from_everywhere_keeps_its_latest(tmp_path: Path) -> None:
    seeing = Seeing(tmp_path)
    seeing.sees(*(seen_server(NOON + number, address=f"10.0.{number // 250}.{number % 250}") for number in range(500)))
    seeing.now += 3600
    seeing.sees(seen_server(seeing.now))
    found = StoredSeenServers(tmp_path).of()
    assert len(found) == 200
    assert min(each.last_at.timestamp() for each in found) == NOON + 301


def test_a_file_that_cannot_be_used_is_reported_and_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "0.sqlite").write_bytes(b"this is no database, and longer than a header of one" * 20)
    seeing = Seeing(tmp_path)
    seeing.sees(seen_server(NOON))
    assert len(seeing.reports) == 1
    assert "sightings" in seeing.reports[0] and "cannot be written" in seeing.reports[0]
    seeing.close()


def test_nothing_seen_is_an_empty_list(tmp_path: Path) -> None:
    assert StoredSeenServers(tmp_path / "none").of() == []


def test_messages_are_counted_by_connector_for_24_hours_and_30_days(tmp_path: Path) -> None:
    first, second = Seeing(tmp_path, 0), Seeing(tmp_path, 1)
    day = 86400
    for days_ago, messages in ((40, 1000), (10, 100), (0, 10)):
        first.now = second.now = NOON - days_ago * day
        first.sees(replace(seen_server(first.now), messages=messages), seen_server(first.now, tenant="fabrikam"))
        second.sees(replace(seen_server(first.now, address="192.0.2.2", certificate=False), messages=messages))
    first.now = NOON + 1
    first.sees(replace(seen_server(NOON + 1), messages=1))
    contoso, fabrikam = StoredSeenServers(tmp_path).use(datetime.fromtimestamp(NOON + 2, UTC))
    assert (contoso.messages_24h, contoso.messages_30d) == (21, 221)
    assert (contoso.tenant, contoso.connector) == ("contoso", "mail")
    assert (contoso.last_at.timestamp(), contoso.address) == (NOON, "192.0.2.2")
    assert (fabrikam.messages_24h, fabrikam.messages_30d) == (0, 0)
    assert StoredSeenServers(tmp_path).use(datetime.fromtimestamp(NOON, UTC), "fabrikam") == [fabrikam]
    first.close()
    second.close()


def test_messages_of_one_second_are_counted_together_and_none_is_lost_when_the_log_is_closed(tmp_path: Path) -> None:
    seeing = Seeing(tmp_path)

    def counted() -> int:
        (use,) = StoredSeenServers(tmp_path).use(datetime.fromtimestamp(NOON + 9, UTC))
        return use.messages_24h

    one = replace(seen_server(NOON), messages=1)
    seeing.sees(one)
    assert counted() == 1
    seeing.now = NOON + 0.5
    seeing.sees(one, one)
    assert counted() == 1
    seeing.now = NOON + 1
    seeing.sees()
    assert counted() == 3
    seeing.sees(one)
    seeing.close()
    assert counted() == 4


def test_a_file_of_an_earlier_version_counts_no_messages(tmp_path: Path) -> None:
    seeing = Seeing(tmp_path)
    seeing.sees(seen_server(NOON))
    seeing.close()
    with closing(sqlite3.connect(tmp_path / "0.sqlite")) as connection, connection:
        connection.execute("DROP TABLE volume")
    (use,) = StoredSeenServers(tmp_path).use(datetime.fromtimestamp(NOON, UTC))
    assert (use.messages_24h, use.messages_30d) == (0, 0)


def test_a_file_that_a_worker_has_just_begun_is_read_as_empty(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "0.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert StoredSeenServers(tmp_path).of() == []
    assert StoredSeenServers(tmp_path).use(datetime.fromtimestamp(NOON, UTC)) == []
