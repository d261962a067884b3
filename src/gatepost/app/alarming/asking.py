"""What an operator asks of the alarms: which there are, who has not heard of them, and whether telling works."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

from gatepost.alarm.alarms import Alarm, AlarmState
from gatepost.alarm.told import test_of
from gatepost.app.alarming.rounds import channels_of, post_alarm
from gatepost.config import AlarmConfig, Config
from gatepost.errors import GatepostError
from gatepost.net.webhook import shown
from gatepost.store.alarm.sqlite_alarms import SqliteAlarms
from gatepost.tenancy.fields import time_text

Record = dict[str, Any]


class Tested(NamedTuple):
    channel: str
    to: str
    problem: str
    """Empty: the webhook's receiver took it, or the mail waits for the relay."""


def send_test(config: Config, alarm: AlarmConfig) -> list[Tested]:
    """Send a test by every channel. Raises `StoreError`."""
    found = []
    now = time.time()
    if alarm.webhook:
        try:
            asyncio.run(post_alarm(config, alarm, test_of(str(uuid4()), now), now))
            problem = ""
        except GatepostError as error:
            problem = str(error)
        found.append(Tested("webhook", shown(alarm.webhook), problem))
    if alarm.mail:
        found.append(Tested("mail", alarm.mail, _test_mail(config, now)))
    return found


def _test_mail(config: Config, now: float) -> str:
    """Why not; empty: it waits for the relay."""
    if not config.alarms_file.exists():
        # The file must belong to the user that serves.
        return "gatepost serve has not run with [alarm] yet; start it first"
    SqliteAlarms(config.alarms_file).add("mail", test_of(str(uuid4()), now))
    return ""


def list_alarms(config: Config) -> Record:
    """Raises `StoreError`."""
    if not config.alarms_file.exists():
        return {"alarms": [], "channels": []}
    stored = SqliteAlarms(config.alarms_file)
    return {
        "alarms": [_alarm_record(each) for each in stored.alarms() if each.state is not AlarmState.SEEN],
        "channels": [
            {
                "channel": channel,
                "waiting": len(stored.waiting(channel)),
                "problem": stored.channel(channel).problem or None,
                "next_attempt_at": _time(stored.channel(channel).next_at) if stored.channel(channel).problem else None,
            }
            for channel in (channels_of(config.alarm) if config.alarm else [])
        ],
    }


def _alarm_record(alarm: Alarm) -> Record:
    return {
        "state": alarm.state.value,
        "code": alarm.code,
        "about": alarm.about,
        "since": _time(alarm.since),
        "told_at": _time(alarm.told_at),
        "says": alarm.says,
        "do": alarm.do,
    }


def _time(at: float) -> str | None:
    return time_text(datetime.fromtimestamp(round(at), UTC))
