"""The TLS seam as delivery sees it: octets both ways, no sockets; `net.tls_client` implements it.

Law: the handshake itself judges nothing. What the next hop presented is judged afterwards, by the level the send
connector asks for, before any mail command is sent.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gatepost.tenancy.evidence import CertificateFacts


class ClientTlsSession(Protocol):
    """One TLS connection over memory buffers. After `feed` or `write`, send what `take_ciphertext` gives; right after
    `connect` that is the ClientHello."""

    @property
    def established(self) -> bool:
        """The handshake is over."""

    @property
    def ended(self) -> bool:
        """The peer said close_notify: no more plaintext will come."""

    @property
    def failure(self) -> str | None:
        """Why the connection is unusable; its last alert, if any, is still in `take_ciphertext`. Set from the start
        when the certificate or key to present cannot be used."""

    @property
    def protocol(self) -> str:
        """`TLSv1.3`; empty until established."""

    @property
    def cipher(self) -> str: ...

    @property
    def cipher_bits(self) -> int: ...

    @property
    def own_certificate(self) -> CertificateFacts | None:
        """The leaf that was held ready for the peer, whether it asked or not."""

    @property
    def superseded(self) -> bool:
        """A newer certificate was loaded since: a new session would present that."""

    @property
    def certificate_requested(self) -> bool:
        """The peer asked for a client certificate."""

    @property
    def certificate_sent(self) -> bool:
        """Ours was really sent, with proof of its key."""

    @property
    def peer_chain(self) -> tuple[CertificateFacts, ...]:
        """As presented, leaf first."""

    def feed(self, ciphertext: bytes) -> bytes:
        """Octets from the wire in, plaintext out (perhaps none)."""

    def write(self, plaintext: bytes) -> None: ...

    def take_ciphertext(self) -> bytes: ...

    def close(self) -> None:
        """Queue close_notify."""

    def problem_with_host(self, names: Sequence[str], at: datetime) -> str | None:
        """Why the peer's chain does not prove that it is one of `names`; None: it does."""


class ClientTls(Protocol):
    def connect(self, server_name: str, certificate: str | None, key: str | None) -> ClientTlsSession:
        """Begin a handshake with `server_name`, holding the PEM files `certificate` and `key` ready."""
