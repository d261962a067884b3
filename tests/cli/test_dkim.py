"""`gatepost dkim`."""

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gatepost.cli import context
from gatepost.cli.main import main_app
from gatepost.signing.private_key import new_pair

Gatepost = Callable[..., Result]

CONFIG = (
    'hostname = "relay.example.net"\n[tls]\ncertificate = "a.pem"\nkey = "a.key"\n'
    '[[listener]]\naddress = "127.0.0.1:2525"\n[dns]\nnameservers = ["127.0.0.1:9"]\n'
)


@pytest.fixture
def gatepost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gatepost]:
    config = tmp_path / "gatepost.toml"
    monkeypatch.setenv("GATEPOST_CONFIG", str(config))
    config.write_text(CONFIG)

    def run(*words: str) -> Result:
        context.config.cache_clear()
        return CliRunner().invoke(main_app, words, catch_exceptions=False, standalone_mode=True)

    for tenant in ("contoso", "fabrikam"):
        run("tenant", "add", tenant)
        run("domain", "add", tenant, f"{tenant}.com", "--verified")
    yield run
    context.config.cache_clear()


def test_a_key_is_made_and_its_record_printed_in_every_form(gatepost: Gatepost) -> None:
    said = gatepost("dkim", "add", "contoso", "contoso.com", "--selector", "s1").stdout
    record = json.loads(gatepost("dkim", "show", "contoso", "contoso.com", "--json").stdout)[0]["record"]
    assert record["name"] == "s1._domainkey.contoso.com" and record["value"].startswith("v=DKIM1; k=rsa; p=MIIB")
    for form in record["name"], record["value"], record["zone"]:
        assert form in said
    assert gatepost("dkim", "show", "fabrikam", "fabrikam.com").exit_code == 1
    assert json.loads(gatepost("dkim", "list", "fabrikam", "--json").stdout) == []


def test_a_key_that_is_there_is_taken_and_never_shown(gatepost: Gatepost, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_der_private_key,
    )

    pair = new_pair("rsa2048")
    pem = load_der_private_key(pair.private, None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "old.pem").write_bytes(pem)
    gatepost("dkim", "add", "contoso", "contoso.com", "--key", str(tmp_path / "old.pem"))
    (tmp_path / "old.pem").unlink()
    shown = gatepost("dkim", "show", "contoso", "contoso.com").stdout + gatepost("audit", "list", "--json").stdout
    assert pair.public in shown
    secret = pem.splitlines()[5]
    assert secret.decode() not in shown
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or secret not in file.read_bytes()
    assert stat.S_IMODE((tmp_path / "data" / "dkim.key").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("add", "contoso", "fabrikam.com"), 1, "no accepted domain 'fabrikam.com' of tenant contoso"),
        (("add", "tailspin", "contoso.com"), 1, "no tenant 'tailspin'"),
        (("add", "-", "contoso.com"), 2, "relay.example.net"),
        (("add", "contoso", "contoso.com", "--algorithm", "rsa1024"), 2, "rsa2048, rsa4096, ed25519"),
        (("add", "contoso", "contoso.com", "--key", "nowhere.pem"), 2, "nowhere.pem cannot be read"),
        (("add", "contoso", "contoso.com", "--key", "x", "--algorithm", "ed25519"), 2, "--algorithm"),
        (("add", "contoso", "contoso.com", "--rotate", "1d"), 2, "from 7 to 3650"),
        (("add", "contoso", "contoso.com", "--rotate", "often"), 2, "from 7 to 3650"),
        (("activate", "contoso", "contoso.com"), 1, "gatepost dkim add contoso contoso.com"),
        (("retire", "contoso", "contoso.com"), 1, "has no signing key"),
        (("check", "contoso", "contoso.com"), 1, "has no signing key"),
    ],
)
def test_slips_are_one_line(gatepost: Gatepost, words: tuple[str, ...], code: int, says: str) -> None:
    done = gatepost("dkim", *words)
    assert done.exit_code == code and says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 or "--algorithm" in says


def test_dns_that_cannot_say_is_no_yes(gatepost: Gatepost) -> None:
    gatepost("dkim", "add", "contoso", "contoso.com", "--selector", "s1", "--rotate", "180d")
    done = gatepost("dkim", "activate", "contoso", "contoso.com")
    assert done.exit_code == 1 and "DNS could not say" in done.stderr
    checked = json.loads(gatepost("dkim", "check", "contoso", "contoso.com", "--json").stdout)
    assert checked[0]["published"] is False and "DNS could not say" in checked[0]["why_not"]
    assert gatepost("dkim", "remove", "contoso", "contoso.com").stdout == "removed contoso.com/s1\n"
