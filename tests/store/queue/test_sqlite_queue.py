from pathlib import Path
from typing import Any

from contracts.queue_store_contract import QueueStoreContract
from gatepost.queue.store import QueueAdmin, QueueStore
from gatepost.store.queue.admin import SqliteQueueAdmin
from gatepost.store.queue.sqlite_queue import SqliteQueueStore


class TestSqliteQueueStore(QueueStoreContract):
    def open(self, folder: Path) -> tuple[QueueStore, QueueAdmin]:
        return SqliteQueueStore(folder, 0), SqliteQueueAdmin(folder, operator="the operator")

    async def close(self, store: Any) -> None:
        await store.close()


class TestSqliteQueueStoreWithOrders(TestSqliteQueueStore):
    """Every operator's change is an order that the worker carries out, as if it reached a million recipients."""

    def open(self, folder: Path) -> tuple[QueueStore, QueueAdmin]:
        return SqliteQueueStore(folder, 0), SqliteQueueAdmin(folder, operator="the operator", changed_at_once=0)
