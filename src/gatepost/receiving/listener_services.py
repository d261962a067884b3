"""What the connections of one listener share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gatepost.carrier.session_log import Log
from gatepost.mail.reply import Reply
from gatepost.receiving.account import SessionAccount
from gatepost.receiving.services import AcceptanceSettings, Services
from gatepost.receiving.session_gate import SessionGate
from gatepost.receiving.tls import ServerTls
from gatepost.receiving.turns import Turns
from gatepost.smtp.server_settings import ServerSettings
from gatepost.tenancy.tenant import Network


class OpenConnection(Protocol):
    """As the listener sees it."""

    def record(self, now: float) -> None:
        """Record what was decided so far."""

    def is_fresh(self, age_s: float) -> bool:
        """Whether it is younger than `age_s` and has not had a mail transaction."""

    def shut_down(self) -> None:
        """The server stops: a transaction in flight is finished, then 421. To be called again: a TLS handshake is
        finished first."""

    def abort(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerServices:
    machine: ServerSettings
    greeting: Reply
    acceptance: AcceptanceSettings
    shared: Services
    tls: ServerTls | None
    gate: SessionGate
    turns: Turns
    least_content_rate: int
    """Octets a second; 0: no limit."""
    proxy_from: tuple[Network, ...]
    log: Log | None
    next_session_id: Callable[[float], str]
    record: Callable[[SessionAccount], None]
    opened: set[OpenConnection]
    """Connections that are open now."""
