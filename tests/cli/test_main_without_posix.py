"""What an administrator runs where the bounce is, perhaps at Windows: the doctor, `explain --exchange-online`, `help`.
They load nothing that only a POSIX system has; it is taken away here, for this machine has it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pki import Pki

SOURCE = Path(__file__).parents[2] / "src"
POSIX_ONLY = ("fcntl", "grp", "pwd", "resource", "termios", "tty", "syslog", "uvloop")
WITHOUT = f"""
import os, sys
for name in {POSIX_ONLY}:
    sys.modules[name] = None
for name in ("geteuid", "getuid", "getgid", "fork", "chown", "setuid", "sched_getaffinity"):
    delattr(os, name)
from gatepost.__main__ import main
main()
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "GATEPOST_CONFIG": "none.toml"},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("windows")
    exports = folder / "exports"
    exports.mkdir()
    connector = {"Name": "From HQ", "ConnectorType": "OnPremises", "TlsSenderCertificateName": "mail.contoso.com"}
    (exports / "Get-InboundConnector.json").write_text(json.dumps([connector]))
    (exports / "Get-AcceptedDomain.json").write_text(json.dumps([{"DomainName": "contoso.com"}]))
    leaf = Pki(folder / "pki").leaf("mail.contoso.com")
    (folder / "mail.pem").write_bytes(leaf.chain_file.read_bytes())
    (folder / "bounce.txt").write_text("550 5.7.64 TenantAttribution; Relay Access Denied\n")
    return folder


def test_the_doctor_reads_a_bounce_and_writes_a_report(folder: Path) -> None:
    done = run(folder, "doctor", "bounce.txt", "exports", "--html", "report.html", "--json")
    assert done.stderr == "" and json.loads(done.stdout)["findings"]
    assert (folder / "report.html").read_text().startswith("<!")


def test_explain_asks_the_exports(folder: Path) -> None:
    asked = ("--mail-from", "a@contoso.com", "--rcpt-to", "b@outside.example", "--certificate", "mail.pem")
    done = run(folder, "explain", "--exchange-online", "exports", *asked, "--json")
    assert done.stderr == "" and json.loads(done.stdout)["recipients"]


def test_help_prints_its_pages(folder: Path) -> None:
    for command in (["--help"], ["help", "reason", "certificate-expired"], ["--version"]):
        assert run(folder, *command).returncode == 0, command
