"""Entries as systemd's journal reads them: at a datagram socket of our own."""

import os
import socket
import struct
from pathlib import Path

import pytest

from gatepost.logs.event_log import EventLog
from gatepost.logs.journal import Journal, entry, field_name, message_id
from gatepost.logs.log_writer import LogWriter

NOON = 1_767_268_800.0


class OwnJournal:
    """Takes datagrams as journald does."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "socket")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(10)

    def close(self) -> None:
        self._socket.close()
        Path(self.path).unlink()

    def taken(self) -> dict[str, str]:
        octets, descriptors, _, _ = socket.recv_fds(self._socket, 1 << 20, 1)
        for each in descriptors:
            # A file is given away with the reader's place at its end.
            octets = os.pread(each, 1 << 24, 0)
            os.close(each)
        return fields(octets)


def fields(octets: bytes) -> dict[str, str]:
    found = {}
    while octets:
        head, _, rest = octets.partition(b"\n")
        name, equals, value = head.partition(b"=")
        if not equals:
            length = struct.unpack("<Q", rest[:8])[0]
            value, octets = rest[8 : 8 + length], rest[8 + length :].removeprefix(b"\n")
        else:
            octets = rest
        assert name.decode() not in found
        found[name.decode()] = value.decode()
    return found


def log_to(path: str, out: int, reports: list[str]) -> EventLog:
    return EventLog("journal", LogWriter(reports.append), lambda: NOON, out, Journal(path), worker=1)


@pytest.fixture
def out(tmp_path: Path) -> int:
    return os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT)


def said(out: int) -> str:
    return os.pread(out, 1 << 16, 0).decode()


def test_an_event_is_an_entry_with_fields_and_nothing_goes_to_standard_output(tmp_path: Path, out: int) -> None:
    journal, reports = OwnJournal(tmp_path), list[str]()
    log = log_to(journal.path, out, reports)
    log.emit("accepted", session_id="08DD34FA3086278D", tenant="contoso", recipients=2, names=["a"], reply=None)
    log.emit("queue-full", problem="full", tenant="fabrikam")
    log.flush()
    assert journal.taken() == {
        "MESSAGE": 'accepted worker=1 session_id=08DD34FA3086278D tenant=contoso recipients=2 names="[\\"a\\"]"',
        "MESSAGE_ID": message_id("accepted"),
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "gatepost",
        "GATEPOST_EVENT": "accepted",
        "GATEPOST_AT": "2026-01-01T12:00:00.000Z",
        "GATEPOST_WORKER": "1",
        "GATEPOST_SESSION": "08DD34FA3086278D",
        "GATEPOST_TENANT": "contoso",
        "GATEPOST_RECIPIENTS": "2",
        "GATEPOST_NAMES": '["a"]',
    }
    error = journal.taken()
    assert (error["PRIORITY"], error["GATEPOST_TENANT"]) == ("3", "fabrikam")
    assert said(out) == "" and reports == []


def test_what_a_peer_wrote_is_a_value_and_never_a_field(tmp_path: Path, out: int) -> None:
    journal = OwnJournal(tmp_path)
    log = log_to(journal.path, out, [])
    hostile = "250 ok\nPRIORITY=0\nMESSAGE=owned\n"
    log.emit("delivered", reply=hostile, event="x", MESSAGE="y", password="hunter2", **{"a=b": "z"})
    log.flush()
    found = journal.taken()
    assert found["GATEPOST_REPLY"] == hostile and found["PRIORITY"] == "6" and "\n" not in found["MESSAGE"]
    assert found["GATEPOST_EVENT"] == "delivered" and found["GATEPOST_MESSAGE"] == "y"
    assert found["GATEPOST_PASSWORD"] == "(hidden)" and found["GATEPOST_A_B"] == "z"


def test_an_entry_that_is_too_large_for_a_datagram_goes_as_a_sealed_file(tmp_path: Path) -> None:
    journal = OwnJournal(tmp_path)
    large = {"MESSAGE": "x" * 2_000_000}
    Journal(journal.path).send(entry(large))
    assert journal.taken() == large


def test_without_a_journal_events_are_text_and_one_line_says_so_until_there_is_one(tmp_path: Path, out: int) -> None:
    path, reports = str(tmp_path / "socket"), list[str]()
    log = log_to(path, out, reports)
    for _ in range(3):
        log.emit("accepted", tenant="contoso")
        log.flush()
    assert said(out).count(" info accepted worker=1 tenant=contoso\n") == 3
    assert len(reports) == 1 and "journal cannot be written" in reports[0] and "\n" not in reports[0]
    journal = OwnJournal(tmp_path)
    log.emit("accepted", tenant="fabrikam")
    log.flush()
    assert journal.taken()["GATEPOST_TENANT"] == "fabrikam" and "fabrikam" not in said(out)
    journal.close()
    journal = OwnJournal(tmp_path)
    for _ in range(2):
        log.emit("accepted", tenant="tailspin")
        log.flush()
    assert journal.taken()["GATEPOST_TENANT"] == "tailspin", "a journal that was started anew is found again"


def test_names_and_ids_are_those_that_the_journal_takes() -> None:
    assert field_name("queue_id") == "GATEPOST_QUEUE_ID"
    assert field_name("ä" * 200) == "GATEPOST_" + "_" * 55
    assert message_id("accepted") != message_id("refused") and len(message_id("refused")) == 32


def test_the_manual_names_ids_that_are_right() -> None:
    page = (Path(__file__).parents[2] / "docs/howto/read-the-journal.md").read_text("utf-8")
    listed = [line.split("`")[1:4:2] for line in page.splitlines() if line.startswith("| `")]
    assert listed and all(message_id(event) == id for event, id in listed)
