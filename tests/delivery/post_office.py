"""A whole delivery half for tests: a real queue file, a real resolver, real sockets; only the directory is a list."""

import asyncio
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from gatepost.delivery.connection import ConnectionSettings
from gatepost.delivery.destination import DialServices
from gatepost.delivery.scheduler import Scheduler, SchedulerSettings
from gatepost.delivery.tls_demands import TlsDemands
from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox
from gatepost.mail.domain import pattern_covers
from gatepost.mail.envelope import DsnRequest, Envelope
from gatepost.mail.session_id import SessionIds
from gatepost.net.dns import Resolver
from gatepost.net.judgement import Judge
from gatepost.net.tls_client import ClientTlsContexts
from gatepost.protocol_log.record import ProtocolLogRecord
from gatepost.queue.message import Claim, MemoryContent, NewMessage, NewRecipient
from gatepost.queue.outcome import Deferred, Delivered, Failed, Rescheduled
from gatepost.queue.retry import RetrySettings
from gatepost.queue.store import StoreUnavailable
from gatepost.smtp.client_settings import ClientTimeouts
from gatepost.store.queue.sqlite_queue import SqliteQueueStore
from gatepost.tenancy.mta_sts import NO_POLICY, StsAnswer
from gatepost.tenancy.reach import Reach
from gatepost.tenancy.tenant import (
    AcceptedDomain,
    AddressSpace,
    InboundConnector,
    SendConnector,
    SmartHost,
    Tenant,
    TlsLevel,
)
from gatepost.tenancy.tlsa import Dnssec, TlsaAnswer

LOOPBACK = Reach(allowed=(ip_network("127.0.0.0/8"), ip_network("::1/128")))
"""Next hops of tests are here."""
QUICK = ClientTimeouts(greeting_s=5, command_s=5, data_s=5, block_s=5, end_of_data_s=5, quit_s=1)
RETRY = RetrySettings(glitch_interval_s=0.05, transient_interval_s=0.05, interval_s=0.05)
"""Retries come at once."""
NEVER = RetrySettings(glitch_interval_s=900, transient_interval_s=900, interval_s=900)
"""No retry comes within a test."""


class NotSettled:
    """The store's promise while the disk is full."""

    def tell(self, told: Callable[[Any], None]) -> None:
        asyncio.get_running_loop().call_soon(told, self)

    def result(self) -> Sequence[Claim]:
        raise StoreUnavailable("disk full")

    def __await__(self) -> Generator[Any, None, Sequence[Claim]]:
        yield from asyncio.sleep(0).__await__()
        return self.result()


class ListedConnectors:
    """The part of the directory that routing asks."""

    def __init__(self, *connectors: SendConnector) -> None:
        self.version = 1
        self.connectors = connectors
        self.hosted: dict[str, str] = {}
        """Verified domains, and the tenant of each."""
        self.partners: list[InboundConnector] = []

    def change(self, *connectors: SendConnector) -> None:
        self.connectors = connectors
        self.version += 1

    def covering_domain(self, domain: str) -> AcceptedDomain | None:
        owner = self.hosted.get(domain)
        return AcceptedDomain(domain=domain, tenant=owner, token="", verified=True) if owner else None

    def tenant(self, name: str) -> Tenant:
        return Tenant(name=name, created_at=datetime.fromtimestamp(0, UTC))

    def connectors_of(self, tenant: str) -> Sequence[InboundConnector]:
        return [InboundConnector(tenant=tenant, name="mail")]

    def partner_connectors(self, tenant: str) -> Sequence[InboundConnector]:
        return [partner for partner in self.partners if partner.tenant == tenant]

    def send_connectors(self, tenant: str | None, domain: str) -> Sequence[SendConnector]:
        return [
            connector
            for connector in self.connectors
            if connector.tenant in (None, tenant)
            and any(pattern_covers(space.space, domain) for space in connector.address_spaces)
        ]


@dataclass
class Told:
    """What delivery told."""

    delivered: list[tuple[Claim, Delivered]] = field(default_factory=list)
    deferred: list[tuple[Claim, Deferred, Rescheduled]] = field(default_factory=list)
    not_recognised: list[tuple[Claim, Deferred]] = field(default_factory=list)
    failed: list[tuple[Claim, Failed]] = field(default_factory=list)
    notifications: list[Claim] = field(default_factory=list)
    withheld: list[Claim] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    stuck: list[tuple[str, int]] = field(default_factory=list)
    next_hops: list[tuple[str, str]] = field(default_factory=list)
    """Connectors with smart hosts, and why they are down, or empty when they take mail."""


class Listener:
    def __init__(self) -> None:
        self.told = Told()

    def delivered(self, claim: Claim, outcome: Delivered) -> None:
        self.told.delivered.append((claim, outcome))

    def deferred(self, claim: Claim, outcome: Deferred, next_attempt: Rescheduled) -> None:
        self.told.deferred.append((claim, outcome, next_attempt))

    def not_recognised(self, claim: Claim, outcome: Deferred) -> None:
        self.told.not_recognised.append((claim, outcome))

    def failed(self, claim: Claim, outcome: Failed) -> None:
        self.told.failed.append((claim, outcome))

    def notification_queued(self, claims: Sequence[Claim]) -> None:
        self.told.notifications.extend(claims)

    def notification_withheld(self, claim: Claim) -> None:
        self.told.withheld.append(claim)

    def next_hop_is_down(self, connector: SendConnector, why: str) -> None:
        self.told.next_hops.append((connector.name, why))

    def next_hop_takes_mail(self, connector: SendConnector) -> None:
        self.told.next_hops.append((connector.name, ""))

    def stuck(self, what: str, alarms: int) -> None:
        self.told.stuck.append((what, alarms))

    def warning(self, text: str) -> None:
        self.told.warnings.append(text)


class Unsigned:
    """A network without DNSSEC."""

    async def why_disabled(self) -> str | None:
        return "no name server validates"

    async def look_up(self, domain: str | None, host: str, port: int) -> TlsaAnswer:
        return TlsaAnswer(Dnssec.DISABLED, why="no name server validates")


class NoPolicies:
    async def policy(self, domain: str) -> StsAnswer:
        return NO_POLICY


class LogRows(list[ProtocolLogRecord]):
    def __init__(self) -> None:
        super().__init__()
        self.owners: dict[str, set[str | None]] = {}

    def add(self, record: ProtocolLogRecord) -> None:
        self.append(record)

    def belongs(self, session_id: str, tenant: str | None, *, ended: bool = False) -> None:
        self.owners.setdefault(session_id, set()).add(tenant)


def mailbox(text: str) -> Mailbox:
    local_part, _, domain = text.rpartition("@")
    return Mailbox(local_part, domain.lower(), text)


def to_smart_host(port: int, name: str = "out", tenant: str | None = None, **more: Any) -> SendConnector:
    more.setdefault("address_spaces", (AddressSpace(space="*"),))
    more.setdefault("tls", TlsLevel.NONE)
    more.setdefault("allow_internal", True)
    return SendConnector(name=name, tenant=tenant, smart_hosts=(SmartHost(host="127.0.0.1", port=port),), **more)


CONTENT = b"Received: from x\r\nSubject: hello\r\nMessage-ID: <1@contoso.example>\r\n\r\nHello.\r\n"


class PostOffice:
    def __init__(self, folder: Path, directory: ListedConnectors, nameserver: str | None, how: dict[str, Any]) -> None:
        self.store = SqliteQueueStore(folder, 0)
        self.directory = directory
        self.listener = Listener()
        self.log = LogRows()
        self.offset = 0.0
        """How much later it is than it seems."""
        self.moved = 0.0
        """By how much somebody has moved the clock."""
        connection = ConnectionSettings(hostname="edge.contoso.example", timeouts=how.pop("timeouts", QUICK))
        for name in ("idle_s", "most_transactions", "connect_s", "handshake_s"):
            if name in how:
                connection = replace(connection, **{name: how.pop(name)})
        self.tls = ClientTlsContexts(Judge(how.pop("roots", None), required_purpose="serverAuth"))
        self.services = DialServices(
            resolver=Resolver([nameserver or "127.0.0.1:9"], lifetime_s=0.3),
            tls=self.tls,
            tls_demands=how.pop("tls_demands", TlsDemands(Unsigned(), NoPolicies())),
            log=self.log,
            next_session_id=SessionIds(0).next,
            clock=self.now,
            elapsed=lambda: time.monotonic() + self.offset,
            shuffle=lambda hosts: None,
            own_names=("edge.contoso.example",),
            connection=connection,
            retry=how.pop("retry", NEVER),
            per_destination=how.pop("per_destination", 20),
            own_message=how.pop("own_message", lambda octets, at: octets),
            reach=how.pop("reach", LOOPBACK),
        )
        self.scheduler = Scheduler(
            self.store,
            directory,  # type: ignore[arg-type]
            self.services,
            self.listener,
            SchedulerSettings(sweep_s=0.02, **how),
        )
        self.scheduler.start()

    @property
    def told(self) -> Told:
        return self.listener.told

    def now(self) -> float:
        return time.time() + self.offset + self.moved

    async def send(
        self,
        *to: str,
        content: bytes = CONTENT,
        sender: str | None = "ann@contoso.example",
        tenant: str | None = "contoso",
        dsn: DsnRequest | None = None,
        fresh: bool = True,
        **envelope: Any,
    ) -> None:
        """Accept a message; deliver it straight away, or (not `fresh`) let the queue bring it."""
        recipients = [
            NewRecipient(forward_path=mailbox(path), tenant=tenant, connector="mail", dsn=dsn or DsnRequest())
            for path in to or ("bob@fabrikam.example",)
        ]
        claims = (
            await self.store.accept(
                NewMessage(
                    session_id="08DF0A1B2C3D4E40",
                    received_at=self.now(),
                    envelope=Envelope(
                        reverse_path=NULL_REVERSE_PATH if sender is None else mailbox(sender), **envelope
                    ),
                    recipients=tuple(recipients),
                    content=MemoryContent(content),
                ),
                claim=fresh,
            )
        ).claims
        self.scheduler.submit(claims)

    async def until(self, done: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not done():
                await asyncio.sleep(0.005)

    async def until_empty(self) -> None:
        await self.until(lambda: self.store.next_due_at() is None and not self.scheduler.in_hand)

    def rows(self) -> list[tuple[str, str, str]]:
        return [(row.event, row.data, row.context) for row in self.log]


@asynccontextmanager
async def post_office(folder: Path, *connectors: SendConnector, nameserver: str | None = None, **how: Any):  # type: ignore[no-untyped-def]
    office = PostOffice(folder, ListedConnectors(*connectors), nameserver, how)
    try:
        yield office
    finally:
        await office.scheduler.stop(grace_s=0.1)
        await office.store.close()
