"""Alarms by mail: everything that waits in one message, then a pause."""

import asyncio
import sys
from email import message_from_bytes
from pathlib import Path

import pytest

from end_to_end.installation import Installation
from gatepost.admin.forecast.notices import Notice
from gatepost.alarm.alarms import Alarm, AlarmState, Notification
from gatepost.alarm.told import Told, told_of
from gatepost.alarm.told import test_of as a_test
from gatepost.app.alarming.mail import AlarmMail
from gatepost.config import Config
from gatepost.logs.event_log import EventLog
from gatepost.logs.log_writer import LogWriter
from gatepost.store.alarm.sqlite_alarms import SqliteAlarms

NOON = 1_796_126_400.0


class Mailing:
    def __init__(self, config: Config) -> None:
        self.now = NOON
        self.kept: list[Notice] = []
        events = EventLog("text", LogWriter(), fd=sys.stderr.fileno())
        self._mail = AlarmMail(config, "ops@example.net", self._keep, events, lambda: self.now)

    async def _keep(self, notice: Notice) -> str:
        self.kept.append(notice)
        return "0-1"

    def go(self, after_s: float = 0.0) -> int:
        self.now += after_s
        asyncio.run(self._mail.go())
        return len(self.kept)


def firing(*abouts: str) -> tuple[list[Alarm], list[Told]]:
    alarms = [
        Alarm(
            code="next-hop-down",
            about=each,
            state=AlarmState.FIRING,
            since=NOON,
            seen_at=NOON,
            told_at=NOON,
            says="It is down.",
            do="look after it",
        )
        for each in abouts
    ]
    return alarms, [told_of(Notification(alarm=each, at=NOON), f"{each.about}-{NOON}-{each.state}") for each in alarms]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    relay = Installation(tmp_path)
    relay.init()
    return relay.settings


def test_all_that_waits_is_one_message_and_the_next_follows_after_a_pause(config: Config) -> None:
    mailing, stored = Mailing(config), SqliteAlarms(config.alarms_file)
    assert mailing.go() == 0
    stored.keep(*firing("contoso/out", "fabrikam/out"), ["mail"])
    assert mailing.go() == 1
    message = message_from_bytes(mailing.kept[0].octets)
    assert message["To"] == "ops@example.net" and message["Auto-Submitted"] == "auto-generated"
    assert "2 alarms" in message["Subject"].replace("\n", "")
    text = message.get_payload()
    assert "contoso/out" in text and "fabrikam/out" in text
    stored.keep(*firing("contoso/other"), ["mail"])
    assert mailing.go(after_s=299) == 1
    assert mailing.go(after_s=2) == 2 and mailing.go(after_s=1000) == 2


def test_a_test_does_not_wait(config: Config) -> None:
    mailing, stored = Mailing(config), SqliteAlarms(config.alarms_file)
    stored.keep(*firing("contoso/out"), ["mail"])
    mailing.go()
    stored.add("mail", a_test("7f", NOON))
    assert mailing.go(after_s=1) == 2


def test_what_could_not_be_kept_waits(config: Config) -> None:
    mailing, stored = Mailing(config), SqliteAlarms(config.alarms_file)
    stored.keep(*firing("contoso/out"), ["mail"])

    async def full(notice: Notice) -> str:
        raise OSError("disk full")

    mailing._mail._keep = full
    with pytest.raises(OSError, match="disk full"):
        mailing.go()
    assert len(stored.waiting("mail")) == 1
