"""Commands by a user who may not use the data folder: one line, with the command that works, and no traceback."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from end_to_end.installation import in_this_process

SOURCE, TESTS = Path(__file__).parents[2] / "src", Path(__file__).parents[1]
SESSION = "08DF49B2CB85D7C0"

COMMANDS = (
    "tenant list",
    "tenant add contoso",
    "domain list",
    "inbound-connector list contoso",
    "send-connector list",
    "queue list",
    "queue show 1-1",
    "queue hold --all",
    "queue orders",
    f"why {SESSION}",
    f"protocol-log show {SESSION}",
    "protocol-log follow",
    "forecast",
    "explain --mail-from a@contoso.com --rcpt-to b@outside.example",
    "hybrid verify",
    "hybrid undo",
    "audit list",
    "token list",
    "export directory",
    "enroll contoso",
)


@pytest.fixture(scope="module")
def foreign_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with data of somebody else, who lets nobody in, and in which so nobody can change anything."""
    folder = tmp_path_factory.mktemp("foreign")
    _init(folder)
    data = folder / "data"
    if os.geteuid() == 0:
        data.chmod(0o700)
        shutil.chown(data, "nobody")
    else:
        data.chmod(0)
    return folder


def _init(folder: Path) -> None:
    with chdir(folder):
        assert in_this_process("init", "--hostname", "relay.example.net", "--data", "data").returncode == 0


@pytest.fixture(scope="module")
def answers(foreign_data: Path) -> dict[str, subprocess.CompletedProcess[str]]:
    """Of each command, by somebody without rights."""
    return dict(zip(COMMANDS, _without_rights(foreign_data, *COMMANDS), strict=True))


def _without_rights(folder: Path, *commands: str) -> list[subprocess.CompletedProcess[str]]:
    """One after the other in one process, which has the rights of its user and no others."""
    # Root may read everything; without these two capabilities it may not.
    powerless = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    prefix = powerless if os.geteuid() == 0 else []
    done = subprocess.run(
        [*prefix, sys.executable, __file__, *commands],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (SOURCE, TESTS)))},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [subprocess.CompletedProcess(*answer) for answer in json.loads(done.stdout)]


@pytest.mark.parametrize("command", COMMANDS)
def test_without_rights_each_command_ends_in_one_line_with_the_one_that_works(
    foreign_data: Path, answers: dict[str, subprocess.CompletedProcess[str]], command: str
) -> None:
    done = answers[command]
    assert done.returncode == 2, done
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"gatepost: {foreign_data / 'data'}")
    assert ": permission denied" in line
    if os.geteuid() == 0:
        assert line.endswith(f"; run this as the relay's user: sudo -u nobody gatepost {command}")


def test_a_folder_of_ones_own_that_cannot_be_written_names_no_other_user(tmp_path: Path) -> None:
    _init(tmp_path)
    (tmp_path / "locked").mkdir(mode=0o555)
    if os.geteuid() == 0:
        shutil.chown(tmp_path / "locked", "nobody")
    (done,) = _without_rights(tmp_path, "token add --operator --out locked/token")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "locked" in line
    assert "sudo" not in line


def _answer(command: str) -> list[Any]:
    # The line with the way out repeats what was typed.
    sys.argv[1:] = command.split()
    return list(vars(in_this_process(*command.split())).values())


if __name__ == "__main__":
    print(json.dumps([_answer(command) for command in sys.argv[1:]]))
