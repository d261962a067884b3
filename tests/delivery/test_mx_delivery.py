"""Delivery by MX, with a real name server. Every host is 127.0.0.1, so the sink listens on the port that is dialled."""

from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from delivery import post_office as post
from delivery.post_office import LOOPBACK, post_office, to_smart_host
from dns_server import DnsServer
from gatepost.delivery import next_hops
from gatepost.net.own_addresses import OwnListeners
from gatepost.tenancy.reach import Reach
from gatepost.tenancy.tenant import AddressSpace, SendConnector, SmartHost, TlsLevel
from sink import CLOSE, Sink

INTERNET = SendConnector(name="internet", address_spaces=(AddressSpace(space="*", cost=100),), tls=TlsLevel.NONE)


def run(test: Coroutine[None, None, None]) -> None:
    uvloop.run(test)


@pytest.fixture
def dial_port(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """MX hosts listen on port 25, which tests may not have."""
    return lambda port: monkeypatch.setattr(next_hops, "SMTP_PORT", port)


def test_mail_goes_to_the_best_host_and_to_the_next_where_that_fails(tmp_path: Path, dial_port) -> None:  # type: ignore[no-untyped-def]
    async def story() -> None:
        async with DnsServer() as dns, Sink() as sink:
            dial_port(sink.port)
            dns.add("fabrikam.example", "MX", "20 second.example.", "10 first.example.")
            dns.add("first.example", "A", "127.0.0.1")
            dns.add("second.example", "A", "127.0.0.1")
            async with post_office(tmp_path, INTERNET, nameserver=dns.address) as office:
                sink.answer("GREETING", b"421 4.3.2 busy\r\n", CLOSE)
                await office.send()
                await office.until(lambda: office.told.delivered)
                assert office.told.delivered[0][1].host == f"second.example[127.0.0.1]:{sink.port}"
                assert not office.told.deferred

    run(story())


@pytest.mark.parametrize(
    ("domain", "failed", "status"),
    [
        ("nowhere.example", True, "5.1.2"),
        ("null.example", True, "5.1.10"),
        ("ours.example", True, "5.4.6"),
        ("nothing.example", True, "5.4.4"),
        ("broken.example", False, "4.4.3"),
        ("silent.example", False, "4.4.3"),
        ("dangling.example", False, "4.4.4"),
    ],
)
def test_what_dns_says_decides(tmp_path: Path, domain: str, failed: bool, status: str) -> None:
    async def story() -> None:
        async with DnsServer() as dns:
            dns.add("null.example", "MX", "0 .")
            dns.add("ours.example", "MX", "10 edge.contoso.example.", "20 backup.example.")
            dns.add("nothing.example", "TXT", '"no mail here"')
            dns.add("dangling.example", "MX", "10 gone.example.")
            dns.fails("broken.example")
            dns.is_silent("silent.example")
            async with post_office(tmp_path, INTERNET, nameserver=dns.address) as office:
                await office.send(f"x@{domain}", sender=None)
                await office.until(lambda: office.told.failed or office.told.deferred)
                outcome = office.told.failed[0][1] if failed else office.told.deferred[0][1]
                assert outcome.status == status
                assert domain.split(".")[0] in outcome.why or "gone.example" in outcome.why

    run(story())


def test_an_address_literal_is_dialled_as_it_is(tmp_path: Path, dial_port) -> None:  # type: ignore[no-untyped-def]
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, INTERNET) as office:
            dial_port(sink.port)
            await office.send("bob@[127.0.0.1]")
            await office.until(lambda: office.told.delivered)
            assert sink.messages[0].recipients == ("bob@[127.0.0.1]",)

    run(story())


def test_domains_have_sessions_of_their_own(tmp_path: Path, dial_port) -> None:  # type: ignore[no-untyped-def]
    async def story() -> None:
        async with DnsServer() as dns, Sink() as sink:
            dial_port(sink.port)
            for domain in ("one.example", "two.example"):
                dns.add(domain, "A", "127.0.0.1")
            async with post_office(tmp_path, INTERNET, nameserver=dns.address, retry=post.NEVER) as office:
                await office.send("x@one.example", "y@two.example")
                await office.until(lambda: len(office.told.delivered) == 2)
                assert sink.sessions == 2
                assert {message.recipients for message in sink.messages} == {("x@one.example",), ("y@two.example",)}

    run(story())


@pytest.mark.parametrize("to", ["x@rebound.example", "x@[127.0.0.1]"])
def test_a_strangers_mx_at_an_internal_address_is_not_dialled(tmp_path: Path, dial_port, to: str) -> None:  # type: ignore[no-untyped-def]
    async def story() -> None:
        async with DnsServer() as dns, Sink() as sink:
            dial_port(sink.port)
            dns.add("rebound.example", "MX", "10 mx.rebound.example.")
            dns.add("mx.rebound.example", "A", "127.0.0.1")
            guarded = replace(INTERNET, allow_internal=False)
            async with post_office(tmp_path, guarded, nameserver=dns.address, reach=Reach()) as office:
                await office.send(to, sender=None)
                await office.until(lambda: office.told.failed)
                assert office.told.failed[0][1].status == "5.4.4"
                assert office.told.failed[0][1].why.startswith("next-hop-not-allowed: ")
                assert sink.sessions == 0

    run(story())


def test_a_tenants_smart_host_that_comes_to_lead_inside_is_left_and_another_tenant_is_served(tmp_path: Path) -> None:
    async def story() -> None:
        async with DnsServer() as dns, Sink() as sink:
            dns.add("hub.evil.example", "A", "127.0.0.1")
            spaces = (AddressSpace(space="*"),)
            evil = SendConnector(
                name="evil/out", tenant="evil", address_spaces=spaces, smart_hosts=(SmartHost(host="hub.evil.example"),)
            )
            ours = to_smart_host(sink.port, "out", tenant="fabrikam")
            async with post_office(tmp_path, evil, ours, nameserver=dns.address, reach=Reach()) as office:
                await office.send(tenant="evil")
                await office.send(tenant="fabrikam")
                await office.until(lambda: office.told.deferred and office.told.delivered)
                assert office.told.deferred[0][1].status == "4.4.4"
                assert office.told.deferred[0][1].why.startswith(
                    "next-hop-not-allowed: hub.evil.example has a loopback"
                )
                assert sink.sessions == 1

    run(story())


def test_an_mx_that_is_this_relay_is_passed_over_and_alone_is_a_loop(tmp_path: Path, dial_port) -> None:  # type: ignore[no-untyped-def]
    async def story() -> None:
        async with DnsServer() as dns, Sink() as sink:
            dial_port(sink.port)
            dns.add("round.example", "MX", "10 evil.example.")
            dns.add("evil.example", "A", "127.0.0.1")
            dns.add("both.example", "MX", "10 evil.example.", "20 other.example.")
            dns.add("other.example", "A", "127.0.0.2")
            reach = replace(LOOPBACK, is_own_listener=OwnListeners([("127.0.0.1", sink.port)]).include)
            evil, ours = replace(INTERNET, name="own", tenant="evil"), INTERNET
            async with post_office(tmp_path, evil, ours, nameserver=dns.address, reach=reach) as office:
                await office.send("x@round.example", tenant="evil", sender=None)
                await office.until(lambda: office.told.failed)
                assert office.told.failed[0][1].status == "5.4.6"
                assert office.told.failed[0][1].why.startswith("next-hop-is-this-relay: evil.example ")
                await office.send("x@both.example", tenant="evil", sender=None)
                await office.until(lambda: office.told.deferred)
                assert "other.example[127.0.0.2]" in str(office.told.deferred[0][1])
                assert sink.sessions == 0
                await office.send("x@round.example", tenant="fabrikam", sender=None)
                await office.until(lambda: len(office.told.failed) == 2)
                assert office.told.failed[1][1].status == "5.4.6", "over the server's own connector too"
                assert sink.sessions == 0

    run(story())
