"""What a folder shows of a relay, whether it runs or not."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from end_to_end.installation import Installation
from gatepost.app.figures import snapshots
from gatepost.app.status import relay_status
from gatepost.config import Config


@contextmanager
def running(config: Config) -> Iterator[None]:
    """As if `gatepost serve` ran."""
    # What is looked for in the command line of the process.
    command = [sys.executable, "-c", "print(flush=True); input()", "gatepost serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as serve:
        assert serve.stdout and serve.stdout.readline() == b"\n"
        said = {"pid": serve.pid, "version": "0.1.0", "started_at": time.time() - 3600}
        snapshots.begin(config.status_folder, said)
        yield
        serve.kill()


def test_a_relay_that_never_ran_is_not_running_and_shows_what_there_is(tmp_path: Path) -> None:
    relay = Installation(tmp_path)
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
    found = relay_status(relay.settings)
    assert [each["code"] for each in found["problems"]] == ["not-running"]
    assert (found["workers"], found["queue"]["recipients"]) == ([], 0)
    assert found["certificates"] and found["store"]["disk_free_bytes"] > 0


def test_a_data_folder_that_is_away_while_the_relay_runs_is_a_problem_and_is_not_made_anew(tmp_path: Path) -> None:
    relay = Installation(tmp_path)
    relay.init()
    relay("tenant", "add", "contoso")
    config = relay.settings
    config.directory_file.rename(tmp_path / "away.sqlite")
    with running(config):
        found = relay_status(config)
    problem = next(each for each in found["problems"] if each["code"] == "store-unavailable")
    assert problem["about"] == str(config.directory_file) and "mounted" in problem["says"]
    assert not config.directory_file.exists()


def test_what_cannot_be_read_is_one_problem_and_the_rest_is_shown(tmp_path: Path) -> None:
    relay = Installation(tmp_path)
    relay.init()
    relay("tenant", "add", "contoso")
    relay.settings.directory_file.write_bytes(b"no database" * 1000)
    found = relay_status(relay.settings)
    assert [each["code"] for each in found["problems"]] == ["not-running", "store-unavailable"]
    assert found["store"]["disk_free_bytes"] > 0 and found["queue"]["recipients"] == 0


def test_connectors_that_demand_dane_while_it_is_disabled_are_a_problem(tmp_path: Path) -> None:
    relay = Installation(tmp_path, tables='[dns]\nnameservers = ["192.0.2.53"]\n')
    relay.init()
    for tenant, level in (("contoso", "dane"), ("fabrikam", "auto")):
        relay("tenant", "add", tenant)
        relay("send-connector", "add", f"to-{tenant}", "--tenant", tenant, "--address-space", "*", "--tls", level)
    with running(relay.settings):
        problems = {each["code"]: each for each in relay_status(relay.settings)["problems"]}
        assert (
            "contoso/to-contoso" in problems["dane-disabled"]["says"]
            and "192.0.2.53" in problems["dane-disabled"]["says"]
        )
        assert "fabrikam" not in problems["dane-disabled"]["says"]
        relay("send-connector", "set", "to-contoso", "--tls", "auto")
        assert "dane-disabled" not in [each["code"] for each in relay_status(relay.settings)["problems"]]
