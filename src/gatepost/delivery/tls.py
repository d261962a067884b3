"""The TLS seam as delivery sees it; `net.tls_client` implements it.

Law: the handshake itself judges nothing. What the next hop presented is judged afterwards, by the level the send
connector asks for, before any mail command is sent.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gatepost.carrier.pipe import TlsSession
from gatepost.tenancy.evidence import CertificateFacts
from gatepost.tenancy.tlsa import TlsaMatch, TlsaRecord


class ClientTlsSession(TlsSession, Protocol):
    """Right after `connect`, `take_ciphertext` gives the ClientHello; `failure` is set from the start when the
    certificate or key to present cannot be used."""

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

    def problem_with_host(self, names: Sequence[str], at: datetime) -> str | None:
        """Why the peer's chain does not prove that it is one of `names`; None: it does."""

    def match_tlsa(self, records: Sequence[TlsaRecord], names: Sequence[str], at: datetime) -> TlsaMatch:
        """Which of `records` the peer's chain matches; with usage 2 it must also carry one of `names`."""


class ClientTls(Protocol):
    def connect(self, server_name: str, certificate: str | None, key: str | None) -> ClientTlsSession:
        """Begin a handshake with `server_name`, holding the PEM files `certificate` and `key` ready."""
