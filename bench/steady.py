"""One tenant's ordinary mail, at a steady rate, and how long each message takes to arrive.

    python bench/steady.py --relay-port 2525 --sink-port 2526 --sender ann@tailspin.example --to alive.example \\
        --rate 50 --seconds 10

Sends one small message every 1/rate s over a few open sessions, is the next hop too, and prints what it saw as JSON: of
each message, the milliseconds from when it was to be sent to its arrival, and to its 250. So a relay that stands still
is seen to, though nothing can be sent to it meanwhile.
"""

import argparse
import asyncio
import json
import re
import time
from collections.abc import Sequence
from typing import Any

_SESSIONS = 8
_PATIENCE_S = 30.0


class Arrivals:
    """The next hop: takes all mail, and knows when the message of each number came."""

    def __init__(self) -> None:
        self.at: dict[int, float] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink\r\n")
        try:
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"EHLO":
                    writer.write(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
                elif verb == b"DATA":
                    writer.write(b"354 go on\r\n")
                    content = await reader.readuntil(b"\r\n.\r\n")
                    number = re.search(rb"X-Number: (\d+)", content)
                    if number:
                        self.at.setdefault(int(number[1]), time.monotonic())
                    writer.write(b"250 2.0.0 ok\r\n")
                elif verb == b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                else:
                    writer.write(b"250 2.0.0 ok\r\n")
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


class Session:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def opened(cls, port: int) -> "Session":
        session = cls(*await asyncio.open_connection("127.0.0.1", port))
        await session._reply()
        await session._ask(b"EHLO steady.example\r\n")
        return session

    async def send(self, sender: str, recipient: str, number: int) -> str:
        """The final reply."""
        for line in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA"):
            reply = await self._ask(line.encode() + b"\r\n")
            if reply[0] not in "23":
                await self._ask(b"RSET\r\n")
                return reply
        content = f"Subject: steady\r\nX-Number: {number}\r\n\r\n{'words ' * 300}\r\n.\r\n".encode()
        return await self._ask(content)

    async def _ask(self, octets: bytes) -> str:
        self._writer.write(octets)
        return await self._reply()

    async def _reply(self) -> str:
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                line = (await self._reader.readline()).decode("ascii", "replace")
                if not line:
                    raise ConnectionError("the relay closed the session")
                if line[3:4] != "-":
                    return line.strip()


class Steady:
    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._arrivals = Arrivals()
        self._due: asyncio.Queue[tuple[int, float] | None] = asyncio.Queue()
        self._sent: dict[int, tuple[float, float]] = {}
        self._refused: list[str] = []

    async def run(self) -> dict[str, Any]:
        options = self._options
        async with await asyncio.start_server(self._arrivals.serve, "127.0.0.1", options.sink_port):
            senders = [asyncio.create_task(self._send_due()) for _ in range(_SESSIONS)]
            number = int(options.rate * options.seconds)
            began = time.monotonic()
            for n in range(number):
                at = began + n / options.rate
                await asyncio.sleep(max(0.0, at - time.monotonic()))
                self._due.put_nowait((n, at))
            for _ in senders:
                self._due.put_nowait(None)
            await asyncio.gather(*senders)
            end = time.monotonic() + _PATIENCE_S
            while len(self._arrivals.at) < len(self._sent) and time.monotonic() < end:
                await asyncio.sleep(0.01)
            return self._result()

    async def _send_due(self) -> None:
        session = await Session.opened(self._options.relay_port)
        while due := await self._due.get():
            number, at = due
            reply = await session.send(self._options.sender, f"user@{self._options.to}", number)
            if reply.startswith("250"):
                self._sent[number] = (at, time.monotonic())
            else:
                self._refused.append(reply)

    def _result(self) -> dict[str, Any]:
        arrived = {n: at for n, at in self._arrivals.at.items() if n in self._sent}
        return {
            "sent": len(self._sent),
            "arrived": len(arrived),
            "refused": self._refused[:5],
            "delivered_ms": sorted(round((at - self._sent[n][0]) * 1000, 2) for n, at in arrived.items()),
            "accepted_ms": sorted(round((ended - sent) * 1000, 2) for sent, ended in self._sent.values()),
        }


def percentile(values: Sequence[float], share: float) -> float:
    """Of sorted values."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--relay-port", type=int, required=True)
    parser.add_argument("--sink-port", type=int, required=True)
    parser.add_argument("--sender", required=True)
    parser.add_argument("--to", required=True, help="domain")
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--seconds", type=float, default=10)
    print(json.dumps(asyncio.run(Steady(parser.parse_args()).run())))


if __name__ == "__main__":
    main()
