"""DNS answers as values, from a real server on a real socket."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dns_server import DnsServer
from gatepost.net.dns import NameserverError, Resolver
from gatepost.queue.next_hop import DnsProblem, MxRecord


def ask(question: Callable[[Resolver], Awaitable[object]], prepare: Callable[[DnsServer], None]) -> object:
    async def story() -> object:
        async with DnsServer() as server:
            prepare(server)
            return await question(Resolver([server.address], lifetime_s=0.4))

    return asyncio.run(story())


def mail_hosts(prepare: Callable[[DnsServer], None]) -> object:
    return ask(lambda resolver: resolver.mail_hosts("fabrikam.example"), prepare)


def addresses(prepare: Callable[[DnsServer], None]) -> object:
    return ask(lambda resolver: resolver.addresses("mx.fabrikam.example"), prepare)


def problem(answer: object) -> tuple[bool, str]:
    assert isinstance(answer, DnsProblem)
    return answer.permanent, answer.status


def test_mx_records_are_told_with_their_preferences() -> None:
    answer = mail_hosts(lambda dns: dns.add("fabrikam.example", "MX", "20 B.example.", "10 a.example."))
    assert sorted(answer) == [MxRecord(10, "a.example"), MxRecord(20, "b.example")]  # type: ignore[call-overload]


def test_a_domain_without_mx_is_its_own_mail_host() -> None:
    answer = mail_hosts(lambda dns: dns.add("fabrikam.example", "A", "192.0.2.1"))
    assert answer == (MxRecord(0, "fabrikam.example"),)


def test_a_null_mx_means_that_no_mail_is_taken() -> None:
    assert problem(mail_hosts(lambda dns: dns.add("fabrikam.example", "MX", "0 ."))) == (True, "5.1.10")


def test_a_domain_that_does_not_exist_is_a_problem_for_good() -> None:
    assert problem(mail_hosts(lambda dns: None)) == (True, "5.1.2")


def test_a_failing_server_is_a_problem_for_now() -> None:
    assert problem(mail_hosts(lambda dns: dns.fails("fabrikam.example"))) == (False, "4.4.3")


def test_a_silent_server_is_a_problem_for_now() -> None:
    assert problem(mail_hosts(lambda dns: dns.is_silent("fabrikam.example"))) == (False, "4.4.3")


def test_addresses_of_both_families_take_turns() -> None:
    def prepare(dns: DnsServer) -> None:
        dns.add("mx.fabrikam.example", "A", "192.0.2.1", "192.0.2.2", "192.0.2.3")
        dns.add("mx.fabrikam.example", "AAAA", "2001:db8::1")

    answer = addresses(prepare)
    assert sorted(answer) == ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"]  # type: ignore[call-overload]
    assert answer[1] == "2001:db8::1"  # type: ignore[index]


def test_one_family_that_fails_does_not_hide_the_other() -> None:
    assert addresses(lambda dns: dns.add("mx.fabrikam.example", "AAAA", "2001:db8::1")) == ("2001:db8::1",)


def test_a_name_without_any_address_is_a_problem_for_good() -> None:
    assert problem(addresses(lambda dns: dns.add("mx.fabrikam.example", "TXT", '"x"'))) == (True, "5.4.4")


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7"])
def test_an_address_is_its_own_answer(host: str) -> None:
    assert ask(lambda resolver: resolver.addresses(host), lambda dns: None) == (host,)


def test_localhost_is_the_loopback_without_asking() -> None:
    assert ask(lambda resolver: resolver.addresses("localhost"), lambda dns: None) == ("127.0.0.1", "::1")


def test_txt_strings_are_joined_and_long_answers_come_over_tcp() -> None:
    def prepare(dns: DnsServer) -> None:
        dns.add(
            "_gatepost.fabrikam.example",
            "TXT",
            '"gatepost-verification=" "abc"',
            *(f'"{"x" * 200}{n}"' for n in range(20)),
        )

    answer = ask(lambda resolver: resolver.txt("_gatepost.fabrikam.example"), prepare)
    assert "gatepost-verification=abc" in answer  # type: ignore[operator]
    assert len(answer) == 21  # type: ignore[arg-type]


def test_answers_are_remembered() -> None:
    async def story() -> None:
        async with DnsServer() as server:
            server.add("fabrikam.example", "MX", "10 a.example.")
            resolver = Resolver([server.address])
            for _ in range(3):
                await resolver.mail_hosts("fabrikam.example")
            assert len(server.asked) == 1

    asyncio.run(story())


@pytest.mark.parametrize("text", ["dns.example", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:http", "[::1"])
def test_a_name_server_must_be_an_address(text: str) -> None:
    with pytest.raises(NameserverError, match="is not an address"):
        Resolver([text])


@pytest.mark.parametrize("text", ["192.0.2.1", "192.0.2.1:5353", "::1", "[::1]:5353", "[::1]"])
def test_a_name_server_may_have_a_port(text: str) -> None:
    Resolver([text])
