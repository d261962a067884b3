"""`explain --exchange-online` on exported files, by the real command line."""

import json
import os
import subprocess
from pathlib import Path
from unittest.mock import patch

import pytest

from end_to_end.installation import in_this_process
from pki import Pki

CONNECTORS = [
    {"Name": "From HQ", "ConnectorType": "OnPremises", "Enabled": True, "TlsSenderCertificateName": "*.contoso.com"},
    {"Name": "Other", "ConnectorType": "OnPremises", "Enabled": True, "SenderIPAddresses": ["198.51.100.99"],
     "TlsSenderCertificateName": None},
]  # fmt: skip
DOMAINS = [{"DomainName": "contoso.com", "DomainType": "Authoritative"}]


@pytest.fixture
def exports(tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "connectors.json").write_text(json.dumps(CONNECTORS))
    (folder / "domains.json").write_text(json.dumps(DOMAINS))
    return folder


def explain(folder: Path, *arguments: object, roots: Path | None = None) -> subprocess.CompletedProcess[str]:
    """With the roots of a test in place of the system's."""
    environment = {"GATEPOST_CONFIG": str(folder / "none.toml")}
    if roots:
        environment |= {"SSL_CERT_FILE": str(roots)}
    with patch.dict(os.environ, environment):
        return in_this_process("explain", "--exchange-online", *map(str, (folder, *arguments)))


def to_outside(*more: object) -> tuple[object, ...]:
    return ("--mail-from", "a@contoso.com", "--rcpt-to", "x@far.example", *more)


def test_a_certificate_file_is_judged_whole(exports, tmp_path):
    pki = Pki(tmp_path / "pki")
    leaf = pki.leaf("mail.contoso.com")
    pem = pki.bundle("chain.pem", leaf, pki.intermediate)
    good = explain(exports, *to_outside("--certificate", pem, "--json"), roots=pki.roots_file)
    assert good.returncode == 0, good.stderr
    answer = json.loads(good.stdout)
    assert (answer["outcome"], answer["connector"], answer["basis"]) == ("relay", "From HQ", "certificate")
    assert any("this machine" in each for each in answer["not_public"])
    short = explain(exports, *to_outside("--certificate", leaf.certificate_file, "--json"), roots=pki.roots_file)
    assert (short.returncode, json.loads(short.stdout)["outcome"]) == (1, "not-known")


def test_address_and_certificate_are_taken_from_a_send_log_beside_the_exports(exports):
    row = "2026-03-02T08:00:01.00{}Z,Out,08DE0001A2B3C4D5,{},10.0.0.4:5011,203.0.113.36:25,{}\n"
    (exports / "SEND.log").write_text(
        row.format(0, 0, "+,,") + row.format(1, 1, "<,250  x.outlook.com Hello [198.51.100.7] SIZE 1 STARTTLS,")
        + row.format(2, 2, "*,,Sending certificate") + row.format(3, 3, "*,CN=mail.contoso.com,Certificate subject")
    )  # fmt: skip
    done = explain(exports, *to_outside())
    assert done.returncode == 0, done.stderr
    assert "SEND.log" in done.stdout
    assert "assumed complete" in done.stdout
    assert "connector From HQ" in done.stdout


def test_what_is_missing_is_asked_for_in_one_line(exports):
    (exports / "domains.json").unlink()
    done = explain(exports, *to_outside())
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "Get-AcceptedDomain" in done.stderr


def test_a_listener_is_not_the_services(exports):
    done = explain(exports, *to_outside("--listener", "127.0.0.1:25"))
    assert (done.returncode, done.stdout) == (2, "")
