"""Whether the name servers answer, and how long they take.

One question to each, all at the same time, about this server's own name. Law: an answer is an answer, whatever it
says of the name; what fails is a value, and nobody waits longer than `_PATIENCE_S`.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import dns.exception
import dns.message
import dns.nameserver
import dns.rcode
import dns.resolver

from gatepost.net.dns import nameserver

_PATIENCE_S: Final = 2.0
_MOST: Final = 8
_ANSWERS: Final = frozenset({dns.rcode.NOERROR, dns.rcode.NXDOMAIN})


class Answer(NamedTuple):
    server: str
    took_s: float | None
    """None: no usable answer."""
    problem: str


def ask_each(nameservers: Sequence[str], name: str) -> list[Answer]:
    """`nameservers` as in gatepost.toml; none: the system's."""
    try:
        servers = [nameserver(text) for text in nameservers or _of_system()]
    except (dns.exception.DNSException, OSError) as error:
        return [Answer("the system's", None, str(error))]
    with ThreadPoolExecutor(_MOST) as pool:
        return list(pool.map(lambda server: _ask(server, name), servers[:_MOST]))


def _of_system() -> list[str]:
    return [str(each) for each in dns.resolver.Resolver().nameservers]


def _ask(server: dns.nameserver.Nameserver, name: str) -> Answer:
    shown = f"{server.answer_nameserver()}:{server.answer_port()}"
    began = time.monotonic()
    try:
        question = dns.message.make_query(name, "A")
        answer = server.query(question, _PATIENCE_S, None, 0, False)
    except dns.exception.Timeout:
        return Answer(shown, None, f"no answer within {_PATIENCE_S:g} s")
    except (dns.exception.DNSException, OSError) as error:
        return Answer(shown, None, str(error) or type(error).__name__)
    if answer.rcode() not in _ANSWERS:
        return Answer(shown, None, f"it answers {dns.rcode.to_text(answer.rcode())}")
    return Answer(shown, time.monotonic() - began, "")
