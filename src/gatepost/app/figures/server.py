"""The metrics in a process of its own, which the supervisor has started by a launcher.

Answers GET of `/metrics`, `/healthz` and `/readyz` over plain HTTP. Laws: whoever connects and says nothing, or too
much, is left alone in seconds; one answer is made at a time, so that asking often costs no more than asking.
"""

import asyncio
import os
import socket
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from gatepost.app.figures.exposition import MEDIA_TYPE, exposition
from gatepost.app.figures.health import Health, is_live, is_ready
from gatepost.config import Config

_PATIENCE_S: Final = 5.0
_LONGEST_HEAD: Final = 16 * 1024
_MOST_CONNECTIONS: Final = 64
_WATCH_S: Final = 1.0
_PLAIN: Final = "text/plain; charset=utf-8"

Answer = tuple[HTTPStatus, str, bytes]


class MetricsServer:
    def __init__(self, config: Config) -> None:
        self._config = config
        self._open = 0
        self._one_at_a_time = asyncio.Lock()

    async def serve(self, listener: socket.socket) -> asyncio.Server:
        return await asyncio.start_server(self._connected, sock=listener, limit=_LONGEST_HEAD)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= _MOST_CONNECTIONS:
                async with asyncio.timeout(_PATIENCE_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(head, await self._answer(head)))
                async with asyncio.timeout(_PATIENCE_S):
                    await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, head: bytes) -> Answer:
        method, _, rest = head.partition(b"\r\n")[0].partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return HTTPStatus.METHOD_NOT_ALLOWED, _PLAIN, b"only GET\n"
        async with self._one_at_a_time:
            match path:
                case b"/metrics":
                    return HTTPStatus.OK, MEDIA_TYPE, await asyncio.to_thread(exposition, self._config)
                case b"/healthz":
                    return _health(await asyncio.to_thread(is_live, self._config))
                case b"/readyz":
                    return _health(await asyncio.to_thread(is_ready, self._config))
        return HTTPStatus.NOT_FOUND, _PLAIN, b"there are /metrics, /healthz and /readyz\n"


def _health(found: Health) -> Answer:
    status = HTTPStatus.OK if found.is_good else HTTPStatus.SERVICE_UNAVAILABLE
    return status, _PLAIN, f"{found.says}\n".encode()


def _response(head: bytes, answer: Answer) -> bytes:
    status, media_type, body = answer
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {media_type}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Connection: close",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if head.startswith(b"HEAD") else body)


def main(config: Config, arguments: Sequence[str], descriptors: Sequence[int]) -> int:
    """`descriptors`: to say on that it serves, and the listening socket's."""
    # Before anything is said: whoever hears it may end in that moment.
    supervisor = os.getppid()
    ready, listener = descriptors
    asyncio.run(_run(config, supervisor, ready, socket.socket(fileno=listener)))
    return 0


async def _run(config: Config, supervisor: int, ready: int, listener: socket.socket) -> None:
    server = await MetricsServer(config).serve(listener)
    os.write(ready, b"1")
    os.close(ready)
    while os.getppid() == supervisor:
        await asyncio.sleep(_WATCH_S)
    # Nobody would restart or stop this process any more.
    server.close()
