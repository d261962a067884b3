"""TXT records as every name server of their zone shows them: a receiver may ask any of them.

Law: where the servers differ, nobody says that the record is there.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype

from gatepost.net.dns import DNS_PORT, Resolver
from gatepost.queue.next_hop import DnsProblem

_MOST_SERVERS: Final = 16
_PATIENCE_S: Final = 5.0

_Texts = frozenset[str]


class EveryNameServer:
    """`admin.directory.verification.TxtLookup`."""

    def __init__(self, resolver: Resolver, port: int = DNS_PORT) -> None:
        self._resolver = resolver
        self._port = port

    async def txt(self, name: str) -> tuple[str, ...] | DnsProblem:
        """What all that answer agree on; where none of them can be asked, what the resolver says."""
        servers = (await self._resolver.name_servers(name))[:_MOST_SERVERS]
        answers = await asyncio.gather(*(self._ask(name, address) for _, address in servers))
        heard = [
            (host, address, answer)
            for (host, address), answer in zip(servers, answers, strict=True)
            if answer is not None
        ]
        if not heard:
            return await self._resolver.txt(name)
        if len({answer for *_, answer in heard}) > 1:
            return DnsProblem(permanent=False, status="4.4.3", why=_difference(name, heard))
        return tuple(sorted(heard[0][2]))

    async def _ask(self, name: str, address: str) -> _Texts | None:
        """None: it does not answer, or not about this zone."""
        question = dns.message.make_query(name + ".", "TXT")
        try:
            answer, _ = await dns.asyncquery.udp_with_fallback(
                question, address, timeout=_PATIENCE_S, port=self._port, ignore_unexpected=True
            )
        except (dns.exception.DNSException, OSError, EOFError):
            return None
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return None
        return frozenset(
            b"".join(record.strings).decode("utf-8", "replace")
            for records in answer.answer
            if records.rdtype == dns.rdatatype.TXT
            for record in records
        )


def _difference(name: str, heard: Sequence[tuple[str, str, _Texts]]) -> str:
    most = max((answer for *_, answer in heard), key=len)
    behind = [f"{host} ({address})" for host, address, answer in heard if answer != most]
    return f"the name servers of the zone differ about {name}: {', '.join(behind[:3])} not like the others; wait"
