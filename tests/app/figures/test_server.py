"""The metrics server answers three paths, and nobody holds it up."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from gatepost.app.figures import server as module
from gatepost.app.figures.server import MetricsServer
from gatepost.config import Config

Ask = Callable[[bytes], Awaitable[bytes]]


def with_server(config: Config, story: Callable[[Ask], Awaitable[None]]) -> None:
    async def run() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        server = await MetricsServer(config).serve(listener)

        async def ask(octets: bytes) -> bytes:
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(octets)
            answer = await reader.read()
            writer.close()
            return answer

        async with server:
            await story(ask)

    asyncio.run(run())


def test_each_path_has_its_answer(installed: Config) -> None:
    async def story(ask: Ask) -> None:
        assert b" 200 OK\r\n" in await ask(b"GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        for path in (b"/healthz", b"/readyz"):
            answer = await ask(b"GET " + path + b" HTTP/1.0\r\n\r\n")
            assert b" 503 " in answer and answer.endswith(b"gatepost serve is not running\n")
        assert b" 404 " in await ask(b"GET /etc/passwd HTTP/1.1\r\n\r\n")
        assert b" 405 " in await ask(b"DELETE /metrics HTTP/1.1\r\n\r\n")
        head = await ask(b"HEAD /metrics HTTP/1.1\r\n\r\n")
        assert b" 200 " in head and head.endswith(b"\r\n\r\n")

    with_server(installed, story)


def test_who_says_too_much_or_nothing_is_left_alone(installed: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 0.2)

    async def story(ask: Ask) -> None:
        assert await ask(b"GET /healthz HTTP/1.1\r\n") == b""
        assert await ask(b"x" * 100_000) == b""
        assert b" 503 " in await ask(b"GET /healthz HTTP/1.1\r\n\r\n")

    with_server(installed, story)
