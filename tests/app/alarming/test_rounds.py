"""What is found is told to a real receiver once it can hear it, and neither more often nor to anybody else."""

import asyncio
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from alarm_receiver import SECRET, Receiver
from end_to_end.installation import Installation, free_port
from gatepost.alarm.alarms import Problem
from gatepost.app.alarming.asking import list_alarms
from gatepost.app.alarming.rounds import AlarmRounds
from gatepost.app.status import observed
from gatepost.config import AlarmConfig, Config
from gatepost.logs.event_log import EventLog
from gatepost.logs.log_writer import LogWriter
from gatepost.store.alarm.sqlite_alarms import SqliteAlarms
from pki import Pki

DOWN = [Problem(code="next-hop-down", about=f"{each}/out", says="It is down.", do="look") for each in ("a", "b")]


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "pki")


@pytest.fixture
def receiver(tmp_path: Path, pki: Pki) -> Iterator[Receiver]:
    localhost = pki.leaf("localhost")
    with Receiver(tmp_path, localhost.chain_file, localhost.key_file, free_port()) as receiver:
        yield receiver


@pytest.fixture
def config(tmp_path: Path, receiver: Receiver, pki: Pki) -> Config:
    relay = Installation(tmp_path / "relay")
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
    secret = tmp_path / "alarm.secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    return replace(relay.settings, alarm=AlarmConfig(webhook=receiver.url, secret_file=secret, roots=pki.roots_file))


class Process:
    """One process of the alarms; `wrong` is what each look finds, and its clock is moved by hand."""

    def __init__(self, config: Config, *wrong: Problem) -> None:
        assert config.alarm
        self.wrong = list(wrong)
        self.ahead_s = 0.0
        self.log: list[str] = []
        self._rounds = AlarmRounds(config, config.alarm, self._events(), self._clock, lambda: self.wrong)

    def look(self, after_s: float = 5.0) -> None:
        self.ahead_s += after_s
        self._rounds.look()

    def tell(self) -> None:
        for _ in range(5):
            asyncio.run(self._rounds.tell())

    def _clock(self) -> float:
        return time.time() + self.ahead_s

    def _events(self) -> EventLog:
        log = self.log

        class Noted(EventLog):
            def emit(self, event: str, /, **fields: object) -> None:
                log.append(event)

        return Noted("text", LogWriter(), fd=sys.stderr.fileno())


def states(receiver: Receiver) -> list[tuple[str, str]]:
    return [(each["state"], each["about"]) for each in receiver.taken]


def test_each_alarm_is_told_once_and_again_when_it_is_over(config: Config, receiver: Receiver) -> None:
    process = Process(config, *DOWN)
    for _ in range(4):
        process.look()
        process.tell()
    assert states(receiver) == [("firing", "a/out"), ("firing", "b/out")]
    process.wrong = DOWN[:1]
    process.look(after_s=200)
    process.look(after_s=200)
    process.tell()
    assert states(receiver)[2:] == [("resolved", "b/out")]
    assert process.log == ["alarm-raised", "alarm-raised", "alarm-cleared"]
    assert [(each["state"], each["about"]) for each in list_alarms(config)["alarms"]] == [
        ("firing", "a/out"),
        ("resolved", "b/out"),
    ]


def test_what_was_raised_while_nobody_heard_is_told_by_another_process_later(
    config: Config, receiver: Receiver
) -> None:
    receiver.kill()
    first = Process(config, *DOWN)
    first.look()
    first.look()
    first.tell()
    assert first.log.count("alarm-not-sent") == 1
    (channel,) = list_alarms(config)["channels"]
    assert channel["waiting"] == 2 and "localhost" in channel["problem"] and "capability" not in channel["problem"]
    receiver.start()
    # The first process is gone, and took nothing with it.
    second = Process(config, *DOWN)
    second.tell()
    assert receiver.posted == [], "the pause after a failure is not over"
    second.ahead_s = 15.0
    second.look()
    second.tell()
    assert states(receiver) == [("firing", "a/out"), ("firing", "b/out")]
    assert list_alarms(config)["channels"][0]["problem"] is None


def test_a_receiver_that_is_away_for_long_hears_the_newest_state_of_each(config: Config, receiver: Receiver) -> None:
    receiver.kill()
    process = Process(config)
    for _ in range(10):
        process.wrong = DOWN[:1]
        process.look()
        process.look()
        process.wrong = []
        process.look(after_s=400)
    receiver.start()
    process.tell()
    assert states(receiver) == [("resolved", "a/out")]


def test_the_webhook_that_fails_again_and_again_is_a_problem_of_the_relay(config: Config, receiver: Receiver) -> None:
    receiver.kill()
    receiver.start("500")
    process = Process(config, *DOWN)
    process.look()
    process.look()
    for _ in range(3):
        process.tell()
        process.ahead_s += 100
    assert len(receiver.posted) == 3
    assert "HTTP 500" in observed(config).alarms_not_told
    assert process.log.count("alarm-not-sent") == 1


def test_a_disk_that_does_not_take_it_keeps_no_alarm_from_being_told(config: Config, receiver: Receiver) -> None:
    config.alarms_file.write_bytes(b"no database" * 100)
    process = Process(config, *DOWN)
    for _ in range(3):
        process.look()
        process.tell()
    assert states(receiver) == [("firing", "a/out"), ("firing", "b/out")]
    assert process.log == ["store-unavailable", "alarm-raised", "alarm-raised"]
    config.alarms_file.unlink()
    process.look()
    process.tell()
    assert len(receiver.posted) == 2, "what was told from memory is not told again"
    assert [each["state"] for each in list_alarms(config)["alarms"]] == ["firing", "firing"]


def test_nothing_is_written_while_nothing_changes(config: Config) -> None:
    process = Process(config, *DOWN)
    process.look()
    process.look()
    written = config.alarms_file.stat().st_mtime_ns
    for _ in range(3):
        process.look()
    assert config.alarms_file.stat().st_mtime_ns == written
    process.look(after_s=60)
    assert config.alarms_file.stat().st_mtime_ns > written


def test_keeping_what_is_known_ends_no_pause_of_the_webhook(config: Config, receiver: Receiver) -> None:
    receiver.kill()
    receiver.start("500")
    process = Process(config, *DOWN)
    process.look()
    process.look()
    for _ in range(10):
        process.tell()
        process.look(after_s=61)
    tries = len(receiver.posted)
    assert SqliteAlarms(config.alarms_file).channel("webhook").failures == tries
    # After pauses of 10, 20, 40, 80, 160 and 320 seconds.
    assert tries == 6
    assert process.log.count("alarm-not-sent") == 1


def test_an_alarm_that_was_told_and_stays_in_a_file_that_takes_nothing_is_told_once(
    config: Config, receiver: Receiver
) -> None:
    process = Process(config, *DOWN)
    process.look()
    process.look()
    takes_nothing(config)
    process.wrong = [*DOWN, third := Problem(code="next-hop-down", about="c/out", says="It is down.", do="look")]
    for _ in range(3):
        process.look()
        process.tell()
    assert sorted(states(receiver)) == [("firing", "a/out"), ("firing", "b/out"), ("firing", third.about)]
    takes_again(config)
    for _ in range(3):
        process.look(after_s=61)
        process.tell()
    assert len(receiver.posted) == 3 and SqliteAlarms(config.alarms_file).waiting("webhook") == []


def test_a_webhook_that_fails_while_the_file_takes_nothing_is_left_alone_for_a_while(
    config: Config, receiver: Receiver
) -> None:
    process = Process(config, *DOWN)
    process.look()
    process.look()
    takes_nothing(config)
    receiver.kill()
    receiver.start("500")
    for _ in range(3):
        process.look()
        process.tell()
    assert len(receiver.posted) == 1
    process.look(after_s=301)
    process.tell()
    assert len(receiver.posted) == 2 and process.log.count("alarm-not-sent") == 1


TABLES = ("alarm", "notification", "channel")


def takes_nothing(config: Config) -> None:
    """As on a full disk: what is there can be read."""
    with closing(sqlite3.connect(config.alarms_file)) as connection:
        for table in TABLES:
            for change in ("INSERT", "DELETE"):
                connection.execute(
                    f"CREATE TRIGGER {table}_{change} BEFORE {change} ON {table} "
                    "BEGIN SELECT raise(ABORT, 'database or disk is full'); END"
                )


def takes_again(config: Config) -> None:
    with closing(sqlite3.connect(config.alarms_file)) as connection:
        for table in TABLES:
            for change in ("INSERT", "DELETE"):
                connection.execute(f"DROP TRIGGER {table}_{change}")
