"""The TLS seam as receiving sees it; `net.tls_server` implements it.

Law: the handshake never fails because of the client's certificate. One is asked for; whatever comes is recorded.
"""

from datetime import datetime
from typing import Protocol

from gatepost.carrier.pipe import TlsSession
from gatepost.tenancy.evidence import TlsEvidence


class ServerTlsSession(TlsSession, Protocol):
    def evidence(self, at: datetime) -> TlsEvidence:
        """Once established: protocol, cipher, and the client's chain as judged against the listener's roots."""


class ServerTls(Protocol):
    """The certificates of a listener, the newest loaded; SNI chooses among several."""

    def accept(self) -> ServerTlsSession: ...
