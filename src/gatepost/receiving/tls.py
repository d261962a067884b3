"""The TLS seam as receiving sees it: octets both ways, no sockets; `net.tls_server` implements it.

Law: the handshake never fails because of the client's certificate. One is asked for; whatever comes is recorded.
"""

from datetime import datetime
from typing import Protocol

from gatepost.tenancy.evidence import TlsEvidence


class TlsSession(Protocol):
    """One TLS connection over memory buffers. After `feed` or `write`, send what `take_ciphertext` gives."""

    established: bool
    """The handshake is over."""
    ended: bool
    """The peer said close_notify: no more plaintext will come."""
    failure: str | None
    """Why the connection is unusable; its last alert, if any, is still in `take_ciphertext`."""

    def feed(self, ciphertext: bytes) -> bytes:
        """Octets from the wire in, plaintext out (perhaps none)."""

    def write(self, plaintext: bytes) -> None: ...

    def take_ciphertext(self) -> bytes: ...

    def close(self) -> None:
        """Queue close_notify."""

    def evidence(self, at: datetime) -> TlsEvidence:
        """Once established: protocol, cipher, and the client's chain as judged against the listener's roots."""


class ServerTls(Protocol):
    """The certificates of a listener, the newest loaded; SNI chooses among several."""

    def accept(self) -> TlsSession: ...
