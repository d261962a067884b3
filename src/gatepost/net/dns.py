"""What delivery and domain verification ask of DNS. Every answer is a value; nothing here raises for what a zone says.

Answers, negative ones too, are kept for their time to live in a bounded cache. A server that fails or is silent is a
problem for now (SERVFAIL, time-out); a name that is said not to exist is one for good.
"""

import asyncio
import re
from collections.abc import Sequence
from ipaddress import ip_address
from itertools import chain, zip_longest
from typing import Any, NamedTuple

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.rdataclass
import dns.rdatatype
import dns.resolver

from gatepost.errors import GatepostError
from gatepost.mail.domain import DomainError, domain_key
from gatepost.queue.next_hop import DnsProblem, MxRecord

DNS_PORT = 53

MOST_CACHED = 20_000

# One question, all name servers and retries together.
LIFETIME_S = 10.0

# What fits into one datagram everywhere; larger answers come over TCP (RFC 9715).
_LARGEST_DATAGRAM = 1232

# RFC 6761 6.3: "localhost" is the loopback, whatever a name server says.
_LOOPBACK = ("127.0.0.1", "::1")


class NameserverError(GatepostError, ValueError):
    """A name server setting that is no address; the message is one sentence."""


class Answer(NamedTuple):
    """With what DNSSEC needs; none of the records is an answer too."""

    records: tuple[Any, ...]
    is_authentic: bool
    """The name server says that it validated it (RFC 4035 3.2.3). Whether that is to be believed is another matter."""
    canonical: str
    """The name at the end of CNAME records; a domain key."""


class Resolver:
    """One per worker."""

    def __init__(
        self, nameservers: Sequence[str] = (), lifetime_s: float = LIFETIME_S, *, validated: bool = False
    ) -> None:
        """`nameservers`: `address` or `address:port`; none: the system's. `validated`: ask them to say whether they
        validated an answer."""
        self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        if nameservers:
            self._resolver.nameservers = [nameserver(text) for text in nameservers]
        self._resolver.cache = dns.resolver.LRUCache(MOST_CACHED)
        self._resolver.lifetime = lifetime_s
        if validated:
            self._resolver.use_edns(0, dns.flags.DO, _LARGEST_DATAGRAM)
            self._resolver.flags = dns.flags.RD | dns.flags.AD

    async def mail_hosts(self, domain: str) -> tuple[MxRecord, ...] | DnsProblem:
        """The MX records of `domain`; where it has none, the domain itself (RFC 5321 5.1)."""
        answer = await self._ask(domain, "MX")
        if isinstance(answer, DnsProblem):
            return answer
        records = [
            MxRecord(record.preference, _host(record.exchange)) for record in answer if record.exchange != dns.name.root
        ]
        if records:
            return tuple(records)
        if answer:
            # RFC 7505 3: a null MX says that the domain takes no mail.
            return DnsProblem(permanent=True, status="5.1.10", why=f"{domain} takes no mail: it has a null MX record")
        return (MxRecord(0, domain),)

    async def addresses(self, host: str) -> tuple[str, ...] | DnsProblem:
        """The addresses of `host`, IPv4 and IPv6 in turn."""
        if is_address(host):
            return (host,)
        if host == "localhost":
            return _LOOPBACK
        four, six = await asyncio.gather(self._ask(host, "A"), self._ask(host, "AAAA"))
        found = [
            [record.address for record in answer] if not isinstance(answer, DnsProblem) else []
            for answer in (four, six)
        ]
        both = tuple(address for address in chain.from_iterable(zip_longest(*found)) if address)
        if both:
            return both
        for answer in (four, six):
            if isinstance(answer, DnsProblem):
                return answer
        return DnsProblem(permanent=True, status="5.4.4", why=f"{host} has no address in DNS")

    async def txt(self, name: str) -> tuple[str, ...] | DnsProblem:
        """The TXT records of `name`, each with its strings joined; none is an empty answer."""
        answer = await self._ask(name, "TXT")
        if isinstance(answer, DnsProblem):
            return answer
        return tuple(b"".join(record.strings).decode("utf-8", "replace") for record in answer)

    async def name_servers(self, name: str) -> Sequence[tuple[str, str]]:
        """The name servers of the zone that `name` lies in, each with one of its addresses; none where DNS does not
        say."""
        try:
            zone = await dns.asyncresolver.zone_for_name(name + ".", resolver=self._resolver)
        except (dns.exception.DNSException, OSError):
            return ()
        answer = await self._ask(zone.to_text(omit_final_dot=True), "NS")
        hosts = () if isinstance(answer, DnsProblem) else tuple(_host(record.target) for record in answer)
        found = await asyncio.gather(*(self.addresses(host) for host in hosts))
        return [
            (host, address)
            for host, addresses in zip(hosts, found, strict=True)
            if not isinstance(addresses, DnsProblem)
            for address in addresses
        ]

    @property
    def servers(self) -> tuple[str, ...]:
        """The addresses that are asked."""
        return tuple(each if isinstance(each, str) else each.answer_nameserver() for each in self._resolver.nameservers)

    def forget(self, name: str = "", kind: str = "") -> None:
        """Ask again about `name`, or about everything, whatever time is left to live."""
        key = (dns.name.from_text(name + "."), dns.rdatatype.from_text(kind), dns.rdataclass.IN) if kind else None
        self._resolver.cache.flush(key)

    async def answer(self, name: str, kind: str) -> Answer | DnsProblem:
        """The same from the same cache, and whether it was validated. A name that does not exist has no records."""
        found = await self._resolve(name, kind)
        if isinstance(found, dns.resolver.NXDOMAIN):
            (response,) = found.kwargs["responses"].values()
            return Answer((), _is_authentic(response), _host(response.canonical_name()))
        if isinstance(found, DnsProblem):
            return found
        return Answer(tuple(found), _is_authentic(found.response), _host(found.canonical_name))

    async def _ask(self, name: str, kind: str) -> tuple[Any, ...] | DnsProblem:
        """The records; none where the name exists without them."""
        found = await self._resolve(name, kind)
        if isinstance(found, dns.resolver.NXDOMAIN):
            return DnsProblem(permanent=True, status="5.1.2", why=f"{name} does not exist in DNS")
        return found if isinstance(found, DnsProblem) else tuple(found)

    async def _resolve(self, name: str, kind: str) -> dns.resolver.Answer | dns.resolver.NXDOMAIN | DnsProblem:
        try:
            return await self._resolver.resolve(name + ".", kind, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN as error:
            return error
        except dns.resolver.NoNameservers:
            return DnsProblem(
                permanent=False, status="4.4.3", why=f"the name servers failed on {name} {kind} (SERVFAIL)"
            )
        except dns.exception.Timeout:
            return DnsProblem(
                permanent=False, status="4.4.3", why=f"no name server answered about {name} {kind} in time"
            )
        except (dns.exception.DNSException, OSError) as error:
            return DnsProblem(permanent=False, status="4.4.3", why=f"DNS look-up of {name} {kind} failed: {error}")


_NAMESERVER = re.compile(r"\[(?P<six>[^\]]+)\](?::(?P<six_port>\d+))?|(?P<host>[^:]+):(?P<port>\d+)|(?P<alone>.+)")


def nameserver(text: str) -> dns.nameserver.Nameserver:
    match = _NAMESERVER.fullmatch(text)
    host = match and (match["six"] or match["host"] or match["alone"])
    port = int((match and (match["six_port"] or match["port"])) or DNS_PORT)
    if not host or not is_address(host) or not 0 < port < 65536:
        raise NameserverError(
            f"name server '{text}' is not an address: write 192.0.2.53, 192.0.2.53:53 or [2001:db8::53]:53"
        )
    return dns.nameserver.Do53Nameserver(host, port)


def _is_authentic(response: dns.message.Message) -> bool:
    return bool(response.flags & dns.flags.AD)


def is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _host(name: dns.name.Name) -> str:
    text = name.to_text(omit_final_dot=True)
    try:
        return domain_key(text)
    except DomainError:
        return text.lower()
