"""An HTTPS host for MTA-STS policies, as tests need it: real sockets, real TLS, and every way to be wrong.

async with PolicyHost(certificate_files) as host:
    host.says(status=200, kind="text/plain", body="version: STSv1\n…")
    host.asked                            the requests so far: (host, path)
"""

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path


class PolicyHost:
    def __init__(self, certificate: tuple[Path, Path] | None) -> None:
        """None: it speaks no TLS."""
        self.asked: list[tuple[str, str]] = []
        self.port = 0
        self.hangs = False
        self._answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        self._server: asyncio.Server | None = None
        self._tls: ssl.SSLContext | None = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*certificate)

    def says(self, body: str | bytes, status: int = 200, kind: str = "text/plain", more: str = "") -> None:
        octets = body.encode() if isinstance(body, str) else body
        head = f"HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nContent-Length: {len(octets)}\r\n{more}\r\n"
        self._answer = head.encode() + octets

    async def __aenter__(self) -> "PolicyHost":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._tls is None:
            writer.write(b"HTTP/1.1 400 Speak plainly\r\n\r\n")
            writer.close()
            return
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            host = next(line[5:].strip() for line in head.splitlines() if line.lower().startswith("host:"))
            self.asked.append((host, head.split()[1]))
            if self.hangs:
                await asyncio.sleep(60)
            writer.write(self._answer)
            await writer.drain()
        writer.close()
