"""Connections as they come in: counted before anything is spent on them, and served over TLS once they speak.

    accept ─▶ a place, or closed ─▶ the first octet ─▶ TLS ─▶ `Connection`

Laws: a connection costs a socket and no more until its peer says something; from there to the end of the handshake it
has `hello_timeout`. Whoever is closed here has not been heard, so nothing is said and nothing is logged.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gatepost.https.places import Place, Places, crowd_of
from gatepost.https.rates import Rate

_ACCEPTED_AT_ONCE: Final = 64
_OUT_OF_FILES_PAUSE_S: Final = 0.2
_GOODBYE_S: Final = 5.0
"""For what was said last to be taken, and the closing of TLS to be answered."""


class Door:
    """One listening socket. As uvicorn wants a server: with `close` and `wait_closed`."""

    def __init__(
        self,
        listener: socket.socket,
        places: Places,
        coming: Rate,
        hello_timeout_s: float,
        context: Callable[[], ssl.SSLContext],
        protocol: Callable[[Place], asyncio.Protocol],
    ) -> None:
        """`coming`: how often one network may connect."""
        self._listener = listener
        self._places = places
        self._coming = coming
        self._hello_timeout_s = hello_timeout_s
        self._context = context
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._guests: set[_Guest] = set()
        listener.setblocking(False)
        self._open()

    def close(self) -> None:
        self._loop.remove_reader(self._listener.fileno())
        for guest in tuple(self._guests):
            self._dismiss(guest)

    async def wait_closed(self) -> None:
        """Nothing is left to wait for."""

    def _open(self) -> None:
        if self._listener.fileno() >= 0:
            self._loop.add_reader(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                sock, peer = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # No descriptor or memory left: nobody is served faster by trying again at once.
                self._loop.remove_reader(self._listener.fileno())
                self._loop.call_later(_OUT_OF_FILES_PAUSE_S, self._open)
                return
            sock.setblocking(False)
            self._greet(sock, peer[0])

    def _greet(self, sock: socket.socket, address: str) -> None:
        may_come = self._places.are_operators(address) or not self._coming.wait_s(crowd_of(address), time.monotonic())
        guest = _Guest(sock)
        guest.place = self._places.take(address, lambda: self._dismiss(guest)) if may_come else None
        if guest.place is None:
            sock.close()
            return
        self._guests.add(guest)
        guest.timer = self._loop.call_later(self._hello_timeout_s, self._dismiss, guest)
        self._loop.add_reader(sock.fileno(), self._heard, guest)

    def _dismiss(self, guest: "_Guest") -> None:
        """Before the handshake, or within."""
        if guest.handshake:
            guest.handshake.cancel()
            return
        self._no_longer_waits(guest)
        guest.sock.close()
        self._left(guest)

    def _heard(self, guest: "_Guest") -> None:
        try:
            spoke = bool(guest.sock.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return
        except OSError:
            spoke = False
        if not spoke:
            self._dismiss(guest)
            return
        self._no_longer_waits(guest)
        guest.handshake = self._loop.create_task(self._shake_hands(guest))

    def _no_longer_waits(self, guest: "_Guest") -> None:
        self._loop.remove_reader(guest.sock.fileno())
        if guest.timer:
            guest.timer.cancel()

    async def _shake_hands(self, guest: "_Guest") -> None:
        """From here the transport closes the socket, whatever comes of it."""
        place = guest.place
        assert place is not None
        try:
            await self._loop.connect_accepted_socket(
                lambda: self._protocol(place),
                guest.sock,
                ssl=self._context(),
                ssl_handshake_timeout=self._hello_timeout_s,
                ssl_shutdown_timeout=_GOODBYE_S,
            )
        except (OSError, asyncio.CancelledError):
            # No TLS, silence, another version: the peer's affair.
            self._left(guest)
        else:
            self._guests.discard(guest)

    def _left(self, guest: "_Guest") -> None:
        self._guests.discard(guest)
        if guest.place:
            self._places.leave(guest.place)


@dataclass(slots=True, eq=False)
class _Guest:
    """A connection until its handshake is done."""

    sock: socket.socket
    place: Place | None = None
    timer: asyncio.TimerHandle | None = None
    handshake: asyncio.Task[None] | None = None
