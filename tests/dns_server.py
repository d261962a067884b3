"""A small DNS server for tests, on dnspython's messages.

    async with DnsServer() as dns:
        dns.add("fabrikam.example", "MX", "10 mx1.fabrikam.example.")
        dns.add("mx1.fabrikam.example", "A", "127.0.0.1")
        dns.fails("broken.example")          SERVFAIL
        dns.is_silent("slow.example")        no answer at all
        dns.signs("fabrikam.example")        answers about it and below are validated (AD)
        dns.address                          "127.0.0.1:40053"

A CNAME is followed.
Names without records are NXDOMAIN; names with records of other types are empty answers. Answers that do not fit into a
datagram are truncated, so that the client asks again over TCP.

As a program: `python tests/dns_server.py --port 0 [--zone FILE]`, FILE with lines `name TYPE value`.
"""

import argparse
import asyncio
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

TTL = 300


class DnsServer:
    def __init__(self) -> None:
        self.records: dict[dns.name.Name, dict[dns.rdatatype.RdataType, list[str]]] = {}
        self.asked: list[tuple[str, str]] = []
        self.port = 0
        self.has_zones = True
        """Says that it has the zones itself (AA)."""
        self._failing: set[dns.name.Name] = set()
        self._silent: set[dns.name.Name] = set()
        self._signed: set[dns.name.Name] = set()
        self._unsigned: set[dns.name.Name] = set()
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def add(self, name: str, kind: str, *values: str) -> None:
        of_name = self.records.setdefault(_name(name), {})
        of_name.setdefault(dns.rdatatype.from_text(kind), []).extend(values)

    def remove(self, name: str) -> None:
        self.records.pop(_name(name), None)

    def fails(self, name: str) -> None:
        self._failing.add(_name(name))

    def is_silent(self, name: str) -> None:
        self._silent.add(_name(name))

    def signs(self, name: str) -> None:
        self._signed.add(_name(name))

    def leaves_unsigned(self, name: str) -> None:
        """It and what is below, within a signed name."""
        self._unsigned.add(_name(name))

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> "DnsServer":
        loop = asyncio.get_running_loop()
        self._tcp = await asyncio.start_server(self._serve_tcp, host, port)
        self.port = self._tcp.sockets[0].getsockname()[1]
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), (host, self.port))
        return self

    async def stop(self) -> None:
        if self._udp:
            self._udp.close()
        if self._tcp:
            self._tcp.close()

    async def __aenter__(self) -> "DnsServer":
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def answer(self, octets: bytes, room: int) -> bytes | None:
        query = dns.message.from_wire(octets)
        question = query.question[0]
        self.asked.append((question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)))
        if question.name in self._silent:
            return None
        response = dns.message.make_response(query, recursion_available=True)
        if self.has_zones:
            response.flags |= dns.flags.AA
        if question.name in self._failing:
            response.set_rcode(dns.rcode.SERVFAIL)
        else:
            self._fill(response, question.name, question.rdtype)
        wire = response.to_wire(max_size=65535)
        if len(wire) <= room:
            return wire
        response.answer.clear()
        response.flags |= dns.flags.TC
        return response.to_wire()

    def _fill(self, response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> None:
        is_signed = self._is_signed(name)
        while kind != dns.rdatatype.CNAME and (alias := self.records.get(name, {}).get(dns.rdatatype.CNAME)):
            response.answer.append(dns.rrset.from_text(name, TTL, dns.rdataclass.IN, dns.rdatatype.CNAME, *alias))
            name = _name(alias[0])
            is_signed = is_signed and self._is_signed(name)
        if name not in self.records:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif values := self.records[name].get(kind):
            response.answer.append(dns.rrset.from_text(name, TTL, dns.rdataclass.IN, kind, *values))
        if is_signed:
            response.flags |= dns.flags.AD

    def _is_signed(self, name: dns.name.Name) -> bool:
        return any(map(name.is_subdomain, self._signed)) and not any(map(name.is_subdomain, self._unsigned))

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                answer = self.answer(await reader.readexactly(length), 65535)
                if answer is not None:
                    writer.write(struct.pack("!H", len(answer)) + answer)
        writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.answer(data, 1232)
        if answer is not None:
            self._transport.sendto(answer, addr)


def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


async def _serve(arguments: argparse.Namespace) -> None:
    server = DnsServer()
    if arguments.zone:
        for line in arguments.zone.read_text().splitlines():
            if line.strip() and not line.startswith("#"):
                server.add(*line.split(None, 2))
    await server.start(arguments.port)
    print(f"listening on {server.address}", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="a DNS server for tests")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--zone", type=Path)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
