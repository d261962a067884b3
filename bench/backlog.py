"""A large queue, filled through the store's own interface, in a process for each queue file."""

import asyncio
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from gatepost.mail.address import Mailbox
from gatepost.mail.envelope import Envelope
from gatepost.queue.message import MemoryContent, NewMessage, NewRecipient
from gatepost.store.queue.sqlite_queue import SqliteQueueStore

# As many changes share one sync as a group takes.
_AT_ONCE = 2_000

CONTENT = b"Subject: backlog\r\n\r\n" + b"It waits.\r\n" * 80


def fill(folder: Path, queues: int, messages: int, *, tenants: int, domains: int, below: str) -> float:
    """Messages of tenants `t0`… to `d0.BELOW`…, received during the last hour, due. Returns the seconds it took."""
    began = time.monotonic()
    with ProcessPoolExecutor(queues) as pool:
        work = [
            pool.submit(_fill_queue, folder, queue, messages // queues, tenants, domains, below)
            for queue in range(queues)
        ]
        for each in work:
            each.result()
    return time.monotonic() - began


def _fill_queue(folder: Path, queue: int, messages: int, tenants: int, domains: int, below: str) -> None:
    asyncio.run(_accept(folder, queue, messages, tenants, domains, below))


async def _accept(folder: Path, queue: int, messages: int, tenants: int, domains: int, below: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    store = SqliteQueueStore(folder, queue)
    now = time.time()
    for first in range(0, messages, _AT_ONCE):
        await asyncio.gather(
            *(
                store.accept(_message(n, now - 3600 * (1 - n / messages), n % tenants, n % domains, below), claim=False)
                for n in range(first, min(first + _AT_ONCE, messages))
            )
        )
    await store.close()


def _message(number: int, received_at: float, tenant: int, domain: int, below: str) -> NewMessage:
    name = f"t{tenant}.example"
    to = f"d{domain}.{below}"
    return NewMessage(
        session_id="08DF0A1B2C3D4E40",
        received_at=received_at,
        envelope=Envelope(reverse_path=Mailbox("sender", name, f"sender@{name}")),
        recipients=(
            NewRecipient(
                forward_path=Mailbox(f"user{number}", to, f"user{number}@{to}"), tenant=f"t{tenant}", connector=None
            ),
        ),
        content=MemoryContent(CONTENT),
    )
