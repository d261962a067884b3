"""Listening sockets of one worker: every accepted connection becomes a `Connection`."""

import asyncio
import socket

from gatepost.receiving.connection import Connection, ListenerServices


class Listener:
    """One address and port. The socket is bound already, since only the supervisor may be privileged to do that."""

    def __init__(self, sock: socket.socket, services: ListenerServices) -> None:
        self._socket = sock
        self._services = services
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self._services), sock=self._socket, backlog=1024)

    async def stop(self, patience_s: float) -> None:
        """Take no new connection; let transactions in flight finish for so long, then close."""
        if self._server:
            self._server.close()
        for connection in list(self._services.opened):
            connection.shut_down()
        deadline = asyncio.get_running_loop().time() + patience_s
        while self._services.opened and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.05)
        for connection in list(self._services.opened):
            connection.abort()
