"""What acceptance uses of its listener and of the worker."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gatepost.mail.address import Mailbox
from gatepost.queue.message import Claim
from gatepost.queue.store import QueueStore
from gatepost.receiving.cached_attribution import CachedAttribution
from gatepost.receiving.content import ContentWriter
from gatepost.receiving.limits import TenantGate
from gatepost.receiving.one_time_addresses import OneTimeAddresses
from gatepost.receiving.unfinished import UnfinishedContent


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
