"""The scripts that gather evidence parse, change nothing, hide names on request; the doctor reads what they write."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Parser
from typer.testing import CliRunner

from gatepost.cli.main import main_app
from gatepost.doctor.collecting import Collected, script_for
from gatepost.doctor.diagnosis import diagnose
from gatepost.doctor.reading import read_files
from pki import Pki

POWERSHELL = Parser(Language(tree_sitter_powershell.language()))
IN_POWERSHELL = (Collected.EXCHANGE, Collected.EXCHANGE_ONLINE)
MAIN_CF = """\
compatibility_level = 3.6
inet_interfaces = all
myhostname = relay.tern.example
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:1
smtp_tls_security_level = none
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
"""
POSTCONF = """\
#!/bin/sh
case "$1" in
    -n) cat "$MAIN_CF" ;;
    -h) sed -n "s/^$2 = //p" "$MAIN_CF" ;;
    mail_version) echo "mail_version = 3.8.4" ;;
    -M) echo "smtp unix - - n - - smtp" ;;
esac
"""
CONNECTOR = """\
Name                     : Relay
Enabled                  : True
ConnectorType            : OnPremises
SenderIPAddresses        : {}
TlsSenderCertificateName : relay.tern.example
"""
REFUSED = "Remote server returned '550 5.7.64 TenantAttribution; Relay Access Denied [x.prod.protection.outlook.com]'\n"


@pytest.mark.parametrize("kind", IN_POWERSHELL)
@pytest.mark.parametrize("redacted", [False, True])
def test_a_script_for_exchange_parses(kind: Collected, redacted: bool):
    root = POWERSHELL.parse(script_for(kind, redacted=redacted).encode()).root_node
    assert not root.has_error


@pytest.mark.parametrize("kind", IN_POWERSHELL)
def test_a_script_for_exchange_only_looks(kind: Collected):
    verbs = set(re.findall(r"\b([A-Z][a-z]+)-(?=[A-Z])[A-Z]\w+", script_for(kind, redacted=False)))
    ours = {"Save", "Hide", "New", "Add", "Set", "Join", "Out", "Write", "Invoke", "Compress", "Connect"}
    assert verbs - ours <= {"Get", "Test", "Where", "Select", "Sort", "Format", "For", "ForEach"}
    changing = re.findall(r"\b(?:Set|New|Remove|Enable)-(?!Content|Item\b)\w+", script_for(kind, redacted=False))
    assert changing == []


def test_the_script_for_postfix_parses():
    checked = subprocess.run(
        ["bash", "-n"], input=script_for(Collected.POSTFIX, redacted=False), text=True, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def collected(folder: Path, *arguments: str) -> Path:
    """Runs the script beside a Postfix whose settings are in `main.cf`; gives the folder that it wrote."""
    made = Pki(folder).leaf("relay.tern.example")
    (folder / "main.cf").write_text(MAIN_CF.format(certificate=made.chain_file, key=made.key_file))
    programs = folder / "bin"
    programs.mkdir()
    (programs / "postconf").write_text(POSTCONF)
    (programs / "postqueue").write_text("#!/bin/sh\necho 'A1 100 Mon Mar  2 scan@tern.example'\n")
    for each in programs.iterdir():
        each.chmod(0o755)
    script = folder / "collect.sh"
    script.write_text(script_for(Collected.POSTFIX, redacted=False))
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "MAIN_CF": str(folder / "main.cf")}
    subprocess.run(
        ["bash", str(script), *arguments, str(folder / "out")],
        env=environment,
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=120,
    )
    return folder / "out"


def test_what_it_gathers_of_postfix_is_read(tmp_path: Path):
    out = collected(tmp_path)
    (out / "connector.txt").write_text(CONNECTOR)
    (out / "bounce.txt").write_text(REFUSED)
    bundle = read_files([out])
    assert bundle.postfix_setting("myhostname").value == "relay.tern.example"
    assert any("relay.tern.example" in each.all_names for each in bundle.certificates)
    first = diagnose(bundle).findings[0]
    assert first.rule == "connector-does-not-use-tls"
    assert any("smtp_tls_security_level=encrypt" in each.command for each in first.fix)


def test_no_private_key_leaves_the_server_and_names_are_hidden_on_request(tmp_path: Path):
    out = collected(tmp_path, "--redact")
    written = "".join(each.read_text(errors="replace") for each in out.iterdir())
    assert "PRIVATE KEY" not in written
    assert "scan@tern.example" not in written and "user@tern.example" in written


def test_without_postfix_it_says_so(tmp_path: Path):
    script = tmp_path / "collect.sh"
    script.write_text(script_for(Collected.POSTFIX, redacted=False))
    (tmp_path / "bin").mkdir()
    for name in ("bash", "hostname", "date", "mkdir"):
        found = subprocess.run(["which", name], capture_output=True, text=True, check=False).stdout.strip()
        if found:
            (tmp_path / "bin" / name).symlink_to(found)
    done = subprocess.run(
        ["bash", str(script), str(tmp_path / "out")],
        env={"PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and "postconf is not in PATH" in done.stderr


@pytest.mark.parametrize("kind", list(Collected))
def test_the_command_prints_the_script_as_it_is(kind: Collected):
    printed = CliRunner().invoke(main_app, ["doctor", "--collect", kind.value, "--redact"])
    assert printed.exit_code == 0 and printed.output == script_for(kind, redacted=True)


def test_a_script_and_evidence_at_once_are_refused(tmp_path: Path):
    printed = CliRunner().invoke(main_app, ["doctor", "--collect", "postfix", str(tmp_path)])
    assert printed.exit_code == 2
