"""Delivery by MX, with a real name server. Every host is 127.0.0.1, so the sink listens on the port that is dialled."""

from collections.abc import Coroutine
from pathlib import Path

import pytest
import uvloop

from delivery import post_office as post
from delivery.post_office import post_office
from dns_server import DnsServer
from gatepost.delivery import next_hops
from gatepost.tenancy.tenant import AddressSpace, SendConnector, TlsLevel
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
