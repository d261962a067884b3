"""The operator's log: one line an event, no secrets, and never in the way of mail."""

import json
import os
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.logs.event_log import EventLog, LoggedEvent, json_line, text_line
from gatepost.logs.log_writer import LogWriter

NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC

SECRETS = [
    {"password": "hunter2"},
    {"smtp_password": "hunter2"},
    {"passphrase": "hunter2"},
    {"client_secret": "hunter2"},
    {"token": "hunter2"},
    {"private_key": "hunter2"},
    {"Authorization": "hunter2"},
    {"command": "AUTH PLAIN hunter2"},
    {"problem": "in: auth login hunter2 was said"},
    {"store": "postgresql://gatepost:hunter2@db/queue"},
    {"problem": "cannot read -----BEGIN EC PRIVATE KEY-----\nhunter2\n-----END EC PRIVATE KEY-----"},
    {"settings": {"password": "hunter2"}},
    {"lines": ["AUTH PLAIN hunter2"]},
]


@pytest.mark.parametrize("fields", SECRETS, ids=str)
@pytest.mark.parametrize("line", [json_line, text_line])
def test_no_secret_is_written_whatever_field_it_comes_in(line: object, fields: dict[str, object]) -> None:
    written = line(LoggedEvent(NOON, "event", fields))  # type: ignore[operator]
    assert "hunter2" not in written
    assert "(hidden)" in written


def test_a_line_of_text_reads_as_a_sentence_for_people_and_grep() -> None:
    fields = {"worker": 1, "session_id": "08DD34FA3086278D", "reply": '550 5.7.64 "no"', "queue_id": None}
    assert text_line(LoggedEvent(NOON, "refused", fields)) == (
        '2026-01-01T12:00:00.000Z info refused worker=1 session_id=08DD34FA3086278D reply="550 5.7.64 \\"no\\""\n'
    )


def test_a_line_of_json_has_time_level_and_event_beside_the_fields() -> None:
    line = json.loads(json_line(LoggedEvent(NOON, "store-unavailable", {"problem": "disk full", "event": "x"})))
    assert line == {
        "at": "2026-01-01T12:00:00.000Z",
        "level": "error",
        "event": "store-unavailable",
        "problem": "disk full",
    }
    assert list(line)[:3] == ["at", "level", "event"]


@given(st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.binary() | st.lists(st.text())))
def test_an_event_is_one_line_whatever_a_peer_said(fields: dict[str, object]) -> None:
    logged = LoggedEvent(NOON, "event", fields)
    assert json_line(logged).count("\n") == 1
    json.loads(json_line(logged))
    assert text_line(LoggedEvent(NOON, "event", {"said": fields})).count("\n") == 1


@pytest.mark.parametrize("form", ["text", "json"])
def test_events_of_two_workers_never_share_a_line(form: Literal["text", "json"], tmp_path: Path) -> None:
    path = tmp_path / "out"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    logs = [EventLog(form, LogWriter(), lambda: NOON, fd, worker=number) for number in range(2)]
    for _ in range(200):
        for log in logs:
            log.emit("accepted", mail_from="x" * 100)
    for log in logs:
        log.finish()
    os.close(fd)
    lines = path.read_text().splitlines()
    assert len(lines) == 400
    assert all(line.startswith(("2026", "{")) and "accepted" in line for line in lines)


def test_a_reader_that_stands_still_costs_events_and_holds_up_nothing() -> None:
    reading, writing = os.pipe()
    reports: list[str] = []
    log = EventLog("text", LogWriter(reports.append), lambda: NOON, writing)
    for _ in range(1000):
        log.emit("accepted", mail_from="x" * 200)
    log.flush()
    assert log.lost > 0
    assert "nobody reads it" in reports[0]
    os.close(reading)
    os.close(writing)


def _refusals(tmp_path: Path, addresses: list[str], minutes: int = 1) -> list[str]:
    """The lines of a log in which each address is refused, once in each of some minutes."""
    now = [NOON]
    with (tmp_path / "log").open("wb") as out:
        log = EventLog("text", LogWriter(), lambda: now[0], out.fileno())
        for _ in range(minutes):
            for address in addresses:
                log.emit("refused", address=address)
            now[0] += 60
            log.emit("accepted", queue_id="1-1")
        log.finish()
    return (tmp_path / "log").read_text().splitlines()


def test_a_strangers_refusals_have_a_bounded_number_of_lines_and_the_rest_is_counted(tmp_path: Path) -> None:
    lines = _refusals(tmp_path, ["203.0.113.9", "203.0.113.10"] * 500 + ["198.51.100.7"], minutes=2)
    assert len([line for line in lines if " refused address=203.0.113." in line]) == 2 * 60
    assert [line.partition("not-listed ")[2] for line in lines if "not-listed" in line] == [
        "address=203.0.113.0/24 refused=940"
    ] * 2
    assert len([line for line in lines if "address=198.51.100.7" in line]) == 2, "others keep theirs"
    assert len([line for line in lines if " accepted " in line]) == 2


def test_refusals_of_any_number_of_networks_are_counted_in_bounded_memory(tmp_path: Path) -> None:
    addresses = [f"10.{number >> 8}.{number & 255}.1" for number in range(12_000)]
    lines = _refusals(tmp_path, addresses)
    assert len(lines) == 10_000 + 60 + 1 + 1
    assert lines[-1].endswith("address=others refused=1940")
