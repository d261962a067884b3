"""evil gives orders about its own mail without end, so that nobody else's are kept, or even taken.

What worked: of each queue the last thousand orders were recorded, and 32 could wait for the worker, whoever gave them.
Two minutes of hold and release with one token, and `queue orders` knew nothing of what contoso and the operator had
done; with a backlog to work through, the operator's own `queue remove` was refused.
"""

import asyncio
from pathlib import Path

import pytest

from contracts.queue_messages import message
from gatepost.queue.store import QueueFilter, StoreUnavailable
from gatepost.store.queue.admin import SqliteQueueAdmin
from gatepost.store.queue.sqlite_queue import SqliteQueueStore

NOW = 1_800_000_000.0
EVIL, CONTOSO = QueueFilter(tenant="evil"), QueueFilter(tenant="contoso")


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    async def filled() -> None:
        store = SqliteQueueStore(tmp_path, 0)
        for tenant in ("contoso", "evil"):
            for each in range(3):
                await store.accept(message(f"{each}@a.example", tenant=tenant), claim=False)
        await store.close()

    asyncio.run(filled())
    return tmp_path


def admin_of(queue: Path, name: str, changed_at_once: int = 100, at: float = NOW) -> SqliteQueueAdmin:
    return SqliteQueueAdmin(queue, operator=name, changed_at_once=changed_at_once, clock=lambda: at)


def test_ones_orders_displace_nobody_elses_from_the_record(queue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.store.queue.orders._KEPT", 5)
    operator, contoso, evil = (admin_of(queue, name) for name in ("root", "token c0", "token e1"))
    operator.hold(EVIL)
    operator.release(EVIL, NOW)
    contoso.hold(CONTOSO)
    for _ in range(10):
        evil.hold(EVIL)
        evil.release(EVIL, NOW)
    given = [order.given_by for _, order in operator.orders(100)]
    assert [given.count(each) for each in ("root", "token c0", "token e1")] == [2, 1, 5]


def test_orders_are_kept_for_ninety_days(queue: Path) -> None:
    admin_of(queue, "root").hold(EVIL)
    later = admin_of(queue, "token e1", at=NOW + 91 * 86_400)
    later.hold(CONTOSO)
    assert [order.given_by for _, order in later.orders(9)] == ["token e1"]


def test_ones_orders_that_wait_for_the_worker_keep_no_other_waiting(queue: Path) -> None:
    operator, contoso, evil = (admin_of(queue, name, 0) for name in ("root", "token c0", "token e1"))
    with pytest.raises(StoreUnavailable):
        for _ in range(40):
            evil.retry(EVIL, NOW)
    assert contoso.hold(CONTOSO) == 3
    assert operator.remove(EVIL) == 3
