"""When DANE is used at all. What it does with records: tests/delivery/dane.toml."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dns_server import DnsServer
from gatepost.net.dane import Dane, not_trusted
from gatepost.net.dns import Resolver
from gatepost.tenancy.tlsa import Dnssec


def ask(question: Callable[[DnsServer, Dane, list[str | None]], Awaitable[None]], **options: object) -> None:
    async def story() -> None:
        async with DnsServer() as server:
            server.add(".", "SOA", "a. b. 1 1 1 1 1")
            said: list[str | None] = []
            resolver = Resolver([server.address], lifetime_s=0.4, validated=True)
            await question(server, Dane(resolver, changed=said.append, **options), said)  # type: ignore[arg-type]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("servers", "trusted", "expected"),
    [
        (["127.0.0.1", "::1", "127.0.0.53"], [], None),
        (["127.0.0.1", "192.0.2.53"], [], "192.0.2.53"),
        (["127.0.0.1", "192.0.2.53"], ["192.0.2.53"], None),
        (["127.0.0.11"], [], "127.0.0.11"),
    ],
)
def test_only_this_machine_and_listed_servers_are_trusted(
    servers: list[str], trusted: list[str], expected: str | None
) -> None:
    assert not_trusted(servers, trusted) == expected


def test_a_server_that_validates_enables_it_and_that_is_said_once() -> None:
    async def story(server: DnsServer, dane: Dane, said: list[str | None]) -> None:
        server.signs(".")
        assert await dane.why_disabled() is None
        assert await dane.why_disabled() is None
        assert said == [None]

    ask(story)


def test_a_server_that_does_not_validate_disables_it_and_that_is_said() -> None:
    async def story(server: DnsServer, dane: Dane, said: list[str | None]) -> None:
        server.add("mx.fabrikam.example", "A", "192.0.2.1")
        answer = await dane.look_up("fabrikam.example", "mx.fabrikam.example", 25)
        assert answer.state is Dnssec.DISABLED
        assert "does not validate DNSSEC" in answer.why
        assert said == [answer.why]
        assert ("_25._tcp.mx.fabrikam.example", "TLSA") not in server.asked

    ask(story)


def test_once_enabled_silence_about_the_signed_name_does_not_disable_it() -> None:
    now = [0.0]

    async def story(server: DnsServer, dane: Dane, said: list[str | None]) -> None:
        server.signs(".")
        assert await dane.why_disabled() is None
        server.fails("signed.example")
        now[0] = 1e6
        dane._signed_name = "signed.example"
        assert await dane.why_disabled() is None
        await dane._asking  # type: ignore[misc]
        assert await dane.why_disabled() is None
        assert said == [None]

    ask(story, elapsed=lambda: now[0])


def test_a_name_server_that_begins_to_validate_or_ceases_to_is_noticed_within_the_time_to_live() -> None:
    now = [0.0]

    async def story(server: DnsServer, dane: Dane, said: list[str | None]) -> None:
        async def state_of(host: str, after: float) -> Dnssec:
            now[0] += after
            await dane.why_disabled()
            await dane._asking  # type: ignore[misc]
            return (await dane.look_up(host, host, 25)).state

        for host in ("fabrikam.example", "contoso.example"):
            server.add(host, "A", "192.0.2.1")
            server.add(host, "MX", f"10 {host}.")
        # What delivery has asked for on its own is as old as the name server was.
        await dane._resolver.mail_hosts("fabrikam.example")
        assert await state_of("fabrikam.example", 0) is Dnssec.DISABLED
        server.signs(".")
        assert await state_of("fabrikam.example", 61) is Dnssec.SECURE
        assert await state_of("contoso.example", 61) is Dnssec.SECURE
        server.leaves_unsigned(".")
        assert await state_of("contoso.example", 61) is Dnssec.DISABLED
        assert [problem is None for problem in said] == [False, True, False]

    ask(story, elapsed=lambda: now[0])


def test_an_address_is_not_asked_about() -> None:
    async def story(server: DnsServer, dane: Dane, said: list[str | None]) -> None:
        assert (await dane.look_up(None, "192.0.2.1", 25)).state is Dnssec.NOT_ASKED
        assert server.asked == []

    ask(story)
