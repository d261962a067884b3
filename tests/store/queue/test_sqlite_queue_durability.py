"""Law 1: what was acknowledged is on stable storage, whatever happens to the process or the disk afterwards."""

import asyncio
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from contracts.queue_messages import RECEIVED_AT, message
from gatepost.queue.store import Avoid, StoreDamaged, StoreUnavailable
from gatepost.store.queue.admin import SqliteQueueAdmin
from gatepost.store.queue.sqlite_queue import SqliteQueueStore

TESTS = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{TESTS.parent / 'src'}:{TESTS}"}
LARGE = 200_000
ENDLESS = 10**9


def command(folder: Path, number: int, size: int, at_once: int, largest_file: int | None = None) -> list[str]:
    script = str(Path(__file__).with_name("queue_child.py"))
    limit = [] if largest_file is None else [str(largest_file)]
    return [sys.executable, script, str(folder), str(number), str(size), str(at_once), *limit]


def accepted(lines: Sequence[str]) -> dict[str, str]:
    return {words[1]: words[2] for words in map(str.split, lines) if words[:1] == ["accepted"]}


def stored(folder: Path) -> dict[str, str]:
    """What a worker that starts now would deliver: recipient and id; contents are checked on the way."""

    async def read() -> dict[str, str]:
        store = SqliteQueueStore(folder, 0)
        found = {}
        for claim in store.claim_due(RECEIVED_AT, 100_000, Avoid()):
            to = claim.recipients[0].forward_path
            content = b"".join(store.open_content(claim.message).chunks())
            assert content.startswith(to.encode() + b".")
            assert len(content) == claim.message.size
            found[to] = claim.message.id
        await store.close()
        return found

    return asyncio.run(read())


@pytest.mark.parametrize("size", [2_000, LARGE])
def test_every_acknowledged_message_survives_kill_9(tmp_path: Path, size: int) -> None:
    process = subprocess.Popen(command(tmp_path, ENDLESS, size, 10), env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(100)]
    process.send_signal(signal.SIGKILL)
    lines += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    acknowledged = accepted([line for line in lines if line.endswith("\n")])
    assert len(acknowledged) >= 99
    assert acknowledged.items() <= stored(tmp_path).items()


def test_a_disk_that_takes_no_more_refuses_and_loses_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path, 100, 20_000, 5, largest_file=800_000),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    refused = [line for line in lines if line.startswith("refused")]
    assert len(accepted(lines)) > 10
    assert len(refused) > 10
    assert "0.sqlite: reading or writing failed: check the disk" in refused[0]
    assert stored(tmp_path) == accepted(lines)


def traced(folder: Path, size: int) -> str:
    """What a worker that accepts three messages asks of the system. Skips where nothing can be traced; CI can."""
    trace = folder / "trace"
    calls = "write,pwrite64,fsync,fdatasync,rename,openat,close,mkdir"
    options = ["-f", "-y", "-s", "40", "-o", str(trace), "-e", f"trace={calls}"]
    problem = "strace is not installed"
    if shutil.which("strace"):
        done = subprocess.run(
            ["strace", *options, *command(folder / "data" / "q", 3, size, 1)], env=ENVIRONMENT, capture_output=True
        )
        if done.returncode == 0:
            return trace.read_text("utf-8", "replace")
        problem = "strace may not trace here"
    assert os.environ.get("CI") != "true", problem
    pytest.skip(problem)


@pytest.mark.parametrize("size", [2_000, LARGE])
def test_new_files_and_the_folders_they_are_in_are_synced_before_the_first_acknowledgement(
    tmp_path: Path, size: int
) -> None:
    calls = _calls(traced(tmp_path, size))
    acknowledged = next(at for at, call in enumerate(calls) if re.match(r"write.*\"accepted", call))
    for name, folder in (("0.sqlite", "q"), ("0.sqlite-wal", "q"), ("0.spool", "q"), ("q", "data")):
        made = next(at for at, call in enumerate(calls) if re.match(rf'(openat|mkdir)\(.*/{re.escape(name)}"', call))
        synced = rf"fsync\(\d+<{re.escape(str(tmp_path))}/.*\b{folder}>"
        assert any(re.match(synced, call) for call in calls[made:acknowledged]), name
    written = [at for at, call in enumerate(calls[:acknowledged]) if re.match(r"pwrite64\(\d+<[^>]*0\.sqlite>", call)]
    assert any(re.match(r"f(data)?sync\(\d+<[^>]*0\.sqlite>", call) for call in calls[written[-1] : acknowledged])


@pytest.mark.parametrize("size", [2_000, LARGE])
def test_the_content_is_synced_before_it_is_acknowledged(tmp_path: Path, size: int) -> None:
    events = _events(traced(tmp_path, size))
    assert events.count("acknowledged") == 3
    unsynced: set[str] = set()
    for event in events:
        kind, _, name = event.partition(" ")
        if kind == "wrote":
            unsynced.add(name)
        elif kind == "synced":
            unsynced.discard(name)
        elif kind == "renamed":
            unsynced.add("folder")
        else:
            assert not unsynced
    assert "wrote wal" in events
    assert ("wrote spool" in events) == (size == LARGE)


def _events(trace: str) -> list[str]:
    """What happened to the queue's files after it was open, in the order in which the calls returned."""
    events: list[str] = []
    unfinished: dict[str, str] = {}
    is_open = False
    for line in trace.splitlines():
        thread, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            unfinished[thread] = call
            # A write counts from its begin, a sync from its end.
            if re.match(r"p?write", call):
                events += _event(call)
            continue
        if call.startswith("<..."):
            call = unfinished.pop(thread, "")
            if re.match(r"p?write", call):
                continue
        is_open = is_open or '"open' in call
        if is_open:
            events += _event(call)
    return events


def _calls(trace: str) -> list[str]:
    """The calls in the order in which they returned."""
    calls: list[str] = []
    unfinished: dict[str, str] = {}
    for line in trace.splitlines():
        thread, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            unfinished[thread] = call
        else:
            calls.append(unfinished.pop(thread, "") if call.startswith("<...") else call)
    return calls


def _event(call: str) -> list[str]:
    name = next((name for mark, name in _FILES.items() if mark in call), None)
    if re.match(r"write.*\"accepted", call):
        return ["acknowledged"]
    if name and re.match(r"p?write", call):
        return [f"wrote {name}"]
    if name and re.match(r"f(data)?sync", call):
        return [f"synced {name}"]
    return ["renamed"] if call.startswith("rename") and ".spool" in call else []


_FILES = {".sqlite-wal>": "wal", ".spool/": "spool", ".spool>": "folder"}


# -- Files that cannot be used


def test_a_queue_has_one_worker(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = SqliteQueueStore(tmp_path, 0)
        with pytest.raises(StoreUnavailable, match=f"queue 0 is in use by process {os.getpid()}"):
            SqliteQueueStore(tmp_path, 0)
        await SqliteQueueStore(tmp_path, 1).close()
        await store.close()
        await SqliteQueueStore(tmp_path, 0).close()

    asyncio.run(scenario())


def test_a_file_from_a_newer_gatepost_is_not_touched(tmp_path: Path) -> None:
    asyncio.run(_closed(tmp_path))
    with sqlite3.connect(tmp_path / "0.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreDamaged, match=r"0\.sqlite is from a newer Gatepost \(format 99, this one reads up to 4\)"):
        SqliteQueueStore(tmp_path, 0)


def test_a_file_of_another_program_is_not_touched(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "0.sqlite") as connection:
        connection.execute("CREATE TABLE precious (data TEXT)")
    connection.close()
    before = (tmp_path / "0.sqlite").read_bytes()
    with pytest.raises(StoreDamaged, match="is not a Gatepost queue file: move it away"):
        SqliteQueueStore(tmp_path, 0)
    assert (tmp_path / "0.sqlite").read_bytes() == before


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "0.sqlite").write_bytes(b"this was a queue once " * 1000)
    says = r"0\.sqlite is damaged .*: stop Gatepost, move the file"
    with pytest.raises(StoreDamaged, match=says):
        SqliteQueueStore(tmp_path, 0)
    with pytest.raises(StoreDamaged, match=says):
        SqliteQueueAdmin(tmp_path).message("0-1")


def test_a_folder_that_cannot_be_made_is_the_stores_refusal(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    with pytest.raises(StoreUnavailable, match="data"):
        SqliteQueueStore(tmp_path / "data" / "queue", 0)


async def _closed(folder: Path) -> None:
    store = SqliteQueueStore(folder, 0)
    await store.accept(message(), claim=False)
    await store.close()
