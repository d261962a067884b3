"""Sightings: one for each connector, address and certificate, however many sessions and workers there were."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gatepost.logs.log_writer import LogWriter
from gatepost.logs.sightings import KEPT, Sightings, StoredSightings
from gatepost.tenancy.attribution import Basis
from gatepost.tenancy.sighting import SeenCertificate, Sighting

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


def sighting(at: float, *, address: str = "192.0.2.1", tenant: str = "contoso", certificate: bool = True) -> Sighting:
    moment = datetime.fromtimestamp(at, UTC)
    return Sighting(
        tenant=tenant,
        connector="mail",
        basis=Basis.CERTIFICATE if certificate else Basis.ADDRESS,
        address=address,
        certificate=CERTIFICATE if certificate else None,
        first_at=moment,
        last_at=moment,
    )


class Seeing:
    """A worker's sightings, and a clock that the test sets."""

    def __init__(self, folder: Path, worker: int = 0) -> None:
        self.now = NOON
        self.reports: list[str] = []
        self._log: Sightings[Sighting] = Sightings(
            folder, worker, lambda each: (each,), LogWriter(self.reports.append), lambda: self.now
        )

    def sees(self, *sightings: Sighting) -> None:
        for each in sightings:
            self._log.add(each)
        self._log.flush()

    def close(self) -> None:
        self._log.finish()


def test_a_sighting_is_read_as_it_was_seen(tmp_path: Path) -> None:
    seeing = Seeing(tmp_path)
    seen = [sighting(NOON), sighting(NOON + 1, address="2001:db8::1", certificate=False)]
    seeing.sees(*seen)
    assert StoredSightings(tmp_path).of() == seen


def test_many_sessions_are_one_sighting_with_its_first_and_last_moment(tmp_path: Path) -> None:
    seeing = Seeing(tmp_path)
    for minute in range(0, 180, 3):
        seeing.now = NOON + 60 * minute
        seeing.sees(sighting(seeing.now))
    (found,) = StoredSightings(tmp_path).of()
    assert found.first_at.timestamp() == NOON
    assert found.last_at.timestamp() == NOON + 60 * 177


def test_what_was_written_in_the_last_minute_is_not_written_again(tmp_path: Path) -> None:
    seeing = Seeing(tmp_path)
    seeing.sees(sighting(NOON))
    changes = _changes(tmp_path)
    seeing.now += 30
    seeing.sees(sighting(seeing.now))
    assert _changes(tmp_path) == changes
    seeing.now += 31
    seeing.sees(sighting(seeing.now))
    assert StoredSightings(tmp_path).of()[0].last_at.timestamp() == NOON + 61


def _changes(folder: Path) -> float:
    with sqlite3.connect(folder / "0.sqlite") as connection:
        return float(connection.execute("SELECT max(last_at) FROM sighting").fetchone()[0])


def test_what_several_workers_saw_is_one_sighting(tmp_path: Path) -> None:
    Seeing(tmp_path, 0).sees(sighting(NOON))
    Seeing(tmp_path, 1).sees(sighting(NOON + 60), sighting(NOON, tenant="fabrikam"))
    found = StoredSightings(tmp_path).of("contoso")
    assert [(each.first_at.timestamp(), each.last_at.timestamp()) for each in found] == [(NOON, NOON + 60)]


def test_what_was_not_seen_for_long_is_forgotten_with_its_certificate(tmp_path: Path) -> None:
    seeing = Seeing(tmp_path)
    seeing.sees(sighting(NOON))
    seeing.now = NOON + (KEPT + timedelta(hours=1)).total_seconds()
    seeing.sees(sighting(seeing.now, certificate=False))
    (found,) = StoredSightings(tmp_path).of()
    assert found.basis is Basis.ADDRESS
    with sqlite3.connect(tmp_path / "0.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM certificate").fetchone() == (0,)


def test_a_connector_that_is_used_from_everywhere_keeps_its_latest(tmp_path: Path) -> None:
    seeing = Seeing(tmp_path)
    seeing.sees(*(sighting(NOON + number, address=f"10.0.{number // 250}.{number % 250}") for number in range(500)))
    seeing.now += 3600
    seeing.sees(sighting(seeing.now))
    found = StoredSightings(tmp_path).of()
    assert len(found) == 200
    assert min(each.last_at.timestamp() for each in found) == NOON + 301


def test_a_file_that_cannot_be_used_is_reported_and_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "0.sqlite").write_bytes(b"this is no database, and longer than a header of one" * 20)
    seeing = Seeing(tmp_path)
    seeing.sees(sighting(NOON))
    assert len(seeing.reports) == 1
    assert "sightings" in seeing.reports[0] and "cannot be written" in seeing.reports[0]
    seeing.close()


def test_nothing_seen_is_an_empty_list(tmp_path: Path) -> None:
    assert StoredSightings(tmp_path / "none").of() == []


def test_messages_are_counted_by_connector_for_24_hours_and_30_days(tmp_path: Path) -> None:
    first, second = Seeing(tmp_path, 0), Seeing(tmp_path, 1)
    day = 86400
    for days_ago, messages in ((40, 1000), (10, 100), (0, 10)):
        first.now = second.now = NOON - days_ago * day
        first.sees(replace(sighting(first.now), messages=messages), sighting(first.now, tenant="fabrikam"))
        second.sees(replace(sighting(first.now, address="192.0.2.2", certificate=False), messages=messages))
    first.now = NOON + 1
    first.sees(replace(sighting(NOON + 1), messages=1))
    contoso, fabrikam = StoredSightings(tmp_path).use(datetime.fromtimestamp(NOON + 2, UTC))
    assert (contoso.messages_24h, contoso.messages_30d) == (21, 221)
    assert (contoso.tenant, contoso.connector) == ("contoso", "mail")
    assert (contoso.last_at.timestamp(), contoso.address) == (NOON, "192.0.2.2")
    assert (fabrikam.messages_24h, fabrikam.messages_30d) == (0, 0)
    assert StoredSightings(tmp_path).use(datetime.fromtimestamp(NOON, UTC), "fabrikam") == [fabrikam]
    first.close()
    second.close()


def test_messages_of_one_second_are_counted_together_and_none_is_lost_when_the_log_is_closed(tmp_path: Path) -> None:
    seeing = Seeing(tmp_path)

    def counted() -> int:
        (use,) = StoredSightings(tmp_path).use(datetime.fromtimestamp(NOON + 9, UTC))
        return use.messages_24h

    one = replace(sighting(NOON), messages=1)
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
    seeing.sees(sighting(NOON))
    seeing.close()
    with closing(sqlite3.connect(tmp_path / "0.sqlite")) as connection, connection:
        connection.execute("DROP TABLE volume")
    (use,) = StoredSightings(tmp_path).use(datetime.fromtimestamp(NOON, UTC))
    assert (use.messages_24h, use.messages_30d) == (0, 0)


def test_a_file_that_a_worker_has_just_begun_is_read_as_empty(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "0.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert StoredSightings(tmp_path).of() == []
    assert StoredSightings(tmp_path).use(datetime.fromtimestamp(NOON, UTC)) == []
