"""What an operator asks of the alarms names no secret, and works before anything was ever raised."""

from dataclasses import replace
from pathlib import Path

from end_to_end.installation import Installation
from gatepost.app.alarming.asking import list_alarms, send_test
from gatepost.config import AlarmConfig
from gatepost.store.alarm.sqlite_alarms import SqliteAlarms

URL = "https://127.0.0.1:1/capability-in-the-path"


def test_each_channel_is_tested_and_one_that_fails_says_why(tmp_path: Path) -> None:
    relay = Installation(tmp_path)
    relay.init()
    alarm = AlarmConfig(webhook=URL, secret_file=tmp_path / "none", mail="ops@example.net")
    config = replace(relay.settings, alarm=alarm)
    assert list_alarms(config) == {"alarms": [], "channels": []}
    assert "serve" in send_test(config, alarm)[1].problem and not config.alarms_file.exists()
    SqliteAlarms(config.alarms_file).keep([], [], ["webhook", "mail"])
    webhook, mail = send_test(config, alarm)
    assert webhook.to == "https://127.0.0.1:1" and "cannot be read" in webhook.problem
    assert (mail.to, mail.problem) == ("ops@example.net", "")
    assert [each.code for each in SqliteAlarms(config.alarms_file).waiting("mail")] == ["test"]
    assert [(each["channel"], each["waiting"]) for each in list_alarms(config)["channels"]] == [
        ("webhook", 0),
        ("mail", 1),
    ]
    assert "capability" not in repr(config) + repr(webhook)
