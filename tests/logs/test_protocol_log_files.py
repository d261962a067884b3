"""Protocol log files: rotation, limits, several writers, a full disk."""

import errno
import fcntl
import multiprocessing
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gatepost.logs.log_series import EXCHANGE_LIMITS, FileLimits, FileNames, LogSeries
from gatepost.logs.log_writer import LogWriter
from gatepost.logs.protocol_log_files import FollowedProtocolLogs, ProtocolLogFiles, StoredProtocolLogs
from gatepost.mail.session_id import SessionIds
from gatepost.protocol_log.codec import RecordWriter, Side, read_protocol_log
from gatepost.protocol_log.record import Event, ProtocolLogRecord

HOUR = 3600.0
NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC


class Clock:
    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def row(session_id: str = "08DD34FA3086278D", number: int = 0, data: str = "x") -> ProtocolLogRecord:
    return ProtocolLogRecord(NOON, "c", session_id, number, "10.0.0.1:25", "192.0.2.1:5", Event.SEND, data, "")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def send_log(folder: Path, clock: Clock, limits: FileLimits = EXCHANGE_LIMITS, **more: object) -> ProtocolLogFiles:
    return ProtocolLogFiles(folder, Side.SEND, LogWriter(**more), limits, clock)  # type: ignore[arg-type]


def test_what_is_added_is_in_the_file_after_close(tmp_path: Path) -> None:
    writer = LogWriter()
    log = ProtocolLogFiles(tmp_path / "send", Side.SEND, writer, clock=Clock())
    writer.start()
    rows = [row(number=number) for number in range(3000)]
    for each in rows:
        log.add(each)
    writer.close()
    [path] = (tmp_path / "send").iterdir()
    assert path.name == "SEND2026010112-1.LOG"
    assert path.stat().st_mode & 0o777 == 0o640
    read = read_protocol_log(path.read_bytes())
    assert [record for _, record in read.records] == rows
    assert read.side is Side.SEND


def test_a_writer_that_fell_asleep_wakes_for_the_next_row(tmp_path: Path) -> None:
    writer = LogWriter()
    log = ProtocolLogFiles(tmp_path, Side.RECEIVE, writer)
    writer.start()
    while not writer.idle:
        time.sleep(0.01)
    log.add(row())
    while log.waiting:
        time.sleep(0.01)
    writer.close()
    [path] = tmp_path.iterdir()
    assert path.name.startswith("RECV")


def test_every_hour_begins_a_file(tmp_path: Path) -> None:
    clock = Clock()
    log = send_log(tmp_path, clock)
    for _ in range(2):
        log.add(row())
        log.flush()
        clock.now += HOUR
    log.add(row())
    log.flush()
    assert names(tmp_path) == ["SEND2026010112-1.LOG", "SEND2026010113-1.LOG", "SEND2026010114-1.LOG"]


def test_a_file_that_is_full_is_followed_by_the_next_number(tmp_path: Path) -> None:
    log = send_log(tmp_path, Clock(), replace(EXCHANGE_LIMITS, file_size=4096))
    for _ in range(6):
        log.add(row(data="x" * 1000))
        log.flush()
    assert names(tmp_path) == ["SEND2026010112-1.LOG", "SEND2026010112-2.LOG"]
    assert all(path.stat().st_size <= 4096 for path in tmp_path.iterdir())


def test_the_folder_keeps_its_size_by_losing_the_oldest_files(tmp_path: Path) -> None:
    clock = Clock()
    log = send_log(tmp_path, clock, replace(EXCHANGE_LIMITS, folder_size=5000))
    for _ in range(5):
        log.add(row(data="x" * 2000))
        log.flush()
        clock.now += HOUR
    assert names(tmp_path) == ["SEND2026010114-1.LOG", "SEND2026010115-1.LOG", "SEND2026010116-1.LOG"]


def test_files_past_their_age_go_and_other_files_stay(tmp_path: Path) -> None:
    clock = Clock()
    (tmp_path / "SEND-notes.LOG").touch()
    (tmp_path / "SEND2026010101-1.LOG.gz").touch()
    log = send_log(tmp_path, clock, replace(EXCHANGE_LIMITS, max_age_s=86400))
    log.add(row())
    log.flush()
    clock.now += 2 * 86400
    log.add(row())
    log.flush()
    assert names(tmp_path) == ["SEND-notes.LOG", "SEND2026010101-1.LOG.gz", "SEND2026010312-1.LOG"]


def test_a_file_that_another_worker_writes_is_never_removed(tmp_path: Path) -> None:
    clock = Clock()
    other = send_log(tmp_path, clock)
    other.add(row())
    other.flush()
    clock.now += 90 * 86400
    log = send_log(tmp_path, clock)
    log.add(row())
    log.flush()
    assert "SEND2026010112-1.LOG" in names(tmp_path)


def test_a_file_that_was_removed_under_the_writer_is_begun_again(tmp_path: Path) -> None:
    log = send_log(tmp_path, Clock())
    log.add(row())
    log.flush()
    (tmp_path / "SEND2026010112-1.LOG").unlink()
    log.add(row())
    log.flush()
    assert len(read_protocol_log((tmp_path / "SEND2026010112-1.LOG").read_bytes()).records) == 1


def test_a_full_disk_costs_rows_one_report_each_way_and_no_exception(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, reports = Clock(), []
    log = send_log(tmp_path, clock, report=reports.append)

    def full(fd: int, octets: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        for _ in range(3):
            log.add(row())
            log.flush()
            clock.now += 10
    assert len(reports) == 1
    assert "No space left" in reports[0]
    assert names(tmp_path) == []
    log.add(row())
    log.flush()
    assert len(reports) == 2
    assert "3 entries are missing" in reports[1]
    [path] = tmp_path.iterdir()
    assert len(read_protocol_log(path.read_bytes()).records) == 1


def test_a_disk_that_stands_still_costs_rows_and_never_memory(tmp_path: Path) -> None:
    log = send_log(tmp_path, Clock())
    for _ in range(50_010):
        log.add(row())
    assert (log.waiting, log.lost) == (50_000, 10)


def _write_many(folder: Path, worker: int) -> None:
    writer = LogWriter()
    log = ProtocolLogFiles(folder, Side.SEND, writer, replace(EXCHANGE_LIMITS, file_size=50_000), Clock())
    writer.start()
    for number in range(2000):
        log.add(row(session_id=f"{worker:016X}", number=number))
    writer.close()


def test_two_processes_write_into_one_folder_and_no_row_is_lost_or_broken(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write_many, args=(tmp_path, worker)) for worker in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    logs = [read_protocol_log(path.read_bytes()) for path in tmp_path.iterdir()]
    assert not any(log.damaged for log in logs)
    assert all(len({record.session_id for _, record in log.records}) == 1 for log in logs)
    written = sorted((record.session_id, record.sequence_number) for log in logs for _, record in log.records)
    assert written == [(f"{worker:016X}", number) for worker in range(2) for number in range(2000)]


def test_a_header_that_cannot_be_written_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series = LogSeries(tmp_path, FileNames(prefix="SEND", suffix=".LOG"), EXCHANGE_LIMITS, lambda now: b"header", print)
    monkeypatch.setattr(fcntl, "flock", _no_locks)
    with pytest.raises(OSError, match="no locks"):
        series.begin(NOON, 0)
    assert names(tmp_path) == []


def _no_locks(fd: int, operation: int) -> None:
    raise OSError(errno.ENOLCK, "no locks")


def test_a_session_is_found_in_all_its_files_and_sides(tmp_path: Path) -> None:
    clock = Clock()
    session_id = SessionIds(3).next(NOON)
    folders = {Side.SEND: tmp_path / "send", Side.RECEIVE: tmp_path / "receive"}
    log = send_log(folders[Side.SEND], clock)
    wanted = [row(session_id, 0), row(session_id, 1)]
    for each in wanted:
        log.add(row())
        log.add(each)
        log.flush()
        clock.now += HOUR
    logs = StoredProtocolLogs(folders)
    assert logs.session(session_id) == wanted
    assert logs.session("F" * 16) == []
    assert logs.session(SessionIds(4).next(NOON)) == []
    assert logs.oldest() is not None


def test_a_remote_hosts_session_id_leads_to_the_session_in_which_it_was_said(tmp_path: Path) -> None:
    ids, clock = SessionIds(3), Clock()
    theirs, ours, other = (SessionIds(1).next(NOON), ids.next(NOON), ids.next(NOON))
    refusal = f"550 5.7.64 TenantAttribution; Relay Access Denied [relay 2026-01-01T12:00:00.000Z {theirs}]"
    log = send_log(tmp_path, clock)
    wanted = [row(ours, 0), row(ours, 1, refusal), row(ours, 2, "QUIT")]
    for each in (row(other, 0), *wanted):
        log.add(each)
    log.flush()
    logs = StoredProtocolLogs({Side.SEND: tmp_path})
    assert logs.session(theirs) == wanted
    assert logs.session(ours) == wanted


def test_rows_are_followed_as_they_are_written_across_files(tmp_path: Path) -> None:
    clock = Clock()
    log = send_log(tmp_path, clock)
    log.add(row(number=0))
    log.flush()
    followed = FollowedProtocolLogs({Side.SEND: tmp_path, Side.RECEIVE: tmp_path / "none"})
    assert followed.new_rows() == []
    seen = []
    for number in range(1, 4):
        log.add(row(number=number))
        log.flush()
        seen += followed.new_rows()
        clock.now += HOUR
    assert [each.sequence_number for each in seen] == [1, 2, 3]


def test_a_row_that_is_still_being_written_is_followed_when_it_is_whole(tmp_path: Path) -> None:
    followed = FollowedProtocolLogs({Side.SEND: tmp_path})
    line = RecordWriter().text([row()]).encode()
    path = tmp_path / "SEND2026010112-1.LOG"
    path.write_bytes(line + line[:40])
    assert len(followed.new_rows()) == 1
    path.write_bytes(line + line)
    assert len(followed.new_rows()) == 1
