"""`explain` on this machine: what stands for an address that was not given is said where it shows."""

import subprocess
from pathlib import Path

import pytest

from end_to_end import loaded_gatepost
from end_to_end.installation import PATIENCE_S

ASKED = ("--mail-from", "a@contoso.com", "--rcpt-to", "b@outside.example")


def gatepost(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return loaded_gatepost.run(*arguments, folder=folder, within_s=PATIENCE_S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("relay")
    for command in (
        "init --hostname relay.example.net",
        "tenant add contoso",
        "domain add contoso contoso.com --verified",
        "tenant add fabrikam",
        "inbound-connector add contoso servers --address 192.0.2.1",
    ):
        assert gatepost(folder, *command.split()).returncode == 0
    return folder


def test_an_address_that_was_not_given_is_said_to_be_none(folder: Path) -> None:
    done = gatepost(folder, "explain", *ASKED)
    assert done.returncode == 1
    assert "0.0.0.0 stands for an address that no connector lists" in done.stdout
    for address, code in (("192.0.2.1", 0), ("192.0.2.2", 1)):
        done = gatepost(folder, "explain", "--address", address, *ASKED)
        assert done.returncode == code and "stands for" not in done.stdout


def test_a_mistake_is_one_line(folder: Path) -> None:
    for wrong in (("--address", "192.0.2"), ("--listener", "nowhere"), ("--certificate", "none.pem")):
        done = gatepost(folder, "explain", *wrong, *ASKED)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), wrong
        assert "Traceback" not in done.stderr
