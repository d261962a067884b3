"""TXT records as every name server of their zone shows them: a receiver may ask any of them.

Law: where the servers differ, nobody says that the record is there.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from gatepost.net.dns import DNS_PORT, Resolver
from gatepost.queue.next_hop import DnsProblem

_MOST_SERVERS: Final = 16
_PATIENCE_S: Final = 5.0


class _Heard(NamedTuple):
    """What one server says about a name."""

    texts: frozenset[str]
    alias: str | None = None
    """The name that it stands for, perhaps in another zone."""


class EveryNameServer:
    """`admin.directory.verification.TxtLookup`."""

    def __init__(
        self, resolver: Resolver, may_ask: Callable[[str], bool] = lambda address: True, port: int = DNS_PORT
    ) -> None:
        """`may_ask`: whether a server at that address is asked: a tenant says where its zone's are."""
        self._resolver = resolver
        self._may_ask = may_ask
        self._port = port

    async def txt(self, name: str) -> tuple[str, ...] | DnsProblem:
        """What all that answer agree on; where none of them can be asked, what the resolver says."""
        found = await self._resolver.name_servers(name)
        servers = [(host, address) for host, address in found if self._may_ask(address)][:_MOST_SERVERS]
        answers = await asyncio.gather(*(self._ask(name, address) for _, address in servers))
        heard = [(*server, answer) for server, answer in zip(servers, answers, strict=True) if answer is not None]
        if len({answer for *_, answer in heard}) > 1:
            return DnsProblem(permanent=False, status="4.4.3", why=_difference(name, heard))
        if not heard or heard[0][2].alias:
            return await self._resolver.txt(name)
        return tuple(sorted(heard[0][2].texts))

    async def _ask(self, name: str, address: str) -> _Heard | None:
        """None: it does not answer, or not as one that has the zone."""
        question = dns.message.make_query(name + ".", "TXT")
        try:
            answer, _ = await dns.asyncquery.udp_with_fallback(
                question, address, timeout=_PATIENCE_S, port=self._port, ignore_unexpected=True
            )
        except (dns.exception.DNSException, OSError, EOFError):
            return None
        if not answer.flags & dns.flags.AA or answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return None
        records = [(records.rdtype, record) for records in answer.answer for record in records]
        alias = next((record for kind, record in records if kind == dns.rdatatype.CNAME), None)
        if alias is not None:
            return _Heard(frozenset(), alias.target.to_text().lower())
        texts = (record.strings for kind, record in records if kind == dns.rdatatype.TXT)
        return _Heard(frozenset(b"".join(strings).decode("utf-8", "replace") for strings in texts))


def _difference(name: str, heard: Sequence[tuple[str, str, _Heard]]) -> str:
    most = max((answer for *_, answer in heard), key=lambda each: (each.alias is not None, len(each.texts)))
    behind = [f"{host} ({address})" for host, address, answer in heard if answer != most]
    return f"the name servers of the zone differ about {name}: {', '.join(behind[:3])} not like the others; wait"
