"""What the store promises: who asked is told once the change is on stable storage, whether it awaits that or not."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from contracts.queue_messages import RECEIVED_AT, finished, message
from gatepost.queue.store import Accepted, Avoid, Promise, StoreUnavailable
from gatepost.store.queue.spool import LARGEST_IN_MEMORY
from gatepost.store.queue.sqlite_queue import SqliteQueueStore

LARGE = os.urandom(LARGEST_IN_MEMORY + 1)


@pytest.fixture
def on_store(tmp_path: Path) -> Callable[[Callable[[SqliteQueueStore], Coroutine[Any, Any, None]]], None]:
    def run(scenario: Callable[[SqliteQueueStore], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            store = SqliteQueueStore(tmp_path, 0)
            try:
                await scenario(store)
            finally:
                await store.close()

        asyncio.run(whole())

    return run


async def until(true: Callable[[], object]) -> None:
    while not true():
        await asyncio.sleep(0)


@pytest.mark.parametrize("octets", [b"small", LARGE])
def test_who_is_told_needs_no_task_and_hears_it_once_the_message_is_stored(on_store: Any, octets: bytes) -> None:
    async def scenario(store: SqliteQueueStore) -> None:
        told: list[Promise[Accepted]] = []
        store.accept(message(content=octets), claim=False).tell(told.append)
        assert not told
        assert not store.claim_due(RECEIVED_AT, 1, Avoid())
        await until(lambda: told)
        (claim,) = store.claim_due(RECEIVED_AT, 1, Avoid())
        assert claim.message.id == told[0].result().message_id
        assert b"".join(store.open_content(claim.message).chunks()) == octets

    on_store(scenario)


def test_who_asks_late_is_told_at_once(on_store: Any) -> None:
    async def scenario(store: SqliteQueueStore) -> None:
        first, told = store.accept(message(), claim=True), []
        await store.accept(message(tenant="tailspin"), claim=False)
        first.tell(told.append)
        assert [len(each.result().claims) for each in told] == [1]
        assert (await first).claims == told[0].result().claims

    on_store(scenario)


def test_a_bug_of_one_who_is_told_costs_the_others_of_its_group_nothing(on_store: Any) -> None:
    async def scenario(store: SqliteQueueStore) -> None:
        bugs: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: bugs.append(context))
        told: list[Promise[Accepted]] = []
        store.accept(message(), claim=False).tell(lambda promise: 1 // 0)  # type: ignore[arg-type, return-value]
        store.accept(message(tenant="tailspin"), claim=False).tell(told.append)
        await until(lambda: told)
        assert [type(bug["exception"]) for bug in bugs] == [ZeroDivisionError]

    on_store(scenario)


@pytest.mark.parametrize("after_its_end", [False, True])
def test_the_claims_of_who_went_away_are_due_again(on_store: Any, after_its_end: bool) -> None:
    async def scenario(store: SqliteQueueStore) -> None:
        promise = store.accept(message("gone@a.example"), claim=True)

        async def wait() -> None:
            await promise

        waiting = asyncio.create_task(wait())
        second = store.accept(message(tenant="tailspin"), claim=False)
        if after_its_end:
            # The first is known then, and the task has not had its turn.
            second.tell(lambda _: waiting.cancel())
        await asyncio.sleep(0)
        if not after_its_end:
            waiting.cancel()
        await until(lambda: waiting.done() and not store.backlog)
        assert waiting.cancelled()
        tenants = sorted(str(claim.tenant) for claim in store.claim_due(RECEIVED_AT, 10, Avoid()))
        assert tenants == ["contoso", "tailspin"]

    on_store(scenario)


def test_a_settlement_whose_notification_cannot_be_kept_leaves_the_claim(on_store: Any, tmp_path: Path) -> None:
    async def scenario(store: SqliteQueueStore) -> None:
        (claim,) = (await store.accept(message(), claim=True)).claims
        (tmp_path / "0.spool").rmdir()
        with pytest.raises(StoreUnavailable, match=r"0\.spool: content cannot be written"):
            await store.settle(finished(claim, message(content=LARGE)))
        assert list(store.claimed()) == [recipient.id for recipient in claim.recipients]
        assert await store.settle(finished(claim)) == []
        assert store.is_empty()

    on_store(scenario)
