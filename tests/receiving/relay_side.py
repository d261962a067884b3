"""The relay as one session meets it: a directory with two tenants, a queue and the counts, all of them real.

contoso's server is at 192.0.2.1, fabrikam's at 192.0.2.2; outside.example belongs to nobody.
"""

import asyncio
import mmap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from contracts.directory_contract import connector, domain, send_connector
from gatepost.app.shared_counts import tenants as tenant_counts
from gatepost.app.shared_counts import unfinished as unfinished_counts
from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox
from gatepost.mail.envelope import NO_DSN_REQUEST, Envelope
from gatepost.mail.reply import Reply
from gatepost.queue.message import Claim
from gatepost.receiving.acceptance import Acceptance
from gatepost.receiving.cached_attribution import CachedAttribution
from gatepost.receiving.capacity import Capacity
from gatepost.receiving.limits import TenantGate
from gatepost.receiving.services import AcceptanceSettings, Services
from gatepost.receiving.transaction import Peer
from gatepost.receiving.unfinished import UnfinishedContent, UnfinishedLimits
from gatepost.smtp.server_effects import AskMail, AskRecipient
from gatepost.store.directory.editor import SqliteDirectoryEditor
from gatepost.store.directory.sqlite_directory import SqliteDirectory
from gatepost.store.queue.sqlite_queue import SqliteQueueStore
from gatepost.tenancy.tenant import DEFAULT_LIMITS, NO_LIMITS, Tenant, TenantLimits

HOSTNAME = "relay.example"
CONTOSO, FABRIKAM, STRANGER = "192.0.2.1", "192.0.2.2", "198.51.100.9"
MIB = 1024 * 1024
LETTER = b"Subject: hello\r\n\r\nHello.\r\n"


def mailbox(text: str) -> Mailbox:
    local_part, _, name = text.rpartition("@")
    return Mailbox(local_part, name.lower(), text)


class Relay:
    def __init__(self, directory: SqliteDirectory, store: SqliteQueueStore, **said: Any) -> None:
        self.directory = directory
        self.store = store
        self.now = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
        self.events: list[tuple[str, dict[str, object]]] = []
        self.submitted: list[Claim] = []
        room = Capacity(least_free_disk=0, most_recipients=0, emit=self.emit)
        self.unfinished = unfinished_counts.UnfinishedCounts(mmap.mmap(-1, unfinished_counts.octets(1)), 0, 1)
        tally = tenant_counts.TenantCounts(mmap.mmap(-1, tenant_counts.octets(1)), 0, 1)
        limits = UnfinishedLimits(of_strangers=MIB, of_network=MIB, of_tenant=MIB)
        self.services = Services(
            attribution=CachedAttribution(directory, _no_certificates),  # type: ignore[arg-type]
            store=store,
            new_content=store.new_content,
            waiting=lambda: store.backlog,
            submit=self.submitted.extend,
            claim_at_once=lambda tenant: True,
            is_full=lambda: False,
            unfinished=UnfinishedContent(limits, self.unfinished, room, self.emit),
            tenants=TenantGate(DEFAULT_LIMITS, directory, tally, lambda tenant: 0, self.emit),
            events=self,
            now=lambda: self.now,
        )
        self.services = replace(self.services, **{key: said[key] for key in said if hasattr(self.services, key)})
        settings = {key: said[key] for key in said if not hasattr(self.services, key)}
        self.settings = AcceptanceSettings(hostname=HOSTNAME, listener="main", **settings)

    def emit(self, event: str, /, **fields: object) -> None:
        self.events.append((event, fields))

    def told(self, event: str) -> list[dict[str, object]]:
        return [fields for name, fields in self.events if name == event]

    def session(self, address: str = CONTOSO, session_id: str = "08DD34FA3086278D") -> "Session":
        return Session(self, address, session_id)


class Session:
    """What one peer asks, in order."""

    def __init__(self, relay: Relay, address: str, session_id: str) -> None:
        self.peer = Peer(address=ip_address(address), address_text=address, ehlo="mail.peer.example")
        self.acceptance = Acceptance(relay.settings, relay.services, session_id)

    def mail(self, sender: str | None = "ann@contoso.com", **said: Any) -> Reply:
        path = NULL_REVERSE_PATH if sender is None else mailbox(sender)
        return self.acceptance.mail(AskMail(envelope=Envelope(reverse_path=path), **said), self.peer)

    def recipient(self, path: str = "bob@outside.example", **said: Any) -> Reply:
        return self.acceptance.recipient(AskRecipient(forward_path=mailbox(path), dsn=NO_DSN_REQUEST, **said))

    async def content(self, octets: bytes = LETTER) -> Reply:
        self.acceptance.begin_content()
        self.acceptance.content(octets)
        return await self.end_content(len(octets))

    async def end_content(self, size: int) -> Reply:
        answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        return self.acceptance.end_content(size, answered.set_result) or await answered

    async def message(self, sender: str, *to: str, octets: bytes = LETTER) -> Reply:
        """The last reply."""
        self.mail(sender)
        for path in to:
            self.recipient(path)
        return await self.content(octets)


@asynccontextmanager
async def relay(folder: Path, limits: TenantLimits = NO_LIMITS, **said: Any) -> AsyncIterator[Relay]:
    """`limits`: contoso's. `said`: of the settings or the services."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    editor = SqliteDirectoryEditor(folder / "directory.sqlite", who="tester", clock=lambda: at)
    for tenant, address, own in (("contoso", CONTOSO, limits), ("fabrikam", FABRIKAM, NO_LIMITS)):
        editor.put_tenant(Tenant(name=tenant, created_at=at, limits=own), "add")
        editor.put_domain(domain(f"{tenant}.com", tenant), "add")
        editor.put_inbound_connector(connector("servers", tenant, addresses=(ip_network(address),)), "add")
        editor.put_send_connector(send_connector(f"to-{tenant}", f"{tenant}.com", tenant=tenant), "add")
    editor.close()
    (folder / "queue").mkdir()
    directory, store = SqliteDirectory(folder / "directory.sqlite"), SqliteQueueStore(folder / "queue", 0)
    try:
        yield Relay(directory, store, **said)
    finally:
        await store.close()
        directory.close()


def _no_certificates(*question: object) -> None:
    raise AssertionError("no certificate is presented here")


def queued(opened: Relay) -> list[tuple[str | None, str]]:
    """Whose mail delivery got, and to whom it goes."""
    return [(claim.tenant, path.forward_path) for claim in opened.submitted for path in claim.recipients]
