"""Commands by a user who may not use the data folder: one line, with the command that works, and no traceback."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
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
    _run(folder, "init --hostname relay.example.net --data data")
    data = folder / "data"
    if os.geteuid() == 0:
        data.chmod(0o700)
        shutil.chown(data, "nobody")
    else:
        data.chmod(0)
    return folder


def _run(folder: Path, command: str, *, without_rights: bool = False) -> "subprocess.CompletedProcess[str]":
    # Root may read everything; without these two capabilities it may not.
    powerless = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    prefix = powerless if without_rights and os.geteuid() == 0 else []
    return subprocess.run(
        [*prefix, sys.executable, "-m", "gatepost", *command.split()],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_without_rights_each_command_ends_in_one_line_with_the_one_that_works(foreign_data: Path, command: str) -> None:
    done = _run(foreign_data, command, without_rights=True)
    assert done.returncode == 2, done
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"gatepost: {foreign_data / 'data'}")
    assert ": permission denied" in line
    if os.geteuid() == 0:
        assert line.endswith(f"; run this as the relay's user: sudo -u nobody gatepost {command}")


def test_a_folder_of_ones_own_that_cannot_be_written_names_no_other_user(tmp_path: Path) -> None:
    _run(tmp_path, "init --hostname relay.example.net --data data")
    (tmp_path / "locked").mkdir(mode=0o555)
    if os.geteuid() == 0:
        shutil.chown(tmp_path / "locked", "nobody")
    done = _run(tmp_path, "token add --operator --out locked/token", without_rights=True)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "locked" in line
    assert "sudo" not in line
