"""What a worker does when the disk under its queue fails, and what the others do meanwhile."""

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from end_to_end.disk_faults import DiskFaults, disk_faults
from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.scene import with_two_tenants
from end_to_end.smtp_client import QUEUED, SmtpClient
from sink import Pause, Sink

SMALL = b"Subject: hello\r\n\r\nHello.\r\n"
LARGE = SMALL + (b"x" * 78 + b"\r\n") * 8_000

SENDERS = {"127.0.1.1": "ann@contoso.com", "127.0.2.1": "ben@fabrikam.com"}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> DiskFaults:
    return disk_faults(tmp_path_factory.mktemp("faults"))


@pytest.fixture
def relay(tmp_path: Path, sink: Sink) -> Iterator[Installation]:
    relay = Installation(tmp_path / "relay")
    with_two_tenants(relay, sink.port)
    yield relay
    if relay.process is not None:
        relay.stop()


@pytest.fixture
def disk(library: DiskFaults, tmp_path: Path, relay: Installation) -> DiskFaults:
    disk = DiskFaults(library.library, tmp_path / "disk-faults")
    disk.fail()
    relay.environment = disk.environment
    return disk


@pytest.fixture(scope="module")
def lasting_sink(outside: Outside) -> Sink:
    return outside.sink()


@pytest.fixture(scope="module")
def lasting(
    library: DiskFaults, tmp_path_factory: pytest.TempPathFactory, lasting_sink: Sink
) -> Iterator[tuple[Installation, DiskFaults]]:
    folder = tmp_path_factory.mktemp("lasting")
    relay, disk = Installation(folder / "relay"), DiskFaults(library.library, folder / "disk-faults")
    with_two_tenants(relay, lasting_sink.port)
    disk.fail()
    relay.environment = disk.environment
    with relay.serving():
        yield relay, disk


@pytest.fixture
def serving(lasting: tuple[Installation, DiskFaults], lasting_sink: Sink) -> Installation:
    """With an empty queue and a disk that is well."""
    relay, disk = lasting
    disk.fail()
    lasting_sink.behave()
    relay.here("queue", "remove", "--all", "--yes")
    wait_until(lambda: not relay.told("queue", "list")["recipients"], "the queue to be empty")
    lasting_sink.messages.clear()
    relay.output_begins_here()
    return relay


class Sessions:
    """One session with each worker, of different tenants."""

    def __init__(self, relay: Installation) -> None:
        self._of: dict[int, tuple[SmtpClient, str]] = {}
        wait_until(lambda: self._find_one_more(relay), "every worker to take mail", pause_s=0.02)

    def _find_one_more(self, relay: Installation) -> bool:
        address, sender = list(SENDERS.items())[len(self._of) % 2]
        smtp = SmtpClient(relay.port, source=address)
        worker = None
        if smtp.greeting.code == 220:
            smtp.ehlo()
            queued = QUEUED.match(smtp.message(sender, "found@outside.example", SMALL).text)
            worker = int(queued[1]) if queued else None
        if worker is None or worker in self._of:
            smtp.close()
        else:
            self._of[worker] = (smtp, sender)
        return len(self._of) == relay.workers

    def send(self, worker: int, to: str, content: bytes = SMALL) -> str:
        smtp, sender = self._of[worker]
        return smtp.message(sender, to, content).text

    def close(self) -> None:
        for smtp, _ in self._of.values():
            smtp.close()


FAILING = [
    ("write ENOSPC /queue/0.", SMALL, r"0\.sqlite: the disk is full: free space there"),
    ("write ENOSPC /queue/0.", LARGE, r"0\.spool: content cannot be written \(No space left on device\)"),
    ("write EROFS /queue/0.", SMALL, r"0\.sqlite: reading or writing failed: check the disk"),
    ("create EROFS /queue/0.", LARGE, r"0\.spool: content cannot be written \(Read-only file system\)"),
    ("write EIO /queue/0.sqlite", SMALL, r"0\.sqlite: reading or writing failed: check the disk"),
    ("sync EIO /queue/0.sqlite", SMALL, r"0\.sqlite: reading or writing failed: check the disk"),
    ("sync EIO /queue/0.sqlite", LARGE, r"0\.sqlite: reading or writing failed: check the disk"),
    ("sync EIO /queue/0.spool", LARGE, r"0\.spool: content cannot be written \(Input/output error\)"),
]


def test_a_failing_disk_refuses_for_now_keeps_what_is_stored_and_stops_nobody_else(
    relay: Installation, sink: Sink, disk: DiskFaults
) -> None:
    relay.start()
    sessions = Sessions(relay)
    kept = {f"defer-{worker}@outside.example" for worker in (0, 1)}
    for worker in (0, 1):
        assert sessions.send(worker, f"defer-{worker}@outside.example").startswith("250 ")
    wait_until(lambda: deferred(relay) == kept, "both to be deferred")
    for number, (fault, content, says) in enumerate(FAILING):
        _fail_and_recover(number, fault, content, says, relay, sink, disk, sessions)
        assert deferred(relay) == kept, fault
    # What was stored before is there, after a crash, too; and what was refused is not.
    for pid in relay.worker_pids():
        os.kill(pid, signal.SIGKILL)
    sessions.close()
    Sessions(relay).close()
    assert deferred(relay) == kept
    assert not [each for each in tuple(sink.messages) if each.recipients[0].startswith("refused")]
    assert not list((relay.data / "queue" / "0.spool").iterdir())


def _fail_and_recover(
    number: int,
    fault: str,
    content: bytes,
    says: str,
    relay: Installation,
    sink: Sink,
    disk: DiskFaults,
    sessions: Sessions,
) -> None:
    relay.output_begins_here()
    disk.fail(fault)
    for attempt in range(3):
        answer = sessions.send(0, f"refused-{number}-{attempt}@outside.example", content)
        assert answer.startswith(("451 4.3.", "452 4.3.")), (fault, answer)
        assert "store-unavailable" in answer, (fault, answer)
    assert sessions.send(1, f"beside-{number}@outside.example", content).startswith("250 "), fault
    taken(sink, to=f"beside-{number}@outside.example")
    relay.wait_for_output(f"store-unavailable .*{says}")
    disk.fail()
    after = f"after-{number}@outside.example"
    wait_until(lambda: sessions.send(0, after, content).startswith("250 "), f"mail to be taken again after {fault}")
    taken(sink, to=after)


def test_a_commit_whose_sync_failed_is_refused_though_the_next_sync_goes_well(
    serving: Installation, lasting: tuple[Installation, DiskFaults], lasting_sink: Sink
) -> None:
    """After a failed sync the kernel calls the pages clean: that the next one goes well says nothing of them."""
    (relay, disk), sink = lasting, lasting_sink
    sessions = Sessions(relay)
    disk.fail("sync EIO /queue/0.sqlite-wal")
    assert sessions.send(0, "refused@outside.example").startswith("451 ")
    disk.fail()
    assert sessions.send(0, "next@outside.example").startswith("250 ")
    taken(sink, to="next@outside.example")
    assert "refused@outside.example" not in {each.recipients[0] for each in tuple(sink.messages)}
    sessions.close()


def test_a_message_that_cannot_be_read_waits_and_others_go(
    serving: Installation, lasting: tuple[Installation, DiskFaults], lasting_sink: Sink
) -> None:
    (relay, disk), sink = lasting, lasting_sink
    sessions = Sessions(relay)
    disk.fail("read EIO /queue/0.spool/")
    assert sessions.send(0, "unreadable@outside.example", LARGE).startswith("250 ")
    assert sessions.send(0, "readable@outside.example").startswith("250 ")
    taken(sink, to="readable@outside.example")
    wait_until(lambda: deferred(relay) == {"unreadable@outside.example"}, "the message to wait")
    relay.wait_for_output("deferred .*unreadable@outside.example.*Input/output error")
    disk.fail()
    relay("queue", "retry", "--all")
    assert taken(sink, to="unreadable@outside.example").content.endswith(LARGE)
    sessions.close()


def test_delivery_stands_still_while_it_cannot_be_recorded_and_nothing_is_sent_twice(
    serving: Installation, lasting: tuple[Installation, DiskFaults], lasting_sink: Sink
) -> None:
    (relay, disk), sink = lasting, lasting_sink
    sessions = Sessions(relay)
    # The next hop takes it while the disk fails.
    sink.answer("END", Pause(1.0), b"250 2.6.0 taken\r\n")
    assert sessions.send(0, "once@outside.example").startswith("250 ")
    disk.fail("write EIO /queue/0.sqlite")
    taken(sink, to="once@outside.example")
    relay.wait_for_output("delivery is stopped until the queue can be written")
    assert sessions.send(1, "beside@outside.example").startswith("250 ")
    taken(sink, to="beside@outside.example")
    disk.fail()
    wait_until(lambda: not relay.told("queue", "list")["recipients"], "the queue to be empty")
    assert [each.recipients[0] for each in sink.messages].count("once@outside.example") == 1
    sessions.close()


# Files that are damaged while nobody looks


def newer(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 99")
    connection.commit()
    connection.close()


def truncated(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)


def overwritten(file: Path) -> None:
    file.write_bytes(b"this is no database" * 1000)


DAMAGES: list[tuple[Callable[[Path], None], str]] = [
    (newer, r"0\.sqlite is from a newer Gatepost \(format 99"),
    (truncated, r"0\.sqlite is damaged .*stop Gatepost, move the file"),
    (overwritten, r"0\.sqlite is damaged .*stop Gatepost, move the file"),
]


def test_a_damaged_queue_file_stops_its_worker_only_and_is_named(relay: Installation, sink: Sink) -> None:
    relay.start()
    sessions = Sessions(relay)
    for worker in (0, 1):
        assert sessions.send(worker, f"defer-{worker}@outside.example").startswith("250 ")
    wait_until(lambda: len(deferred(relay)) == 2, "both to be deferred")
    sessions.close()
    relay.stop()
    file = relay.data / "queue" / "0.sqlite"
    whole = file.read_bytes()
    for damage, says in DAMAGES:
        damage(file)
        damaged = file.read_bytes()
        relay.start()
        relay.wait_for_output(f"worker 0.*{says}")
        _is_served_by_the_other(relay, sink, damage.__name__)
        # Not an octet of it was changed.
        assert file.read_bytes() == damaged
        done = relay.here("queue", "list")
        assert "defer-1@outside.example" in done.stdout
        (line,) = done.stderr.splitlines()
        assert "0.sqlite" in line and done.returncode == 1
        if (damage, says) != DAMAGES[-1]:
            relay.stop()
        file.write_bytes(whole)
    # Once the file is repaired the worker comes back by itself.
    Sessions(relay).close()
    assert deferred(relay) == {"defer-0@outside.example", "defer-1@outside.example"}


def _is_served_by_the_other(relay: Installation, sink: Sink, damage: str) -> None:
    answers = set()
    for number in range(16):
        with SmtpClient(relay.port, source="127.0.2.1") as smtp:
            answers.add(smtp.greeting.code)
            if smtp.greeting.code == 220:
                smtp.ehlo()
                to = f"beside-{damage}-{number}@outside.example"
                assert smtp.message("ben@fabrikam.com", to, SMALL).text.startswith("250 2.6.0 1-")
                taken(sink, to=to)
            else:
                assert smtp.greeting.text.startswith("421 4.3.0 store-unavailable")
                assert smtp.closed()
    assert answers == {220, 421}


def test_a_torn_last_page_of_the_log_costs_nothing_that_was_acknowledged(relay: Installation, sink: Sink) -> None:
    """Power fails while a commit is being written: its frame is cut short, or holds what the disk made of it."""
    relay.start()
    sessions = Sessions(relay)
    assert sessions.send(0, "defer-0@outside.example").startswith("250 ")
    wait_until(lambda: deferred(relay) == {"defer-0@outside.example"}, "it to be deferred")
    relay.kill()
    sessions.close()
    log = relay.data / "queue" / "0.sqlite-wal"
    with log.open("ab") as opened:
        opened.write(log.read_bytes()[32 : 32 + 24] + os.urandom(5_000))
    relay.start()
    Sessions(relay).close()
    assert deferred(relay) == {"defer-0@outside.example"}


def deferred(relay: Installation) -> set[str]:
    """Recipients that were tried and wait."""
    listed = relay.told("queue", "list")["messages"]
    return {each["recipient"]["forward_path"] for each in listed if each["recipient"]["attempts"]}
