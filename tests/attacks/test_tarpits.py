"""evil's next hops take a session, and then their time: nobody else's mail finds a connection.

What worked: only dials that had not ended were shared; sessions that hosts had opened, and that waited ten minutes for
the answer to the content, were all of the connections.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from delivery.post_office import post_office, to_smart_host
from gatepost.smtp.client_settings import RFC_TIMEOUTS
from gatepost.tenancy.tenant import AddressSpace
from sink import Sink

CONNECTIONS = 8


class Tarpit:
    """Takes a message in, and never says so."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.in_content = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 tarpit\r\n")
        while line := await reader.readline():
            if line.upper().startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
                self.in_content += 1
                await reader.read()
                break
            writer.write(b"250 tarpit\r\n")
        writer.close()


@asynccontextmanager
async def tarpit() -> AsyncIterator[Tarpit]:
    pit = Tarpit(0)
    server = await asyncio.start_server(pit.serve, "127.0.0.1", 0)
    pit.port = server.sockets[0].getsockname()[1]
    yield pit
    server.close()


def test_hosts_that_take_their_time_leave_connections_to_other_tenants(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, tarpit() as pit:
            hops = [
                to_smart_host(pit.port, f"out{number}", "evil", address_spaces=(AddressSpace(space=name),))
                for number in range(2 * CONNECTIONS)
                for name in (f"d{number}.example",)
            ]
            home = to_smart_host(sink.port, "home", "contoso")
            async with post_office(tmp_path, *hops, home, connections=CONNECTIONS, timeouts=RFC_TIMEOUTS) as office:
                for number in range(2 * CONNECTIONS):
                    await office.send(f"x@d{number}.example", tenant="evil")
                await office.until(lambda: pit.in_content >= CONNECTIONS // 2)
                # Time for more, were they to be had.
                await asyncio.sleep(0.3)
                for number in range(3):
                    await office.send(f"bob{number}@fabrikam.example", tenant="contoso")
                await office.until(lambda: len(office.told.delivered) == 3)
                assert pit.in_content < CONNECTIONS

    asyncio.run(story())
