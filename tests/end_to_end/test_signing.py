"""DKIM through the whole relay: a key made, published, used, changed and let go; and what is never signed."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.scene import Certificates
from end_to_end.smtp_client import SmtpClient
from signing.verifier import verified
from sink import Sink

SMALL = b"From: Ann <ann@contoso.com>\r\nSubject: hello\r\n\r\nHello.  \r\n\r\n"
LARGE = b"From: ann@contoso.com\r\nSubject: large\r\n\r\n" + b"0123456789abcde \r\n" * 40_000


@dataclass
class World:
    relay: Installation
    certificates: Certificates
    outside: Outside
    internet: Sink

    @property
    def records(self) -> dict[str, str]:
        """What the world reads in DNS: texts of any length."""
        every = json.loads(self.relay("dkim", "list", "--json"))
        return {key["record"]["name"]: key["record"]["value"] for key in every}

    def publish(self, tenant: str, domain: str, *options: str) -> str:
        """A key that signs; its selector."""
        made = self.relay.told("dkim", "add", tenant, domain, *options)
        text = made["record"]["value"]
        strings = " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))
        self.outside.dns.add(made["record"]["name"], "TXT", strings)
        self.relay("dkim", "activate", tenant, domain, "--selector", made["selector"])
        return str(made["selector"])

    def arrives(self, to: str, content: bytes, *, by: str = "contoso", sender: str | None = None) -> bytes:
        with SmtpClient(self.relay.port) as smtp:
            smtp.starttls(getattr(self.certificates, by))
            assert smtp.message(sender or f"ann@{by}.com", to, content).code == 250
        return taken(self.internet, to=to).content

    def signed_by(self, to: str, content: bytes, *, by: str = "contoso") -> list[str]:
        return verified(self.arrives(to, content, by=by), self.records)


@pytest.fixture
def world(tmp_path: Path, certificates: Certificates, outside: Outside) -> Iterator[World]:
    roots = certificates.pki.roots_file
    relay = Installation(
        tmp_path,
        client_roots=roots,
        workers=1,
        tls_settings=f'server_roots = "{roots}"',
        tables=f'[dns]\nnameservers = ["{outside.dns.address}"]\n',
    )
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        relay("inbound-connector", "add", tenant, "mail", "--certificate-name", f"*.{tenant}.com")
    internet = outside.sink()
    relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{internet.port}")
    world = World(relay, certificates, outside, internet)
    before = set(outside.dns.records)
    with relay.serving():
        yield world
    for name in set(outside.dns.records) - before:
        outside.dns.remove(name.to_text())


def test_mail_is_signed_from_the_moment_the_key_is_active(world: World) -> None:
    assert world.signed_by("before@outside.example", SMALL) == []
    selector = world.publish("contoso", "contoso.com")
    wait_until(
        lambda: world.signed_by("after@outside.example", SMALL) == [f"contoso.com/{selector}"],
        "the worker to sign",
        pause_s=0.1,
    )
    assert world.signed_by("large@outside.example", LARGE) == [f"contoso.com/{selector}"]
    assert world.signed_by("below@outside.example", SMALL.replace(b"@contoso", b"@news.contoso")) == [
        f"contoso.com/{selector}"
    ]


def test_another_tenant_cannot_have_its_mail_signed_in_that_name(world: World) -> None:
    selector = world.publish("contoso", "contoso.com")
    other = world.publish("fabrikam", "fabrikam.com", "--algorithm", "ed25519")
    wait_until(lambda: world.signed_by("own@outside.example", SMALL), "the worker to sign", pause_s=0.1)
    assert world.signed_by("forged@outside.example", SMALL, by="fabrikam") == []
    document = _why(world, "forged@outside.example")
    assert document["transactions"][0]["dkim"] == {
        "signed": [],
        "why_not": "contoso.com is not a verified domain of the tenant that sends it",
    }
    twice = SMALL.replace(b"Subject", b"From: ben@fabrikam.com\r\nSubject")
    assert world.signed_by("twice@outside.example", twice) == []
    assert world.signed_by("theirs@outside.example", SMALL.replace(b"contoso", b"fabrikam"), by="fabrikam") == [
        f"fabrikam.com/{other}"
    ]
    shown = world.relay("why", _why(world, "own@outside.example")["session_id"])
    assert f"signed by contoso.com, selector {selector} (rsa-sha256)" in shown


def test_a_signature_outlives_a_kill_and_the_key(world: World) -> None:
    selector = world.publish("contoso", "contoso.com")
    wait_until(lambda: world.signed_by("own@outside.example", SMALL), "the worker to sign", pause_s=0.1)
    world.relay("send-connector", "set", "internet", "--smart-host", "127.0.0.1:9")
    wait_until(lambda: "127.0.0.1:9" in world.relay("send-connector", "show", "internet"), "the change")
    for name, content in {"small": SMALL, "large": LARGE}.items():
        with SmtpClient(world.relay.port) as smtp:
            smtp.starttls(world.certificates.contoso)
            assert smtp.message("ann@contoso.com", f"{name}-killed@outside.example", content).code == 250
    world.relay.kill()
    records = world.records
    world.relay("dkim", "retire", "contoso", "contoso.com")
    world.relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{world.internet.port}")
    world.relay.start()
    # What is on its way at this moment already is not retried, and that is an answer too.
    world.relay.here("queue", "retry", "--all")
    for name in ("small", "large"):
        message = taken(world.internet, to=f"{name}-killed@outside.example").content
        assert verified(message, records) == [f"contoso.com/{selector}"]
    assert world.signed_by("later@outside.example", SMALL) == []


def test_notices_are_signed_by_the_relay_itself(world: World) -> None:
    selector = world.publish("-", "relay.example.net")
    world.relay("send-connector", "add", "nowhere", "--address-space", "gone.example", "--smart-host", "192.0.2.1:25")
    contoso = world.outside.sink()
    world.relay(
        "send-connector", "add", "home", "--address-space", "contoso.com", "--smart-host", f"127.0.0.1:{contoso.port}"
    )
    with SmtpClient(world.relay.port) as smtp:
        smtp.starttls(world.certificates.contoso)
        assert smtp.message("ann@contoso.com", "bob@gone.example", SMALL).code == 250
    world.relay("queue", "bounce", "--domain", "gone.example")
    notice = taken(contoso, to="ann@contoso.com").content
    assert b"multipart/report" in notice and verified(notice, world.records) == [f"relay.example.net/{selector}"]


def test_a_key_that_dns_does_not_show_signs_nothing(world: World) -> None:
    world.relay("dkim", "add", "contoso", "contoso.com", "--selector", "early")
    refused = world.relay.here("dkim", "activate", "contoso", "contoso.com")
    assert refused.returncode == 1 and "there is no DKIM record" in refused.stderr
    assert world.relay.here("dkim", "check", "contoso", "contoso.com").returncode == 1
    assert re.search(r"early +contoso +rsa2048 +pending +never", world.relay("dkim", "list"))


def _why(world: World, recipient: str) -> dict[str, object]:
    def found() -> dict[str, object] | None:
        items = world.relay.told("trace", "--to", recipient)["items"]
        if not items:
            return None
        done = world.relay.here("why", items[0]["session_id"], "--json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    return wait_until(found, f"the record of mail to {recipient}")
