"""What is to be told is on disk until it was told, and is bounded."""

from pathlib import Path

import pytest

from gatepost.alarm.alarms import Alarm, AlarmState, Notification
from gatepost.alarm.told import Told, told_of
from gatepost.alarm.told import test_of as a_test
from gatepost.queue.store import StoreUnavailable
from gatepost.store.alarm.sqlite_alarms import ChannelState, SqliteAlarms

NOON = 1_796_126_400.0


def looked(state: AlarmState, *abouts: str, at: float = NOON) -> tuple[list[Alarm], list[Told]]:
    alarms = [
        Alarm(
            code="next-hop-down", about=each, state=state, since=NOON, seen_at=at, told_at=at, says="It is.", do="look"
        )
        for each in abouts
    ]
    return alarms, [told_of(Notification(alarm=each, at=at), f"{each.about}-{at}-{each.state}") for each in alarms]


@pytest.fixture
def stored(tmp_path: Path) -> SqliteAlarms:
    return SqliteAlarms(tmp_path / "alarms.sqlite")


def test_alarms_and_what_is_to_be_told_are_there_again_for_each_channel(tmp_path: Path, stored: SqliteAlarms) -> None:
    found = looked(AlarmState.FIRING, "a", "b")
    stored.keep(*found, ["webhook", "mail"])
    again = SqliteAlarms(tmp_path / "alarms.sqlite")
    assert again.alarms() == found[0]
    waiting = again.waiting("webhook")
    assert [(each.about, each.state) for each in waiting] == [("a", "firing"), ("b", "firing")]
    again.was_told("webhook", waiting[:1])
    assert [each.about for each in again.waiting("webhook")] == ["b"]
    assert [each.about for each in again.waiting("mail")] == ["a", "b"]


def test_a_newer_state_takes_the_place_of_one_that_waits_and_stays_when_the_older_was_told(
    stored: SqliteAlarms,
) -> None:
    stored.keep(*looked(AlarmState.FIRING, "a"), ["webhook"])
    older = stored.waiting("webhook")
    for number in range(50):
        stored.keep(*looked(AlarmState.RESOLVED, "a", at=NOON + number), ["webhook"])
    stored.was_told("webhook", older)
    assert [each.state for each in stored.waiting("webhook")] == ["resolved"]


def test_a_channel_that_is_configured_no_more_is_emptied(stored: SqliteAlarms) -> None:
    stored.keep(*looked(AlarmState.FIRING, "a"), ["webhook", "mail"])
    stored.keep([], [], ["mail"])
    assert stored.waiting("webhook") == [] and len(stored.waiting("mail")) == 1 and stored.alarms() == []


def test_pauses_grow_to_an_hour_and_end_with_success(stored: SqliteAlarms) -> None:
    pauses = [stored.was_not_told("webhook", "x" * 5000, NOON).next_at - NOON for _ in range(12)]
    assert pauses[:4] == [10, 20, 40, 80] and pauses[-1] == 3600
    assert len(stored.channel("webhook").problem) == 500
    assert stored.channel("mail") == ChannelState()
    stored.was_told("webhook", [])
    assert stored.channel("webhook") == ChannelState()


def test_a_test_waits_like_an_alarm_and_a_file_that_is_none_is_one_line(tmp_path: Path, stored: SqliteAlarms) -> None:
    stored.add("mail", a_test("7f", NOON))
    assert [each.code for each in stored.waiting("mail")] == ["test"]
    (tmp_path / "bad.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(StoreUnavailable, match=r"bad\.sqlite") as told:
        SqliteAlarms(tmp_path / "bad.sqlite").alarms()
    assert "\n" not in str(told.value)
