from pathlib import Path
from typing import Any

from contracts.queue_store_contract import QueueStoreContract
from gatepost.queue.store import QueueOffice, QueueStore
from gatepost.store.queue_office import SqliteQueueOffice
from gatepost.store.sqlite_queue import SqliteQueueStore


class TestSqliteQueueStore(QueueStoreContract):
    def open(self, folder: Path) -> tuple[QueueStore, QueueOffice]:
        return SqliteQueueStore(folder, 0), SqliteQueueOffice(folder)

    async def close(self, store: Any) -> None:
        await store.close()
