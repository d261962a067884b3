"""`tenant`, `domain`, `inbound-connector`, `send-connector` and `audit` on a real directory file."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from dns_server import DnsServer
from gatepost.cli import context
from gatepost.cli.main import main_app, run
from gatepost.store.directory.sqlite_directory import SqliteDirectory
from pki import Pki

SOURCE = Path(__file__).parents[2] / "src"
CONFIG = 'hostname = "relay.example.net"\n[[listener]]\naddress = "127.0.0.1:2525"\n'

Gatepost = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gatepost.toml").write_text(CONFIG)
    (tmp_path / "data").mkdir()
    return tmp_path


@pytest.fixture
def gatepost(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gatepost]:
    """One command line, in this process: exit code, stdout, stderr."""
    monkeypatch.setenv("GATEPOST_CONFIG", str(folder / "gatepost.toml"))

    def run(*words: str) -> Result:
        context.config.cache_clear()
        return CliRunner().invoke(main_app, words, catch_exceptions=False)

    yield run
    context.config.cache_clear()


@pytest.fixture
def dns(folder: Path) -> Iterator[DnsServer]:
    """A name server in a thread of its own, named in the configuration."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    server = DnsServer()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result()
    with (folder / "gatepost.toml").open("a") as config:
        config.write(f'[dns]\nnameservers = ["{server.address}"]\n')
    yield server
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def done(result: Result) -> str:
    assert result.exit_code == 0, result.stderr
    return result.stdout


def read(result: Result) -> Any:
    return json.loads(done(result))


def refused(result: Result, exit_code: int) -> str:
    """The one line on standard error."""
    assert result.exit_code == exit_code, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("gatepost: ")
    return line


@pytest.fixture
def two_tenants(gatepost: Gatepost) -> Gatepost:
    for tenant in ("contoso", "fabrikam"):
        done(gatepost("tenant", "add", tenant))
    return gatepost


class TestTenants:
    def test_tenants_are_added_listed_and_shown(self, two_tenants: Gatepost) -> None:
        assert [each["name"] for each in read(two_tenants("tenant", "list", "--json"))] == ["contoso", "fabrikam"]
        shown = read(two_tenants("tenant", "show", "contoso", "--json"))
        assert (shown["name"], shown["domains"], shown["inbound_connectors"]) == ("contoso", [], [])
        assert "contoso" in done(two_tenants("tenant", "list"))

    def test_an_unknown_tenant_is_a_no_that_names_the_nearest(self, two_tenants: Gatepost) -> None:
        assert "did you mean 'contoso'?" in refused(two_tenants("tenant", "show", "contosso", "--json"), 1)

    def test_a_tenant_with_domains_goes_only_with_yes(self, two_tenants: Gatepost) -> None:
        done(two_tenants("domain", "add", "contoso", "contoso.com"))
        assert "--yes" in refused(two_tenants("tenant", "remove", "contoso"), 1)
        done(two_tenants("tenant", "remove", "contoso", "--yes"))
        assert read(two_tenants("domain", "list", "--json")) == []

    def test_an_unusable_name_is_wrong_use(self, gatepost: Gatepost) -> None:
        refused(gatepost("tenant", "add", "a/b"), 2)


class TestDomains:
    def test_adding_prints_the_record_that_proves_ownership(self, two_tenants: Gatepost) -> None:
        lines = done(two_tenants("domain", "add", "contoso", "Contoso.com")).splitlines()
        (found,) = read(two_tenants("domain", "list", "--json"))
        assert lines[1] == f'_gatepost.contoso.com TXT "gatepost-verification={found["token"]}"'
        assert found["record"]["value"] == f"gatepost-verification={found['token']}"
        assert not found["verified"]

    def test_the_operators_override_verifies_at_once(self, two_tenants: Gatepost) -> None:
        done(two_tenants("domain", "add", "contoso", "contoso.com", "--verified", "--match-subdomains"))
        shown = read(two_tenants("domain", "show", "contoso.com", "--json"))
        assert (shown["verified"], shown["verified_by_operator"], shown["match_subdomains"]) == (True, True, True)

    def test_a_second_tenant_can_claim_it_and_the_record_decides(self, two_tenants: Gatepost, dns: DnsServer) -> None:
        for tenant in ("fabrikam", "contoso"):
            done(two_tenants("domain", "add", tenant, "contoso.com"))
        found = {each["tenant"]: each for each in read(two_tenants("domain", "list", "--json"))}
        assert set(found) == {"contoso", "fabrikam"}
        assert "say which tenant is meant, with --tenant" in refused(two_tenants("domain", "show", "contoso.com"), 2)
        dns.add("_gatepost.contoso.com", "TXT", f'"{found["contoso"]["record"]["value"]}"')
        assert read(two_tenants("domain", "verify", "contoso.com", "--json"))["tenant"] == "contoso"
        claim = read(two_tenants("domain", "show", "contoso.com", "--tenant", "fabrikam", "--json"))
        assert not claim["verified"]
        owned = refused(two_tenants("domain", "set", "contoso.com", "--tenant", "fabrikam", "--verified"), 1)
        assert "contoso.com is verified for tenant contoso" in owned
        done(two_tenants("domain", "remove", "contoso.com", "--tenant", "fabrikam"))
        assert read(two_tenants("domain", "show", "contoso.com", "--json"))["tenant"] == "contoso"

    def test_dns_is_asked_for_the_record(self, two_tenants: Gatepost, dns: DnsServer) -> None:
        done(two_tenants("domain", "add", "contoso", "contoso.com"))
        assert "no TXT record at _gatepost.contoso.com" in refused(two_tenants("domain", "verify", "contoso.com"), 1)
        value = read(two_tenants("domain", "show", "contoso.com", "--json"))["record"]["value"]
        dns.add("_gatepost.contoso.com", "TXT", f'"{value}"')
        assert read(two_tenants("domain", "verify", "contoso.com", "--json"))["verified"]
        dns.fails("_gatepost.contoso.com")
        assert "could not be checked" in refused(two_tenants("domain", "verify", "contoso.com"), 1)
        assert read(two_tenants("domain", "show", "contoso.com", "--json"))["verified"]

    def test_setting_and_removing(self, two_tenants: Gatepost) -> None:
        done(two_tenants("domain", "add", "contoso", "contoso.com", "--verified"))
        done(two_tenants("inbound-connector", "add", "contoso", "mail", "--certificate-name", "mail.contoso.com"))
        done(two_tenants("domain", "set", "contoso.com", "--match-subdomains"))
        shown = read(two_tenants("domain", "show", "contoso.com", "--json"))
        assert (shown["match_subdomains"], shown["verified"]) == (True, True)
        removed = two_tenants("domain", "remove", "contoso.com")
        assert "contoso/mail: mail.contoso.com" in removed.stderr
        assert done(removed) == "removed contoso.com from contoso\n"


class TestInboundConnectors:
    def test_every_option_of_the_contract_is_taken(self, two_tenants: Gatepost, tmp_path: Path) -> None:
        pki = Pki(tmp_path / "pki")
        words = (
            "--certificate-name gw.filter.example --certificate-name *.filter.example "
            f"--certificate-sha256 {'AB' * 32} --public-key-sha256 {'cd' * 32} --address 192.0.2.0/24 "
            "--address 2001:db8::/48 --type partner --sender-domain * --require-tls --restrict-to-certificate "
            f"--restrict-to-address --trust-anchor {pki.roots_file} --disabled"
        )
        done(two_tenants("inbound-connector", "add", "contoso", "filter", *words.split()))
        shown = read(two_tenants("inbound-connector", "show", "contoso", "filter", "--json"))
        assert shown == {
            "tenant": "contoso",
            "name": "filter",
            "type": "partner",
            "certificate_names": ["gw.filter.example", "*.filter.example"],
            "certificate_sha256": ["ab" * 32],
            "public_key_sha256": ["cd" * 32],
            "proven_pins": [],
            "addresses": ["192.0.2.0/24", "2001:db8::/48"],
            "sender_domains": ["*"],
            "require_tls": True,
            "restrict_to_certificate": True,
            "restrict_to_address": True,
            "trust_anchors": [pki.root.pem],
            "comment": None,
            "enabled": False,
            "missing": None,
            "use": None,
        }

    def test_an_unowned_name_is_a_no_with_the_missing_record(self, two_tenants: Gatepost) -> None:
        record = done(two_tenants("domain", "add", "contoso", "contoso.com")).splitlines()[1]
        words = ("inbound-connector", "add", "contoso", "mail", "--certificate-name", "mail.contoso.com")
        assert record in refused(two_tenants(*words), 1)
        shown = read(two_tenants("inbound-connector", "show", "contoso", "mail", "--json"))
        assert not shown["enabled"] and record in shown["missing"]
        assert record in refused(two_tenants("inbound-connector", "enable", "contoso", "mail"), 1)
        done(two_tenants("domain", "set", "contoso.com", "--verified"))
        done(two_tenants("inbound-connector", "enable", "contoso", "mail"))

    def test_setting_replaces_lists_and_takes_flags_back(self, two_tenants: Gatepost) -> None:
        done(two_tenants("domain", "add", "contoso", "contoso.com", "--verified"))
        words = "--certificate-name mail.contoso.com --address 192.0.2.1 --require-tls"
        done(two_tenants("inbound-connector", "add", "contoso", "mail", *words.split()))
        change = ("--address", "", "--certificate-name", "*.contoso.com", "--no-require-tls")
        done(two_tenants("inbound-connector", "set", "contoso", "mail", *change))
        (shown,) = read(two_tenants("inbound-connector", "list", "contoso", "--json"))
        assert (shown["addresses"], shown["certificate_names"]) == ([], ["*.contoso.com"])
        assert not shown["require_tls"] and shown["enabled"]

    def test_disabling_enabling_and_removing(self, two_tenants: Gatepost) -> None:
        done(two_tenants("inbound-connector", "add", "contoso", "mail", "--address", "192.0.2.1"))
        done(two_tenants("inbound-connector", "disable", "contoso", "mail"))
        assert not read(two_tenants("inbound-connector", "list", "--json"))[0]["enabled"]
        done(two_tenants("inbound-connector", "enable", "contoso", "mail"))
        done(two_tenants("inbound-connector", "remove", "contoso", "mail"))
        refused(two_tenants("inbound-connector", "show", "contoso", "mail"), 1)

    def test_what_makes_no_sense_is_wrong_use(self, two_tenants: Gatepost) -> None:
        line = refused(two_tenants("inbound-connector", "add", "contoso", "mail", "--address", "192.0.2.1/24"), 2)
        assert "192.0.2.0/24" in line


class TestSendConnectors:
    def test_every_option_of_the_contract_is_taken_and_shown(
        self, two_tenants: Gatepost, folder: Path, tmp_path: Path
    ) -> None:
        leaf = Pki(tmp_path / "pki").leaf("mail.contoso.com")
        words = (
            "--tenant contoso --address-space *;10 --address-space *.partner.example --smart-host [::1]:2525 "
            f"--smart-host relay.example.net --certificate {leaf.chain_file} --key {leaf.key_file} --tls verify "
            "--tls-domain relay.example.net --fqdn mail.contoso.com --protocol-log off"
        )
        done(two_tenants("send-connector", "add", "out", *words.split()))
        shown = read(two_tenants("send-connector", "show", "out", "--json"))
        presented = shown.pop("presented")
        assert (presented["names"], presented["sha256"]) == (["mail.contoso.com"], leaf.sha256)
        assert shown == {
            "name": "out",
            "tenant": "contoso",
            "address_spaces": [{"space": "*", "cost": 10}, {"space": "*.partner.example", "cost": 1}],
            "smart_hosts": [{"host": "::1", "port": 2525}, {"host": "relay.example.net", "port": 25}],
            "certificate": str(leaf.chain_file),
            "key": str(leaf.key_file),
            "tls": "verify",
            "tls_domain": "relay.example.net",
            "fqdn": "mail.contoso.com",
            "protocol_log": False,
            "allow_internal": True,
            "comment": None,
            "enabled": True,
            "source_servers": [
                {"server": "relay.example.net", "protocol_log_folder": str(folder / "data/protocol-log/send")}
            ],
        }
        text = done(two_tenants("send-connector", "show", "out"))
        assert "relay.example.net" in text and "protocol log" in text

    def test_setting_disabling_and_removing(self, two_tenants: Gatepost) -> None:
        done(two_tenants("send-connector", "add", "out", "--address-space", "*"))
        done(two_tenants("send-connector", "set", "out", "--smart-host", "a.example", "--tls", "encrypt"))
        done(two_tenants("send-connector", "disable", "out"))
        (shown,) = read(two_tenants("send-connector", "list", "--json"))
        assert (shown["tls"], shown["enabled"]) == ("encrypt", False)
        done(two_tenants("send-connector", "set", "out", "--smart-host", ""))
        assert read(two_tenants("send-connector", "show", "out", "--json"))["smart_hosts"] == []
        done(two_tenants("send-connector", "enable", "out"))
        done(two_tenants("send-connector", "remove", "out"))
        assert read(two_tenants("send-connector", "list", "--json")) == []

    def test_lists_are_added_to_and_taken_from(self, two_tenants: Gatepost) -> None:
        done(two_tenants("send-connector", "add", "out", "--address-space", "*;5", "--smart-host", "a.example"))
        done(two_tenants("send-connector", "set", "out", "--add-smart-host", "b.example", "--add-address-space", "*;9"))
        shown = read(two_tenants("send-connector", "show", "out", "--json"))
        assert [each["host"] for each in shown["smart_hosts"]] == ["a.example", "b.example"]
        assert shown["address_spaces"] == [{"space": "*", "cost": 9}]
        two = ("--add-address-space", "fabrikam.com", "--remove-address-space", "*")
        done(two_tenants("send-connector", "set", "out", *two, "--remove-smart-host", "a.example"))
        shown = read(two_tenants("send-connector", "show", "out", "--json"))
        assert [each["host"] for each in shown["smart_hosts"]] == ["b.example"]
        assert [each["space"] for each in shown["address_spaces"]] == ["fabrikam.com"]
        both = two_tenants("send-connector", "set", "out", "--smart-host", "c", "--add-smart-host", "d")
        assert "--smart-host replaces the list" in refused(both, 2)

    def test_the_level_is_the_one_asked_for_and_else_auto(self, two_tenants: Gatepost) -> None:
        words = ("send-connector", "add", "out", "--address-space", "*")
        assert two_tenants(*words).exit_code == 0
        assert json.loads(two_tenants("send-connector", "show", "out", "--json").stdout)["tls"] == "auto"
        assert two_tenants("send-connector", "set", "out", "--tls", "dane").exit_code == 0
        assert json.loads(two_tenants("send-connector", "show", "out", "--json").stdout)["tls"] == "dane"


class TestAudit:
    def test_every_change_is_listed_with_before_and_after(self, two_tenants: Gatepost) -> None:
        done(two_tenants("domain", "add", "contoso", "contoso.com", "--verified"))
        done(two_tenants("domain", "set", "contoso.com", "--match-subdomains"))
        done(two_tenants("domain", "remove", "contoso.com"))
        entries = read(two_tenants("audit", "list", "domain contoso.com", "--json"))
        assert [each["action"] for each in entries] == ["remove", "set", "add"]
        changed = read(two_tenants("audit", "show", str(entries[1]["version"]), "--json"))
        assert (changed["before"]["match_subdomains"], changed["after"]["match_subdomains"]) == (False, True)
        assert changed["who"]
        shown = done(two_tenants("audit", "show", str(entries[1]["version"])))
        assert "no → yes" in shown and "token" not in shown

    def test_refused_commands_leave_no_trace(self, two_tenants: Gatepost) -> None:
        before = read(two_tenants("audit", "list", "--json"))
        two_tenants("tenant", "add", "contoso")
        two_tenants("inbound-connector", "add", "contoso", "mail")
        two_tenants("domain", "add", "contoso", "com")
        assert read(two_tenants("audit", "list", "--json")) == before

    def test_an_unknown_change_is_a_no(self, two_tenants: Gatepost) -> None:
        assert "the newest is 2" in refused(two_tenants("audit", "show", "99"), 1)


def test_a_worker_sees_what_a_command_in_another_process_did(two_tenants: Gatepost, folder: Path) -> None:
    worker = SqliteDirectory(folder / "data" / "directory.sqlite")
    assert worker.nearest_owner("mail.contoso.com") is None
    words = ["-m", "gatepost", "domain", "add", "contoso", "contoso.com", "--verified"]
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "SUDO_USER": "ann"}
    subprocess.run([sys.executable, *words], check=True, cwd=folder, env=environment, capture_output=True)
    assert worker.refresh()
    owner = worker.nearest_owner("mail.contoso.com")
    assert owner is not None and owner.tenant == "contoso"
    assert read(two_tenants("audit", "list", "domain", "--json"))[0]["who"] == "ann"


def test_a_damaged_directory_file_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    (folder / "data" / "directory.sqlite").write_bytes(b"no database at all " * 100)
    assert run(["tenant", "list"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "damaged" in line


def test_a_missing_data_folder_is_made(gatepost: Gatepost, folder: Path) -> None:
    (folder / "data").rmdir()
    assert done(gatepost("tenant", "add", "contoso"))
    assert (folder / "data" / "directory.sqlite").exists()


def test_a_limit_beyond_all_bounds_is_a_slip(two_tenants: Gatepost) -> None:
    for limit in ("--message-size", "--queued"):
        told = two_tenants("tenant", "set", "contoso", limit, "99999999999999999")
        assert "too large for a limit" in refused(told, 2)
    assert "too large" in refused(two_tenants("tenant", "set", "contoso", "--message-size", "99999999999GiB"), 2)


class TestComment:
    """A field for people: every face that shows or takes a connector has it."""

    ADD = (
        ("inbound-connector", "add", "contoso", "mail", "--address", "192.0.2.1"),
        ("inbound-connector", "add", "fabrikam", "mail", "--address", "192.0.2.2"),
        ("send-connector", "add", "out", "--address-space", "*"),
    )

    def test_it_is_set_shown_listed_audited_exported_imported_and_taken_away(
        self, gatepost: Gatepost, folder: Path
    ) -> None:
        for tenant in ("contoso", "fabrikam"):
            done(gatepost("tenant", "add", tenant))
        for words in self.ADD:
            done(gatepost(*words, "--comment", f"note on {words[2]}"))
        assert "note on contoso" in done(gatepost("inbound-connector", "show", "contoso", "mail"))
        assert "note on out" in done(gatepost("send-connector", "show", "out"))
        assert [each["comment"] for each in read(gatepost("inbound-connector", "list", "--json"))] == [
            "note on contoso",
            "note on fabrikam",
        ]
        newest = str(read(gatepost("audit", "list", "--json"))[0]["version"])
        assert read(gatepost("audit", "show", newest, "--json"))["after"]["comment"] == "note on out"

        exported = folder / "all.jsonl"
        done(gatepost("export", "directory", str(exported)))
        done(gatepost("inbound-connector", "set", "contoso", "mail", "--comment", ""))
        done(gatepost("send-connector", "set", "out", "--comment", "another"))
        kept = read(gatepost("inbound-connector", "show", "fabrikam", "mail", "--json"))
        assert kept["comment"] == "note on fabrikam"
        assert read(gatepost("inbound-connector", "show", "contoso", "mail", "--json"))["comment"] is None
        done(gatepost("import", "directory", str(exported)))
        assert read(gatepost("inbound-connector", "show", "contoso", "mail", "--json"))["comment"] == "note on contoso"
        assert read(gatepost("send-connector", "show", "out", "--json"))["comment"] == "note on out"

    def test_a_comment_of_two_lines_is_refused_in_one(self, gatepost: Gatepost) -> None:
        done(gatepost("tenant", "add", "contoso"))
        line = refused(gatepost(*self.ADD[0], "--comment", "two\nlines"), 2)
        assert "one line" in line
