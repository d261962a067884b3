"""DANE with a real signer, a real validating resolver and a real mail host."""

from collections.abc import Iterator
from hashlib import sha256

import pytest
from messages import assert_same, awkward
from peers import free_port
from receivers import PostfixReceiver
from relay import Relay
from signed_dns import BOGUS, PLAIN, SIGNED, SignedDns
from test_receivers import send_by
from world import World


@pytest.fixture(scope="module")
def dns(world: World, postfix_receiver: PostfixReceiver) -> Iterator[SignedDns]:
    port = postfix_receiver.ports["bdat-tls"]
    certificate = postfix_receiver.certificate
    right = f"3 0 1 {sha256(certificate.der).hexdigest()}"
    wrong, unusable = f"3 0 1 {'ab' * 32}", f"1 0 1 {'ab' * 32}"
    authority = f"2 0 1 {sha256(certificate.parents[0].der).hexdigest()}"
    at = f"_{port}._tcp"
    zones: dict[str, list[str]] = {
        SIGNED: [
            *(f"{name} A 127.0.0.1" for name in ("good", "renewed", "rollover", "authority", "usage", "none")),
            f"{at}.good TLSA {right}",
            f"{at}.renewed TLSA {wrong}",
            f"{at}.rollover TLSA {wrong}",
            f"{at}.rollover TLSA {right}",
            f"{at}.authority TLSA {authority}",
            f"{at}.usage TLSA {unusable}",
            "alias CNAME good",
            f"outward CNAME host.{PLAIN}.",
            f"{at}.outward TLSA {right}",
        ],
        BOGUS: ["mx A 127.0.0.1", f"{at}.mx TLSA {right}"],
        PLAIN: ["host A 127.0.0.1", f"{at}.host TLSA {wrong}"],
    }
    server = SignedDns(world.folder / "dns", zones)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def relay(world: World, dns: SignedDns) -> Iterator[tuple[Relay, int]]:
    found, port = Relay(world.folder / "gatepost-dane"), free_port()
    server = world.pki.leaf("relay.example.net")
    files = {"certificate": server.chain_file, "key": server.key_file, "client_roots": world.pki.roots_file}
    more = f'[dns]\nnameservers = ["127.0.0.1:{dns.port}"]\nsigned_name = "{SIGNED}"'
    found.configure(ports=(port,), tls=files, after=more)
    for tenant in ("contoso", "fabrikam"):
        found.command("tenant", "add", tenant)
        found.command("domain", "add", tenant, f"{tenant}.com", "--verified")
        found.command("inbound-connector", "add", tenant, "mail", "--certificate-name", f"mail.{tenant}.com")
    found.start()
    yield found, port
    found.stop()


@pytest.mark.parametrize(
    ("host", "level", "code", "takes_mail"),
    [
        (f"good.{SIGNED}", "dane", "dane-matched", True),
        (f"rollover.{SIGNED}", "dane", "dane-matched", True),
        (f"alias.{SIGNED}", "dane", "dane-matched", True),
        (f"outward.{SIGNED}", "dane", "dane-matched", True),
        (f"renewed.{SIGNED}", "dane", None, False),
        # The authority vouches for receiver.example.org, and not for this name.
        (f"authority.{SIGNED}", "dane", None, False),
        (f"usage.{SIGNED}", "encrypt", "encrypted", True),
        (f"none.{SIGNED}", "opportunistic", "encrypted", True),
        (f"host.{PLAIN}", "opportunistic", "encrypted", True),
    ],
)
def test_what_unbound_validated_decides(
    relay: tuple[Relay, int],
    postfix_receiver: PostfixReceiver,
    host: str,
    level: str,
    code: str | None,
    takes_mail: bool,
) -> None:
    gatepost, _ = relay
    name, domain = host.replace(".", "-"), f"{host.replace('.', '-')}.example.org"
    next_hop = ("--smart-host", f"{host}:{postfix_receiver.ports['bdat-tls']}", "--tls", "auto")
    gatepost.command("send-connector", "add", name, "--address-space", domain, *next_hop)
    shown = gatepost.answer("tls-policy", domain, "--live", status=0 if takes_mail else 1)
    assert shown["level"] == level
    (hop,) = shown["next_hops"]
    assert (hop["seen"]["code"], hop["seen"]["takes_mail"]) == (code, takes_mail)


def test_a_zone_that_does_not_validate_gets_no_mail(
    relay: tuple[Relay, int], postfix_receiver: PostfixReceiver
) -> None:
    gatepost, _ = relay
    next_hop = ("--smart-host", f"mx.{BOGUS}:{postfix_receiver.ports['bdat-tls']}", "--tls", "auto")
    gatepost.command("send-connector", "add", "bogus", "--address-space", "bogus.example.org", *next_hop)
    shown = gatepost.answer("tls-policy", "bogus.example.org", "--live", status=1)
    assert "SERVFAIL" in shown["because"][0]["says"]


def test_mail_goes_by_a_matching_record_and_the_trace_says_so(
    world: World, relay: tuple[Relay, int], postfix_receiver: PostfixReceiver
) -> None:
    gatepost, port = relay
    token = world.token("dane")
    recipient, content = f"{token}@{token}.example.org", awkward(token)
    next_hop = ("--smart-host", f"good.{SIGNED}:{postfix_receiver.ports['bdat-tls']}", "--tls", "dane")
    gatepost.command("send-connector", "add", token, "--address-space", f"{token}.example.org", *next_hop)
    send_by(world, port, recipient, content)
    assert_same(content, world.outside.wait_for(recipient).content)
    (item,) = gatepost.answer("trace", "--to", recipient)["items"]
    events = gatepost.answer("trace", "show", item["id"])["events"]
    assert [each["why"] for each in events if each["event"] == "delivered"] == [
        "dane: the certificate matches TLSA 3 0 1"
    ]
