"""The octets of one session, plain or under TLS, both ways.

What flows through: octets of the transport in, plaintext out to the machine; what the machine says goes out, at once or
with the next `flush`.

Laws: what was said before TLS leaves in the clear before the handshake begins, and nothing between; what belongs
together leaves in one write; a peer that is not read sends no more than the kernel holds.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar


class TlsSession(Protocol):
    """One TLS connection over memory buffers: `net.tls_server` and `net.tls_client` implement it. After `feed` or
    `write`, send what `take_ciphertext` gives."""

    @property
    def established(self) -> bool:
        """The handshake is over."""

    @property
    def ended(self) -> bool:
        """The peer said close_notify: no more plaintext will come."""

    @property
    def failure(self) -> str | None:
        """Why the connection is unusable; its last alert, if any, is still in `take_ciphertext`."""

    def feed(self, ciphertext: bytes) -> bytes:
        """Octets from the wire in, plaintext out (perhaps none)."""

    def write(self, plaintext: bytes) -> None: ...

    def take_ciphertext(self) -> bytes: ...

    def close(self) -> None:
        """Queue close_notify."""


Tls = TypeVar("Tls", bound=TlsSession)


class Pipe(Generic[Tls]):
    __slots__ = ("_elapsed", "_out", "_paused_at", "say", "secured", "tls", "transport")

    def __init__(self, transport: asyncio.BaseTransport, elapsed: Callable[[], float]) -> None:
        self.transport: Any = transport
        self.tls: Tls | None = None
        self.secured = False
        """The handshake is over."""
        self._elapsed = elapsed
        self._out: list[bytes] = []
        self.say = self._out.append
        """Octets that leave with the next `flush`."""
        self._paused_at: float | None = None

    # --- in ---------------------------------------------------------------------------------------------------------

    @property
    def shakes_hands(self) -> bool:
        return self.tls is not None and not self.secured

    def start_tls(self, tls: Tls) -> None:
        """From now on octets are ciphertext. The client speaks first."""
        self.flush()
        self.tls = tls
        self.flush_ciphertext()

    def feed(self, ciphertext: bytes) -> bytes:
        """The plaintext in it. Then look whether `tls` has failed or ended, or is established for the first time: that
        side flushes which still owes the other something."""
        tls = self.tls
        assert tls is not None
        plaintext = tls.feed(ciphertext)
        # The next step of the handshake, an alert, or the answer to what is no data. What else there is to send, such
        # as the tickets of TLS 1.3, goes with what is said next.
        if tls.failure is not None or not tls.established or (self.secured and not plaintext):
            self.flush_ciphertext()
        return plaintext

    def flush_ciphertext(self) -> None:
        tls = self.tls
        octets = tls.take_ciphertext() if tls is not None else b""
        if octets:
            self.transport.write(octets)

    # --- out --------------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        if self._out:
            octets = b"".join(self._out)
            self._out.clear()
            if self.tls is None:
                self.transport.write(octets)
            else:
                self.write(octets)

    def write(self, octets: bytes) -> None:
        tls = self.tls
        if tls is not None and self.secured:
            tls.write(octets)
            octets = tls.take_ciphertext()
        if octets:
            self.transport.write(octets)

    def say_goodbye(self) -> None:
        """What was said, and the end of TLS, in one packet."""
        tls = self.tls
        if tls is None or not self.secured:
            self.flush()
            return
        tls.write(b"".join(self._out))
        self._out.clear()
        tls.close()
        self.flush_ciphertext()

    def hang_up(self, *, politely: bool) -> None:
        """Close at once. What the peer has not read by now must not keep the socket open for ever."""
        if politely:
            self.say_goodbye()
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    # --- back-pressure ----------------------------------------------------------------------------------------------

    @property
    def closing(self) -> bool:
        closing: bool = self.transport.is_closing()
        return closing

    def pause(self) -> None:
        """Read nothing until `resume`."""
        if self._paused_at is None and not self.transport.is_closing():
            self._paused_at = self._elapsed()
            self.transport.pause_reading()

    def resume(self) -> float:
        """For how long nothing was read."""
        if self._paused_at is None or self.transport.is_closing():
            return 0.0
        paused_at, self._paused_at = self._paused_at, None
        self.transport.resume_reading()
        return self._elapsed() - paused_at

    @property
    def local_endpoint(self) -> str:
        return endpoint(self.transport.get_extra_info("sockname"))


def endpoint(name: tuple[Any, ...] | None) -> str:
    """An address and its port as the protocol log writes them."""
    if name is None:
        return ""
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
