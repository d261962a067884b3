"""Listening sockets of one worker: every accepted connection becomes an `InboundConnection`."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from gatepost.receiving import replies
from gatepost.receiving.connection import InboundConnection
from gatepost.receiving.services import ListenerServices


class Listener:
    """One address and port. The socket is bound already, since only the supervisor may be privileged to do that."""

    def __init__(self, sock: socket.socket, services: ListenerServices) -> None:
        self._socket = sock
        self._services = services
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: InboundConnection(self._services), sock=self._socket, backlog=1024
        )

    def record(self, now: float) -> None:
        """Record what open sessions have decided, and what was only counted."""
        self._services.gate.look_at_clock()
        for connection in self._services.opened:
            connection.record(now)

    async def stop(self, patience_s: float, grace_s: float) -> None:
        """Take no new connection; let transactions in flight finish for `patience_s`, then close. A session younger
        than `grace_s` may have its first transaction."""
        if self._server:
            self._server.close()
        deadline = asyncio.get_running_loop().time() + patience_s
        while self._services.opened and asyncio.get_running_loop().time() < deadline:
            for connection in list(self._services.opened):
                if not connection.is_fresh(grace_s):
                    connection.shut_down()
            await asyncio.sleep(0.05)
        for connection in list(self._services.opened):
            connection.abort()


async def turn_away(sockets: Sequence[socket.socket], stopping: asyncio.Event, seconds: float) -> None:
    """Answer each connection with 421, for so long or until `stopping`: this worker cannot keep mail, and a client
    that hears nothing would wait for minutes where another worker might serve it at once."""
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(_TurnedAway, sock=sock) for sock in sockets]
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
    for server in servers:
        server.close()


class _TurnedAway(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connection: Any = transport
        connection.write(replies.NO_STORE.octets)
        connection.close()
