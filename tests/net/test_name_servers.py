"""A name server that answers is told from one that fails, is silent or is not there."""

import asyncio
import socket

from dns_server import DnsServer
from gatepost.net.name_servers import Answer, ask_each


def asked(*others: str, fails: str = "broken.example", name: str = "relay.example.net") -> list[Answer]:
    async def ask() -> list[Answer]:
        async with DnsServer() as server:
            server.fails(fails)
            return await asyncio.to_thread(ask_each, [server.address, *others], name)

    return asyncio.run(ask())


def test_each_server_is_asked_and_what_it_says_of_the_name_does_not_matter() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        answers, nothing = asked(f"127.0.0.1:{silent.getsockname()[1]}")
    assert answers.took_s is not None and answers.problem == ""
    assert nothing.took_s is None and nothing.problem == "no answer within 2 s"


def test_a_server_that_fails_gives_no_usable_answer() -> None:
    (found,) = asked(name="broken.example")
    assert (found.took_s, found.problem) == (None, "it answers SERVFAIL")
