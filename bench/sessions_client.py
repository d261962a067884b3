"""Many short sessions of many tenants, told apart by the address they come from."""

import asyncio
from collections.abc import Sequence

_AT_ONCE = 50


def relays_from(port: int, sessions: Sequence[tuple[str, str]]) -> list[bool]:
    """For each (address, domain): whether a session from there may relay as the domain. No message is sent."""
    return asyncio.run(_all(port, sessions))


async def _all(port: int, sessions: Sequence[tuple[str, str]]) -> list[bool]:
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(address: str, domain: str) -> bool:
        async with room:
            return await _relays(port, address, domain)

    return await asyncio.gather(*(one(*session) for session in sessions))


async def _relays(port: int, address: str, domain: str) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    commands = f"EHLO {domain}\r\n", f"MAIL FROM:<load@{domain}>\r\nRCPT TO:<sink@example.net>\r\n"
    await _reply(reader)
    writer.write(commands[0].encode())
    await _reply(reader)
    writer.write(commands[1].encode())
    await _reply(reader)
    answer = await _reply(reader)
    writer.write(b"QUIT\r\n")
    await _reply(reader)
    writer.close()
    return answer.startswith(b"250")


async def _reply(reader: asyncio.StreamReader) -> bytes:
    line = await reader.readline()
    while line[3:4] == b"-":
        line = await reader.readline()
    return line
