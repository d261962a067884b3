import asyncio
from pathlib import Path

from contracts.queue_messages import message
from gatepost.queue.store import QueueFilter
from gatepost.store.queue.admin import SqliteQueueAdmin
from gatepost.store.queue.capacity import free_disk, recipients_by_tenant
from gatepost.store.queue.sqlite_queue import SqliteQueueStore


def test_recipients_of_all_queues_and_states_are_counted_by_tenant(tmp_path: Path) -> None:
    async def fill(queue: int, tenant: str | None, number: int) -> None:
        store = SqliteQueueStore(tmp_path, queue)
        for n in range(number):
            await store.accept(message(f"{n}@a.example", f"{n}@b.example", tenant=tenant), claim=n == 0)
        await store.close()

    asyncio.run(fill(0, "contoso", 3))
    asyncio.run(fill(1, "contoso", 1))
    asyncio.run(fill(1, None, 1))
    SqliteQueueAdmin(tmp_path).hold(QueueFilter(domain="a.example"))
    assert recipients_by_tenant(tmp_path) == {"contoso": 8, None: 2}


def test_free_disk_is_a_number_of_octets(tmp_path: Path) -> None:
    assert free_disk(tmp_path) > 0
