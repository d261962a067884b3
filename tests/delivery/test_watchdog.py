"""A message that nobody sees to raises an alarm; one that waits for a reason does not."""

from gatepost.delivery.watchdog import Watchdog


def test_what_is_unattended_at_every_look_is_told_once() -> None:
    watchdog = Watchdog(patience_s=60)
    assert watchdog.look(["0-1", "0-2"], 0) == []
    assert watchdog.look(["0-1"], 59) == []
    assert watchdog.look(["0-1", "0-2"], 61) == ["0-1"]
    assert watchdog.look(["0-1", "0-2"], 100) == []
    assert watchdog.look(["0-1", "0-2"], 122) == ["0-2"]
    assert watchdog.alarms == 2


def test_what_was_seen_to_and_is_stuck_again_is_told_again() -> None:
    watchdog = Watchdog(patience_s=10)
    watchdog.look(["0-1"], 0)
    assert watchdog.look(["0-1"], 10) == ["0-1"]
    assert watchdog.look([], 20) == []
    assert watchdog.look(["0-1"], 30) == []
    assert watchdog.look(["0-1"], 40) == ["0-1"]
