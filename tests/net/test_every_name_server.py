"""A record is there when every name server of the zone shows it."""

import asyncio
from collections.abc import Callable

from dns_server import DnsServer
from gatepost.net.dns import Resolver
from gatepost.net.every_name_server import EveryNameServer
from gatepost.queue.next_hop import DnsProblem

NAME = "gp._domainkey.contoso.example"


class Zone(Resolver):
    """A resolver that knows where the name servers are: those of the tests share an address, not a port."""

    def __init__(self, public: DnsServer, servers: list[tuple[str, str]]) -> None:
        super().__init__([public.address], lifetime_s=0.4)
        self._servers = servers

    async def name_servers(self, name: str) -> list[tuple[str, str]]:
        return self._servers


def asked(
    prepare: Callable[[DnsServer, DnsServer, DnsServer], None], may_ask: Callable[[str], bool] = lambda address: True
) -> tuple[str, ...] | DnsProblem:
    """Of a zone with the name servers 127.0.0.1 and 127.0.0.2, which listen to the same port."""

    async def story() -> tuple[str, ...] | DnsProblem:
        async with DnsServer() as public, DnsServer() as first:
            second = DnsServer()
            await second.start(first.port, host="127.0.0.2")
            prepare(public, first, second)
            servers = [("ns1.contoso.example", "127.0.0.1"), ("ns2.contoso.example", "127.0.0.2")]
            try:
                return await EveryNameServer(Zone(public, servers), may_ask, first.port).txt(NAME)
            finally:
                await second.stop()

    return asyncio.run(story())


def test_what_all_show_is_there() -> None:
    def both(public: DnsServer, first: DnsServer, second: DnsServer) -> None:
        for each in (first, second):
            each.add(NAME, "TXT", '"v=DKIM1; " "p=AAAA"')

    assert asked(both) == ("v=DKIM1; p=AAAA",)


def test_where_they_differ_nothing_is_said_to_be_there() -> None:
    def one(public: DnsServer, first: DnsServer, second: DnsServer) -> None:
        first.add(NAME, "TXT", '"v=DKIM1; p=AAAA"')

    answer = asked(one)
    assert isinstance(answer, DnsProblem) and not answer.permanent
    assert "ns2.contoso.example (127.0.0.2) not like the others" in answer.why


def test_one_that_is_silent_or_fails_does_not_decide() -> None:
    def lame(public: DnsServer, first: DnsServer, second: DnsServer) -> None:
        first.add(NAME, "TXT", '"v=DKIM1; p=AAAA"')
        second.fails(NAME)

    assert asked(lame) == ("v=DKIM1; p=AAAA",)


def test_one_that_has_not_the_zone_does_not_decide() -> None:
    def recursive(public: DnsServer, first: DnsServer, second: DnsServer) -> None:
        first.add(NAME, "TXT", '"v=DKIM1; p=AAAA"')
        second.has_zones = False

    assert asked(recursive) == ("v=DKIM1; p=AAAA",)


def test_a_record_behind_an_alias_is_found_where_it_is() -> None:
    """Providers have their customers point to a name of theirs, in another zone."""

    def delegated(public: DnsServer, first: DnsServer, second: DnsServer) -> None:
        for each in (public, first, second):
            each.add(NAME, "CNAME", "gp.provider.example.")
        public.add("gp.provider.example", "TXT", '"v=DKIM1; p=CCCC"')

    assert asked(delegated) == ("v=DKIM1; p=CCCC",)

    def by_one(public: DnsServer, first: DnsServer, second: DnsServer) -> None:
        delegated(public, first, second)
        second.remove(NAME)

    assert isinstance(asked(by_one), DnsProblem)


def test_a_server_out_of_reach_is_not_asked() -> None:
    """Where the name servers of a tenant's zone are, the tenant says."""
    asked_there: list[tuple[str, str]] = []

    def inside(public: DnsServer, first: DnsServer, second: DnsServer) -> None:
        public.add(NAME, "TXT", '"v=DKIM1; p=BBBB"')
        first.asked = second.asked = asked_there

    assert asked(inside, lambda address: not address.startswith("127.")) == ("v=DKIM1; p=BBBB",)
    assert asked_there == []


def test_where_none_can_be_asked_the_resolver_says() -> None:
    def away(public: DnsServer, first: DnsServer, second: DnsServer) -> None:
        public.add(NAME, "TXT", '"v=DKIM1; p=BBBB"')
        first.fails(NAME)
        second.fails(NAME)

    assert asked(away) == ("v=DKIM1; p=BBBB",)


def test_the_name_servers_of_a_zone_are_found_with_their_addresses() -> None:
    async def story() -> object:
        async with DnsServer() as server:
            server.add("contoso.example", "SOA", "ns1.contoso.example. admin.contoso.example. 1 2 3 4 5")
            server.add("contoso.example", "NS", "ns1.contoso.example.", "ns2.contoso.example.")
            server.add("ns1.contoso.example", "A", "192.0.2.1")
            return await Resolver([server.address], lifetime_s=0.4).name_servers(NAME)

    assert asyncio.run(story()) == [("ns1.contoso.example", "192.0.2.1")]


def test_without_an_answer_there_are_none() -> None:
    async def story() -> object:
        async with DnsServer() as server:
            server.fails(NAME)
            return await Resolver([server.address], lifetime_s=0.4).name_servers(NAME)

    assert list(asyncio.run(story())) == []  # type: ignore[call-overload]
