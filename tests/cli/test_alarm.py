"""`gatepost alarm`: what fires, and whether telling works."""

import json
from pathlib import Path

from end_to_end.installation import Installation
from gatepost.alarm.alarms import Alarm, AlarmState
from gatepost.store.alarm.sqlite_alarms import SqliteAlarms


def test_without_the_table_there_is_nothing_to_test_and_the_list_says_so(tmp_path: Path) -> None:
    relay = Installation(tmp_path)
    relay.init()
    tested, listed = relay.here("alarm", "test"), relay.here("alarm", "list")
    assert tested.returncode == 2 and "there is no [alarm]" in tested.stderr and len(tested.stderr.splitlines()) == 1
    assert listed.returncode == 0 and "no alarms" in listed.stdout and "there is no [alarm]" in listed.stderr


def test_alarms_are_listed_with_the_next_step_while_they_fire(tmp_path: Path) -> None:
    relay = Installation(tmp_path, tables='[alarm]\nmail = "ops@example.net"\n')
    relay.init()
    alarms = [
        Alarm(code="queue-old", about="", state=state, since=at, seen_at=at, told_at=at, says=f"It is {at}.", do="look")
        for state, at in ((AlarmState.FIRING, 1_796_126_400.0),)
    ]
    hostile = "contoso/\x1b[31mout"
    alarms.append(
        Alarm(
            code="next-hop-down",
            about=hostile,
            state=AlarmState.RESOLVED,
            since=1_796_126_400.0,
            seen_at=1_796_126_400.0,
            told_at=1_796_126_400.0,
            says="It was down.",
            do="look",
        )
    )
    SqliteAlarms(relay.settings.alarms_file).keep(alarms, [], ["mail"])
    shown = relay("alarm", "list")
    assert "queue-old, since 2026-12-01T12:00:00Z" in shown and shown.count("→ look") == 1 and "\x1b" not in shown
    found = json.loads(relay.here("alarm", "list", "--json").stdout)["alarms"]
    assert [(each["state"], each["about"]) for each in found] == [("resolved", hostile), ("firing", "")]
