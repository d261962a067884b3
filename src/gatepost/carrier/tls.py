"""The TLS seam of both sides: octets both ways, no sockets. `net.tls_server` and `net.tls_client` implement it.

Law: the handshake itself judges nothing, and whatever the peer sends is a value.
"""

from typing import Protocol


class TlsSession(Protocol):
    """One TLS connection over memory buffers. After `feed` or `write`, send what `take_ciphertext` gives."""

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
