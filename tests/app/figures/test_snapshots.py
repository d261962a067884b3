"""What ended workers counted stays counted, once."""

import asyncio
import os
from pathlib import Path
from typing import Any

from gatepost.app.figures import snapshots

NOON = 1_796_126_400.0


def worker(number: int, pid: int, accepted: int) -> dict[str, Any]:
    return {
        "number": number,
        "pid": pid,
        "at": NOON,
        "counters": {"accepted": [[accepted]], "by": [["a", accepted], ["b", 1]]},
        "histograms": {"seconds": {"counts": [accepted, 0], "sum": 0.5}},
        "minutes": {"7": {"accepted": accepted, "refused": {"x": 1}}},
    }


def begin(folder: Path, *workers: dict[str, Any]) -> None:
    snapshots.begin(folder, {"pid": os.getpid(), "version": "1", "started_at": NOON})
    for each in workers:
        snapshots.write(snapshots.worker_file(folder, each["number"]), each)


def accepted(folder: Path) -> int:
    value: int = snapshots.read(folder).total["counters"]["accepted"][0][0]
    return value


def test_workers_are_added_up(tmp_path: Path) -> None:
    begin(tmp_path, worker(0, 11, 3), worker(1, 12, 4))
    total = snapshots.read(tmp_path).total
    assert total["counters"] == {"accepted": [[7]], "by": [["a", 7], ["b", 2]]}
    assert total["histograms"] == {"seconds": {"counts": [7, 0], "sum": 1.0}}
    assert total["minutes"] == {"7": {"accepted": 7, "refused": {"x": 2}}}


def test_what_a_worker_counted_stays_when_it_ends_and_its_successor_begins_at_nothing(tmp_path: Path) -> None:
    begin(tmp_path, worker(0, 11, 3), worker(1, 12, 4))
    snapshots.fold(tmp_path, 0, restarted=True)
    assert accepted(tmp_path) == 7
    snapshots.write(snapshots.worker_file(tmp_path, 0), worker(0, 13, 1))
    found = snapshots.read(tmp_path)
    assert accepted(tmp_path) == 8 and found.serve and found.serve["restarts"] == 1


def test_one_that_was_added_counts_no_second_time_while_its_file_is_still_there(tmp_path: Path) -> None:
    begin(tmp_path, worker(0, 11, 3))
    file = snapshots.worker_file(tmp_path, 0)
    octets = file.read_bytes()
    snapshots.fold(tmp_path, 0, restarted=True)
    file.write_bytes(octets)
    assert accepted(tmp_path) == 3


def test_a_new_run_begins_at_nothing_and_a_folder_without_a_server_says_so(tmp_path: Path) -> None:
    assert not snapshots.read(tmp_path / "none").is_running
    begin(tmp_path, worker(0, 11, 3))
    begin(tmp_path)
    found = snapshots.read(tmp_path)
    assert found.total["counters"] == {} and found.workers == []


def test_a_file_that_is_no_snapshot_is_left_out(tmp_path: Path) -> None:
    begin(tmp_path, worker(0, 11, 3))
    (tmp_path / "w1.json").write_text("{half")
    assert accepted(tmp_path) == 3


def test_only_workers_that_were_heard_of_lately_are_fresh(tmp_path: Path) -> None:
    begin(tmp_path, worker(0, 11, 3))
    found = snapshots.read(tmp_path)
    assert (len(found.fresh(NOON + 5)), len(found.fresh(NOON + 60))) == (1, 0)


def test_a_snapshot_that_fails_is_reported_once_and_the_next_are_written() -> None:
    tried: list[int] = []
    reported: list[Exception] = []

    async def run() -> None:
        written = asyncio.Event()
        loop = asyncio.get_running_loop()

        def write() -> None:
            tried.append(1)
            if len(tried) < 3:
                raise RuntimeError("dictionary changed size during iteration")
            loop.call_soon_threadsafe(written.set)

        keeping = asyncio.create_task(snapshots.keep_writing(write, 0.0, reported.append))
        await asyncio.wait_for(written.wait(), 60)
        keeping.cancel()

    asyncio.run(run())
    assert [str(each) for each in reported] == ["dictionary changed size during iteration"]
