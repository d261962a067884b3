"""`gatepost person`."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gatepost.cli import context
from gatepost.cli.main import main_app

Gatepost = Callable[..., Result]

CONFIG = (
    'hostname = "relay.example.net"\n[tls]\ncertificate = "a.pem"\nkey = "a.key"\n'
    '[[listener]]\naddress = "127.0.0.1:2525"\n'
)


@pytest.fixture
def gatepost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gatepost]:
    config = tmp_path / "gatepost.toml"
    monkeypatch.setenv("GATEPOST_CONFIG", str(config))
    config.write_text(f'{CONFIG}[console]\naddress = "127.0.0.1:8444"\n')

    def run(*words: str) -> Result:
        context.config.cache_clear()
        return CliRunner().invoke(main_app, words, catch_exceptions=False, standalone_mode=True)

    run("tenant", "add", "contoso")
    run("tenant", "add", "fabrikam")
    yield run
    context.config.cache_clear()


def test_a_person_comes_and_goes(gatepost: Gatepost) -> None:
    said = gatepost("person", "add", "ann", "--tenant", "contoso", "--role", "tenant-read").stdout.splitlines()
    assert said[0] == "ann (tenant-read of contoso) sets a password at:"
    assert said[1].startswith("https://127.0.0.1:8444/link?token=") and said[2].startswith("The link works once, until")
    assert gatepost("person", "add", "olga", "--operator").exit_code == 0
    again = gatepost("person", "link", "ann").stdout.splitlines()
    assert again[1] != said[1]
    listed = json.loads(gatepost("person", "list", "--json").stdout)
    assert [(each["name"], each["role"]) for each in listed] == [("olga", "operator"), ("ann", "tenant-read")]
    assert set(listed[0]) == {
        "name",
        "tenant",
        "role",
        "created_at",
        "password_set_at",
        "link_expires_at",
        "disabled_at",
        "identity",
        "role_by_groups",
    }
    assert "ann" not in gatepost("person", "list", "--tenant", "fabrikam").stdout
    assert gatepost("person", "remove", "ann").stdout == "removed person ann\n"
    assert "ann" not in gatepost("person", "list").stdout
    assert json.loads(gatepost("person", "activity", "--json").stdout) == []
    assert gatepost("person", "activity", "ann").exit_code == 0


def test_a_person_whom_a_provider_knows_needs_no_link(gatepost: Gatepost, tmp_path: Path) -> None:
    config = tmp_path / "gatepost.toml"
    provider = '[[console.provider]]\nname = "acme"\nissuer = "https://login.example/A"\nclient_id = "x"\n'
    config.write_text(config.read_text() + provider)
    add = ("person", "add", "ann", "--tenant", "contoso", "--oidc")
    other = gatepost(*add, "https://login.example/a", "aBc")
    assert other.exit_code == 2 and "configured: https://login.example/A" in other.stderr
    said = gatepost(*add, "https://login.example/A", "aBc").stdout.splitlines()
    assert said == ["ann (tenant-admin of contoso) signs in with acme at:", "https://127.0.0.1:8444/sign-in"]
    twice = gatepost("person", "add", "bob", "--operator", "--oidc", "https://login.example/A", "aBc")
    assert twice.exit_code == 1 and "belongs to person ann" in twice.stderr


def test_a_person_is_disabled_and_enabled(gatepost: Gatepost) -> None:
    gatepost("person", "add", "olga", "--operator")
    only = gatepost("person", "disable", "olga")
    assert only.exit_code == 1 and "the only operator" in only.stderr
    gatepost("person", "add", "ann", "--tenant", "contoso")
    assert gatepost("person", "disable", "ann").stdout.splitlines()[0] == "disabled person ann"
    assert "disabled" in gatepost("person", "list").stdout
    assert "person enable ann" in gatepost("person", "link", "ann").stderr
    assert gatepost("person", "enable", "ann").exit_code == 0 and gatepost("person", "sign-out", "ann").exit_code == 0
    assert "disabled" not in gatepost("person", "list").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("add", "ann"), "--tenant T or --operator"),
        (("add", "ann", "--operator", "--tenant", "contoso"), "--tenant T or --operator"),
        (("add", "ann", "--tenant", "contoso", "--role", "operator"), "--role operator: must be tenant-admin or"),
        (("add", "two words", "--operator"), "letters, digits"),
        (("link", "nobody"), "there is no person 'nobody'"),
    ],
)
def test_a_wrong_command_is_one_line(gatepost: Gatepost, words: tuple[str, ...], says: str) -> None:
    done = gatepost("person", *words)
    assert done.exit_code and says in done.stderr and done.stderr.count("\n") == 1


def test_without_a_console_there_is_no_link_to_it(gatepost: Gatepost, tmp_path: Path) -> None:
    (tmp_path / "gatepost.toml").write_text(CONFIG)
    done = gatepost("person", "add", "ann", "--operator")
    assert done.exit_code == 2 and "[console]" in done.stderr
    assert json.loads(gatepost("person", "list", "--json").stdout) == []


def test_a_console_on_every_address_is_named_by_its_host(gatepost: Gatepost, tmp_path: Path) -> None:
    (tmp_path / "gatepost.toml").write_text(f'{CONFIG}[console]\naddress = "[::]:8444"\n')
    assert "https://relay.example.net:8444/link?token=" in gatepost("person", "add", "ann", "--operator").stdout
