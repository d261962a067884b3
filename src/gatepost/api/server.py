"""HTTPS for the application: the server's certificate, reloaded when it is renewed; connections that cannot stay.

Laws: what a client does or fails to do is bounded in time and number; a certificate that cannot be loaded leaves the
one that is served.
"""

import asyncio
import ssl
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from gatepost.config import CertificateFiles

_LARGEST_HEADER = 32 * 1024
_MOST_CONNECTIONS = 256
_MOST_PER_ADDRESS = 64
_MOST_REQUESTS = 64
_FIRST_REQUEST_S = 20.0
_KEPT_ALIVE_S = 30
_LONGEST_CONNECTION_S = 600.0
_FILES_EVERY_S = 2.0


class Connection(H11Protocol):
    """One connection; it has a little while to ask something, and not for ever to go on."""

    _open: Counter[str] = Counter()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self._open[self._address] += 1
        self._timers = [
            self.loop.call_later(_FIRST_REQUEST_S, self._must_have_asked),
            self.loop.call_later(_LONGEST_CONNECTION_S, transport.close),
        ]
        if self._open.total() > _MOST_CONNECTIONS or self._open[self._address] > _MOST_PER_ADDRESS:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open[self._address] -= 1
        if not self._open[self._address]:
            del self._open[self._address]
        for timer in self._timers:
            timer.cancel()
        super().connection_lost(exc)

    def _must_have_asked(self) -> None:
        if self.cycle is None:
            self.transport.abort()


class Certificate:
    """The context new connections are served with."""

    def __init__(self, files: CertificateFiles) -> None:
        self._files = files
        self._seen = self._state()
        self.context = self._loaded()

    def refresh(self) -> None:
        """Load the files again where they have changed."""
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            # Into a context of its own first: a key that does not fit would leave the one in use without either.
            self._loaded()
            self.context.load_cert_chain(self._files.certificate, self._files.key)
        except (OSError, ssl.SSLError) as error:
            say(f"certificate {self._files.certificate} was not loaded again: {error}")

    def _loaded(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._files.certificate, self._files.key)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def _state(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(_state_of(file) for file in (self._files.certificate, self._files.key))


async def serve(app: Any, certificate: Certificate, sockets: list[Any]) -> None:
    """Until SIGTERM."""
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        ssl_context_factory=lambda config, default: certificate.context,
        h11_max_incomplete_event_size=_LARGEST_HEADER,
        limit_concurrency=_MOST_REQUESTS,
        timeout_keep_alive=_KEPT_ALIVE_S,
        timeout_graceful_shutdown=10,
        server_header=False,
        date_header=True,
        access_log=False,
        log_level="error",
        proxy_headers=False,
    )
    refreshing = asyncio.create_task(_keep_fresh(certificate))
    try:
        await uvicorn.Server(config).serve(sockets=sockets)
    finally:
        refreshing.cancel()


async def _keep_fresh(certificate: Certificate) -> None:
    while True:
        await asyncio.sleep(_FILES_EVERY_S)
        certificate.refresh()


def _state_of(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def say(text: str) -> None:
    print(f"gatepost: api: {text}", file=sys.stderr, flush=True)  # noqa: T201 - this process has no other log
