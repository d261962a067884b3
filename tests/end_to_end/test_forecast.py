"""The forecast over real sessions: what a worker saw, a command tells, and each tenant's is its own."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside
from end_to_end.smtp_client import SmtpClient
from pki import Pki

OUTSIDE = "someone@outside.example"
MESSAGE = b"Subject: hello\r\n\r\nHello.\r\n"


def prospects(relay: Installation) -> list[dict[str, Any]]:
    """Whatever the exit code says of their urgency."""
    found: list[dict[str, Any]] = json.loads(relay.here("forecast", "--json").stdout)["prospects"]
    return found


def test_a_certificate_about_to_expire_is_told_until_its_server_shows_another(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    soon = pki.leaf("mail.contoso.com", not_after=datetime.now(UTC) + timedelta(days=5))
    later = pki.leaf("mail.contoso.com", not_after=datetime.now(UTC) + timedelta(days=80))
    fine = pki.leaf("mail.fabrikam.com", not_after=datetime.now(UTC) + timedelta(days=80))
    relay = Installation(tmp_path / "relay", client_roots=pki.roots_file, workers=1)
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        relay("inbound-connector", "add", tenant, "mail", "--certificate-name", f"mail.{tenant}.com")
    assert prospects(relay) == []
    with Outside() as outside:
        relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{outside.sink().port}")
        with relay.serving():
            for tenant, certificate in (("contoso", soon), ("fabrikam", fine)):
                with SmtpClient(relay.port) as smtp:
                    smtp.starttls(certificate)
                    assert smtp.message(f"ann@{tenant}.com", OUTSIDE, MESSAGE).code == 250
            (prospect,) = wait_until(lambda: prospects(relay), "the sessions to be seen")
            assert (prospect["code"], prospect["tenant"], prospect["within_days"]) == (
                "certificate-expires",
                "contoso",
                7,
            )
            assert prospect["subject"] == soon.sha256
            assert "contoso/mail" in relay("forecast", expect=1)
            assert "contoso" not in relay("forecast", "--tenant", "fabrikam")
            with SmtpClient(relay.port) as smtp:
                smtp.starttls(later)
                assert smtp.message("ann@contoso.com", OUTSIDE, MESSAGE).code == 250
            wait_until(lambda: not prospects(relay), "the renewed certificate to be seen")
            assert relay("forecast").startswith("nothing to report")


def test_the_relay_watches_its_own_certificates_and_tokens(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    over = pki.leaf("mail.contoso.com", not_after=datetime.now(UTC) - timedelta(days=1))
    soon = pki.leaf("relay.example.net", not_after=datetime.now(UTC) + timedelta(days=5))
    relay = Installation(
        tmp_path / "relay",
        client_roots=pki.roots_file,
        top_settings='postmaster = "postmaster@example.net"',
        tls_settings=f'[[tls.more]]\ncertificate = "{soon.chain_file}"\nkey = "{soon.key_file}"',
        workers=1,
    )
    relay.init()
    for tenant, address in (("contoso", "127.0.1.1"), ("fabrikam", "127.0.2.1")):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        relay("inbound-connector", "add", tenant, "mail", "--address", address)
    presenting = ("--certificate", str(over.chain_file), "--key", str(over.key_file))
    assert prospects(relay) != [] and {each["tenant"] for each in prospects(relay)} == {""}
    with Outside() as outside:
        sink = outside.sink()
        host = ("--smart-host", f"127.0.0.1:{sink.port}")
        done = relay.here(
            *("send-connector", "add", "partner", "--tenant", "contoso", "--address-space", "partner.example"),
            *(*host, *presenting),
        )
        assert "mail.contoso.com) expired" in done.stderr
        relay("send-connector", "set", "internet", *host)
        with relay.serving():
            relay.wait_for_output(r"the server certificate relay\.example\.net .* expires")
            found = {(each["code"], each["tenant"], each["connector"]) for each in prospects(relay)}
            assert found == {
                ("own-certificate-expires", "", ""),
                ("own-certificate-expires", "contoso", "partner"),
            }
            assert "expired" in relay("send-connector", "show", "partner")
            assert relay.told("send-connector", "show", "partner")["presented"]["names"] == ["mail.contoso.com"]
            assert json.loads(relay.here("forecast", "--tenant", "fabrikam", "--json").stdout)["prospects"] == []

            def written() -> list[bytes]:
                messages = tuple(sink.messages)
                return [each.content for each in messages if "postmaster@example.net" in each.recipients]

            wait_until(lambda: len(written()) == 2, "postmaster to be written to, of the server and of contoso")
            assert any(b"relay.example.net expects the following problems of its own" in each for each in written())
            with SmtpClient(relay.port, source="127.0.2.1") as smtp:
                smtp.ehlo()
                assert smtp.message("ben@fabrikam.com", OUTSIDE, MESSAGE).code == 250


def test_connectors_and_tenants_show_how_they_are_used_each_its_own(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    relay = Installation(tmp_path / "relay", client_roots=pki.roots_file, workers=1, api=True)
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        relay("inbound-connector", "add", tenant, "mail", "--certificate-name", f"mail.{tenant}.com")
    relay("token", "add", "--tenant", "fabrikam", "--out", str(tmp_path / "fabrikam.token"))
    (before, _) = relay.told("inbound-connector", "list")
    assert before["use"] is None
    leaf = pki.leaf("mail.contoso.com")
    with Outside() as outside:
        relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{outside.sink().port}")
        with relay.serving():
            for count in range(3):
                with SmtpClient(relay.port) as smtp:
                    smtp.starttls(leaf)
                    assert smtp.message(f"ann{count}@contoso.com", OUTSIDE, MESSAGE).code == 250

            def use() -> dict[str, Any]:
                shown: dict[str, Any] = relay.told("inbound-connector", "show", "contoso", "mail")["use"] or {}
                return shown if shown.get("messages_24h") == 3 else {}

            shown = wait_until(use, "three messages to be counted")
            assert (shown["messages_30d"], shown["address"]) == (3, "127.0.0.1")
            assert shown["certificate"]["names"] == ["mail.contoso.com"]
            assert shown["certificate"]["not_after"][:4] == f"{leaf.certificate.not_valid_after_utc:%Y}"
            text = relay("inbound-connector", "show", "contoso", "mail")
            assert "it presented" in text and "3 in 24 hours, 3 in 30 days" in text
            assert "none in 90 days" in relay("inbound-connector", "show", "fabrikam", "mail")
            assert "ago" in relay("tenant", "list")
            server = ("--server", relay.api_url, "--ca", str(relay.folder / "server.pem"))
            token = ("--token-file", str(tmp_path / "fabrikam.token"))
            listed = relay.here(*server, *token, "inbound-connector", "list", "--json")
            assert listed.returncode == 0, listed.stderr
            assert [(each["tenant"], each["use"]) for each in json.loads(listed.stdout)] == [("fabrikam", None)]
