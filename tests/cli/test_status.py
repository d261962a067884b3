"""`gatepost status` for people: facts first, then each problem with its next step."""

from pathlib import Path

from end_to_end.installation import Installation


def test_a_relay_that_does_not_run_is_said_with_the_command_that_starts_it(tmp_path: Path) -> None:
    relay = Installation(tmp_path)
    relay.init()
    done = relay.here("status")
    assert done.returncode == 1
    assert "running      no" in done.stdout and "not serving" in done.stdout
    assert done.stdout.rstrip().endswith("→ systemctl start gatepost")
