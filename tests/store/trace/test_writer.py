"""Whole days go, the oldest of whoever has too much; what is written today stays."""

import errno
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from contracts.trace_store_contract import NOON, ids, received
from gatepost.store.trace.day_file import DamagedFile, day_file, open_to_read
from gatepost.store.trace.reader import SqliteTraceReader
from gatepost.store.trace.writer import Retention, SqliteTraceWriter, remove_old
from gatepost.trace.search import Share, Wanted

TODAY = date(2026, 12, 1)
DAY_S = 86400.0


def sized(folder: Path, share: Share, days_ago: int, octets: int, worker: int = 0) -> Path:
    file = day_file(folder, share, date.fromordinal(TODAY.toordinal() - days_ago), worker)
    file.path.parent.mkdir(parents=True, exist_ok=True)
    file.path.write_bytes(b"\0" * octets)
    return file.path


def test_days_that_are_too_old_go_whole_with_all_workers(tmp_path: Path) -> None:
    old = [sized(tmp_path, "tenants", 3, 10, worker) for worker in range(2)]
    kept = [sized(tmp_path, "tenants", 1, 10), sized(tmp_path, "tenants", 0, 10)]
    assert remove_old(tmp_path, Retention(max_age_s=2 * DAY_S, max_octets=0), TODAY, NOON) == set()
    assert not any(each.exists() for each in old) and all(each.exists() for each in kept)


def test_beyond_the_octets_the_oldest_day_of_the_share_furthest_beyond_its_part_goes(tmp_path: Path) -> None:
    flood = [sized(tmp_path, "strangers", ago, 400) for ago in (2, 1)]
    tenants = [sized(tmp_path, "tenants", ago, 150) for ago in (9, 0)]
    remove_old(tmp_path, Retention(max_age_s=0.0, max_octets=1000), TODAY, NOON)
    assert [each.exists() for each in flood] == [False, True]
    assert all(each.exists() for each in tenants)


def test_a_share_that_holds_too_much_of_today_takes_no_more_and_the_others_do(tmp_path: Path) -> None:
    sized(tmp_path, "busy-strangers", 0, 5000)
    sized(tmp_path, "tenants", 1, 100)
    retention = Retention(max_age_s=0.0, max_octets=1000)
    assert remove_old(tmp_path, retention, TODAY, NOON) == {"busy-strangers"}
    said: list[str] = []
    writer = SqliteTraceWriter(tmp_path, 3, retention, lambda: NOON, report=said.append)
    writer.write("busy-strangers", [received(refused=True)])
    writer.write("tenants", [row := received()])
    writer.close()
    assert len(said) == 1 and "busy-strangers" in said[0] and "max_folder_size" in said[0]
    assert not list((tmp_path / "busy-strangers").glob("*-w3-*"))
    assert ids(SqliteTraceReader(tmp_path).search(Wanted(rcpt_to=row.rcpt_to), 5).items) == [row.id]


def test_a_damaged_file_is_left_alone_and_the_trace_goes_on_in_another(tmp_path: Path) -> None:
    sized(tmp_path, "tenants", 0, 9000).write_bytes(b"nonsense" * 2000)
    said: list[str] = []
    writer = SqliteTraceWriter(tmp_path, 0, Retention(max_age_s=0.0, max_octets=0), lambda: NOON, report=said.append)
    writer.write("tenants", [row := received()])
    writer.close()
    found = SqliteTraceReader(tmp_path).search(Wanted(), 5)
    assert (ids(found.items), len(found.damaged)) == ([row.id], 1)


def test_a_file_that_is_finished_can_be_found_in_by_terms_alone_and_has_no_log(tmp_path: Path) -> None:
    now = NOON
    writer = SqliteTraceWriter(tmp_path, 0, Retention(max_age_s=0.0, max_octets=0), lambda: now)
    writer.write("tenants", [row := received()])
    now += DAY_S
    writer.write("tenants", [received(now)])
    path = tmp_path / "tenants" / "20261201-w0-1.sqlite"
    assert not path.with_name(f"{path.name}-wal").exists()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM term").fetchone()[0] > 4
    assert ids(SqliteTraceReader(tmp_path).search(Wanted(rcpt_to=row.rcpt_to), 5).items) == [row.id]
    writer.close()


def test_more_rows_of_one_millisecond_than_have_room_follow_in_the_next_ones(tmp_path: Path) -> None:
    writer = SqliteTraceWriter(tmp_path, 0, Retention(max_age_s=0.0, max_octets=0), lambda: NOON)
    rows = [received(NOON) for _ in range(100)]
    writer.write("tenants", rows[:50])
    writer.write("tenants", rows[50:])
    writer.close()
    found = SqliteTraceReader(tmp_path).search(Wanted(), 500).items
    assert ids(found) == [each.id for each in reversed(rows)]
    assert all(NOON <= each.received.at < NOON + 0.01 for each in found)


def test_what_a_file_held_when_its_writer_was_killed_is_kept_beside_what_follows(tmp_path: Path) -> None:
    first = SqliteTraceWriter(tmp_path, 0, Retention(max_age_s=0.0, max_octets=0), lambda: NOON)
    first.write("tenants", [one := received()])
    # Not closed: its process is gone.
    second = SqliteTraceWriter(tmp_path, 0, Retention(max_age_s=0.0, max_octets=0), lambda: NOON)
    second.write("tenants", [other := received()])
    assert set(ids(SqliteTraceReader(tmp_path).search(Wanted(), 5).items)) == {one.id, other.id}
    first.close()
    second.close()


def test_a_file_that_is_opened_again_numbers_behind_what_was_fresh_in_it(tmp_path: Path) -> None:
    said: list[str] = []
    row = received()
    for rows in ({"received": [], "fresh": [row]}, {"received": [row]}):
        writer = SqliteTraceWriter(
            tmp_path, 0, Retention(max_age_s=0.0, max_octets=0), lambda: NOON, report=said.append
        )
        writer.write("tenants", **rows)
        writer.close()
    assert said == []
    assert len(list((tmp_path / "tenants").glob("*.sqlite"))) == 1
    assert row.id in ids(SqliteTraceReader(tmp_path).search(Wanted(rcpt_to=row.rcpt_to), 5).items)


def test_a_row_that_comes_after_its_day_was_finished_is_found(tmp_path: Path) -> None:
    now = NOON
    writer = SqliteTraceWriter(tmp_path, 0, Retention(max_age_s=0.0, max_octets=0), lambda: now)
    writer.write("tenants", [early := received(NOON)])
    now = NOON + 2 * DAY_S
    writer.write("tenants", [late := received(NOON + 1)])
    found = SqliteTraceReader(tmp_path)
    assert sorted(ids(found.search(Wanted(), 5).items)) == sorted([early.id, late.id])
    assert ids(found.search(Wanted(rcpt_to=late.rcpt_to), 5).items) == [late.id]
    writer.close()


@pytest.mark.parametrize("hindered_by", ["a search that has it open", "a disk without room for a summary"])
def test_a_day_that_cannot_be_finished_yet_is_finished_later_and_hinders_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hindered_by: str
) -> None:
    now = NOON
    said: list[str] = []
    writer = SqliteTraceWriter(
        tmp_path, 0, Retention(max_age_s=5 * DAY_S, max_octets=0), lambda: now, report=said.append
    )
    old = sized(tmp_path, "tenants", 5, 10, worker=1)
    for share in ("strangers", "tenants"):
        writer.write(share, [received(NOON)])
    file = day_file(tmp_path, "tenants", TODAY, 0)
    other = day_file(tmp_path, "strangers", TODAY, 0)
    rows = []
    with closing(open_to_read(file)) as search:
        search.execute("SELECT * FROM recipient").fetchall()
        if "search" not in hindered_by:
            search.close()
            monkeypatch.setattr("gatepost.store.trace.summary.write", no_room)
        for _ in range(3):
            now += DAY_S if not rows else 601
            rows.append(received(now, rcpt_to="later@outside.example"))
            writer.write("tenants", rows[-1:])
    assert (file.summary.exists(), other.is_open, old.exists()) == (False, False, False)
    writer.close()
    monkeypatch.undo()
    again = SqliteTraceWriter(
        tmp_path, 0, Retention(max_age_s=5 * DAY_S, max_octets=0), lambda: now, report=said.append
    )
    for _ in range(2):
        now += 601
        again.write("strangers", [])
    assert [(each.summary.exists(), each.is_open) for each in (file, other)] == [(True, False)] * 2
    assert said == []
    again.close()
    found = SqliteTraceReader(tmp_path).search(Wanted(rcpt_to="later@outside.example"), 9)
    assert (len(found.items), found.damaged) == (3, [])


def test_what_can_be_written_nowhere_is_an_error_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2):
        day_file(tmp_path, "tenants", TODAY, 0, number).path.parent.mkdir(exist_ok=True)
        day_file(tmp_path, "tenants", TODAY, 0, number).path.write_bytes(b"nonsense" * 2000)
    writer = SqliteTraceWriter(tmp_path, 0, Retention(max_age_s=0.0, max_octets=0), lambda: NOON)
    monkeypatch.setattr("gatepost.store.trace.writer.open_to_write", damaged)
    with pytest.raises(OSError, match="is damaged"):
        writer.write("tenants", [received()])
    writer.close()


def no_room(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def damaged(file: object) -> None:
    raise DamagedFile(f"{file} is damaged")
