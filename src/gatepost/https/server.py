"""HTTPS for the application: the server's certificate, reloaded when it is renewed; whom it has room for.

Law: a certificate that cannot be loaded leaves the one that is served.
"""

import asyncio
import math
import socket
import ssl
import sys
from asyncio.sslproto import SSLProtocol
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvicorn
from anyio.to_thread import current_default_thread_limiter

from gatepost.config import CertificateFiles, HttpsConfig
from gatepost.https.connection import LARGEST_HEADER, Connection
from gatepost.https.door import Door
from gatepost.https.places import Place, Places
from gatepost.https.rates import Rate
from gatepost.https.slots import OPERATORS_RESERVE

_CONNECTIONS_A_REQUEST = 2
"""A program may connect for each request; one that is over its rate is still to hear so."""
_READ_AT_ONCE = 16 * 1024
"""The largest TLS record (RFC 8446 5.1)."""
_FILES_EVERY_S = 2.0


class Certificate:
    """The context new connections are served with."""

    def __init__(self, files: CertificateFiles, face: str) -> None:
        self._files = files
        self._face = face
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
            say(self._face, f"certificate {self._files.certificate} was not loaded again: {error}")

    def _loaded(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._files.certificate, self._files.key)
        # A client that shakes hands again and again costs more than it pays.
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        return context

    def _state(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(_state_of(file) for file in (self._files.certificate, self._files.key))


async def serve(app: Any, certificate: Certificate, sockets: Sequence[socket.socket], settings: HttpsConfig) -> None:
    """Until SIGTERM."""
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        h11_max_incomplete_event_size=LARGEST_HEADER,
        timeout_keep_alive=math.ceil(settings.limits.idle_timeout_s),
        timeout_graceful_shutdown=10,
        server_header=False,
        date_header=True,
        access_log=False,
        # It would write a line, or a traceback, for what a peer breaks off; our own faults are told by the gate.
        log_level="critical",
        proxy_headers=False,
    )
    # asyncio fills 256 KiB for each connection, which is most of what one costs.
    SSLProtocol.max_size = _READ_AT_ONCE
    # Each request that is under way has a thread: none waits for one that somebody else's request has.
    current_default_thread_limiter().total_tokens = settings.limits.requests + OPERATORS_RESERVE
    refreshing = asyncio.create_task(_keep_fresh(certificate))
    try:
        await _Server(config, certificate, settings).serve(sockets=list(sockets))
    finally:
        refreshing.cancel()


class _Server(uvicorn.Server):
    """Whose connections come through a `Door`."""

    def __init__(self, config: uvicorn.Config, certificate: Certificate, settings: HttpsConfig) -> None:
        super().__init__(config)
        self._certificate = certificate
        self._limits = settings.limits
        limits = settings.limits
        self._places = Places(
            limits.connections, limits.connections_per_network, limits.operator_connections, settings.operators
        )
        self._coming = Rate(settings.requests_per_minute * _CONNECTIONS_A_REQUEST)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.servers = [self._door(each) for each in sockets or ()]  # type: ignore[misc]
        self.started = True

    def _door(self, listener: socket.socket) -> Door:
        return Door(
            listener,
            self._places,
            self._coming,
            self._limits.hello_timeout_s,
            lambda: self._certificate.context,
            self._connection,
        )

    def _connection(self, place: Place) -> Connection:
        return Connection(self.config, self.server_state, {}, self._places, place, self._limits)


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


def say(face: str, text: str) -> None:
    print(f"gatepost: {face}: {text}", file=sys.stderr, flush=True)  # noqa: T201 - this process has no other log
