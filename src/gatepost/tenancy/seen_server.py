"""What was seen of a tenant's servers: which connector took a session, from where, with which certificate.

It outlives the session records: one value for each connector, address and certificate, however many sessions.
"""

from dataclasses import dataclass
from datetime import datetime

from gatepost.tenancy.attribution import Basis
from gatepost.value import value


@value(frozen=True, slots=True, kw_only=True)
class SeenCertificate:
    """A leaf as it was presented."""

    sha256: str
    subject: str
    names: tuple[str, ...]
    """Those that count: SAN DNS names; the common name where there is no subjectAltName."""
    issuer: str
    not_before: datetime | None
    not_after: datetime | None
    anchor: str
    """Subject of the root it led to; empty where it did not verify."""


@value(frozen=True, slots=True, kw_only=True)
class SeenServer:
    tenant: str
    connector: str
    basis: Basis
    address: str
    certificate: SeenCertificate | None
    first_at: datetime
    last_at: datetime
    messages: int = 0
    """Accepted in what was just seen; of what is stored, `ConnectorUse` counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorUse:
    """What became of a connector: its last session, and how much mail it brought."""

    tenant: str
    connector: str
    last_at: datetime
    address: str
    certificate: SeenCertificate | None
    messages_24h: int
    messages_30d: int
