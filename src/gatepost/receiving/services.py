"""What receiving uses of its listener and of the worker."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gatepost.carrier.session_log import Log
from gatepost.mail.address import Mailbox
from gatepost.mail.reply import Reply
from gatepost.queue.message import Claim
from gatepost.queue.store import QueueStore
from gatepost.receiving.account import SessionAccount
from gatepost.receiving.cached_attribution import CachedAttribution
from gatepost.receiving.content import ContentWriter
from gatepost.receiving.limits import TenantGate
from gatepost.receiving.session_gate import SessionGate
from gatepost.receiving.tls import ServerTls
from gatepost.receiving.turns import Turns
from gatepost.receiving.unfinished import UnfinishedContent
from gatepost.signing.message import SigningKeys
from gatepost.smtp.server_settings import ServerSettings
from gatepost.tenancy.candidates import ChainJudge
from gatepost.tenancy.enrolment import Objection
from gatepost.tenancy.evidence import Evidence
from gatepost.tenancy.fields import Record
from gatepost.tenancy.one_time_address import OneTimeAddress
from gatepost.tenancy.tenant import Network


class OneTimeAddresses(Protocol):
    """Of this server; `tenancy.one_time_address` says what they are."""

    def at(self, local_part: str) -> OneTimeAddress | None: ...

    def objection(
        self, one_time_address: OneTimeAddress, evidence: Evidence, judge: ChainJudge, at: datetime
    ) -> Objection | None:
        """Why the session does not prove its certificate to be the tenant's."""

    def refused(self, one_time_address: OneTimeAddress, seen: Record, objection: Objection) -> None:
        """Keep what was seen and why it proves nothing, a moment later."""

    def rehearsed(self, one_time_address: OneTimeAddress, seen: Record, at: datetime) -> None:
        """Keep what was seen, a moment later: no session waits for it."""

    async def enrolled(self, one_time_address: OneTimeAddress, seen: Record, at: datetime) -> bool:
        """Keep what was seen, on stable storage; False: somebody was seen there before. Raises `StoreError`."""


class Events(Protocol):
    """The operator's structured log."""

    def emit(self, event: str, /, **fields: object) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptanceSettings:
    """What one listener decides about accepting."""

    hostname: str
    listener: str
    refuse_at_end: bool = False
    require_tls: bool = False
    help_link: str | None = None
    postmaster: Mailbox | None = None
    irregular_paths_of_strangers: bool = False
    """Whether irregular paths are taken of others than tenants' own servers, too."""
    most_waiting: int = 20_000
    """Messages waiting for their commit in this worker before new ones get 452."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Shared by all sessions of a listener."""

    attribution: CachedAttribution
    store: QueueStore
    new_content: Callable[[], ContentWriter]
    waiting: Callable[[], int]
    """Messages waiting for their commit."""
    submit: Callable[[Sequence[Claim]], None]
    """Hands freshly accepted mail to delivery."""
    claim_at_once: Callable[[str | None], bool]
    """Whether delivery has room for a tenant's mail that has just been accepted."""
    is_full: Callable[[], bool]
    """Whether the disk, or the queue, has no room for more."""
    unfinished: UnfinishedContent
    tenants: TenantGate
    events: Events
    now: Callable[[], float]
    one_time_addresses: OneTimeAddresses | None = None
    signing_keys: SigningKeys | None = None


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
    """What the connections of one listener share."""

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
