"""`gatepost tls-policy`."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gatepost.cli import context
from gatepost.cli.main import main_app

Gatepost = Callable[..., Result]
CONFIG = """
hostname = "relay.example.net"
[[listener]]
address = "127.0.0.1:2525"
[dns]
nameservers = ["127.0.0.1:9"]
"""


@pytest.fixture
def gatepost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gatepost]:
    config = tmp_path / "gatepost.toml"
    monkeypatch.setenv("GATEPOST_CONFIG", str(config))
    config.write_text(CONFIG)

    def run(*words: str) -> Result:
        context.config.cache_clear()
        return CliRunner().invoke(main_app, words, catch_exceptions=False, standalone_mode=True)

    yield run
    context.config.cache_clear()


def test_the_level_of_the_connector_is_shown_and_another_tenants_is_not_used(
    gatepost: Gatepost,
) -> None:
    gatepost("tenant", "add", "contoso")
    gatepost("tenant", "add", "fabrikam")
    way = ("--address-space", "*", "--smart-host", "192.0.2.25")
    gatepost("send-connector", "add", "out", *way, "--tls", "encrypt")
    gatepost("send-connector", "add", "own", *way, "--tenant", "contoso", "--tls", "verify")
    shown = json.loads(gatepost("tls-policy", "outside.example", "--tenant", "fabrikam", "--json").stdout)
    assert (shown["domain"], shown["level"], shown["source"]) == ("outside.example", "encrypt", "connector")
    assert [each["code"] for each in shown["because"]] == ["connector-encrypt"]
    assert shown["next_hops"][0]["host"] == "192.0.2.25"
    said = gatepost("tls-policy", "outside.example", "--tenant", "contoso")
    assert "verify" in said.stdout and "contoso/own" in said.stdout


def test_level_dane_without_a_validating_name_server_is_no(gatepost: Gatepost) -> None:
    gatepost("send-connector", "add", "out", "--address-space", "*", "--smart-host", "192.0.2.25", "--tls", "dane")
    said = gatepost("tls-policy", "outside.example")
    assert said.exit_code == 1
    assert "no mail" in said.stdout


def test_what_cannot_be_asked_is_one_line(gatepost: Gatepost) -> None:
    gatepost("tenant", "add", "contoso")
    none = gatepost("tls-policy", "outside.example")
    assert none.exit_code == 1 and "gatepost send-connector add" in none.stderr
    wrong = gatepost("tls-policy", "no domain")
    assert wrong.exit_code == 2 and len(wrong.stderr.splitlines()) == 1
    unknown = gatepost("tls-policy", "outside.example", "--tenant", "nobody")
    assert unknown.exit_code == 1 and "gatepost tenant list" in unknown.stderr
