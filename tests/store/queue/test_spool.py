"""Content on its way into a queue: small in memory, large in files, nothing left behind."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from contracts.queue_messages import RECEIVED_AT, finished, message
from gatepost.queue.message import Content, MemoryContent
from gatepost.queue.store import Avoid, QueueFilter, StoreUnavailable
from gatepost.store.queue.admin import SqliteQueueAdmin
from gatepost.store.queue.spool import FLUSH_AT, LARGEST_IN_MEMORY
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


def spooled(folder: Path) -> list[str]:
    return sorted(file.name for file in (folder / "0.spool").iterdir())


async def written(store: SqliteQueueStore, octets: bytes, piece: int = 50_000) -> Content:
    writer = store.new_content()
    for start in range(0, len(octets), piece):
        writer.write(octets[start : start + piece])
        if writer.needs_flush:
            await writer.flush()
    return writer.finish()


@pytest.mark.parametrize("size", [0, 1, LARGEST_IN_MEMORY, LARGEST_IN_MEMORY + 1, FLUSH_AT, 3 * FLUSH_AT + 7])
def test_content_of_any_size_comes_back_octet_for_octet(on_store: Any, tmp_path: Path, size: int) -> None:
    octets = os.urandom(size)

    async def scenario(store: SqliteQueueStore) -> None:
        content = await written(store, octets)
        assert content.size == size
        assert b"".join(content.chunks()) == octets
        await store.accept(message(content=content), claim=False)
        (claim,) = store.claim_due(RECEIVED_AT, 1, Avoid())
        opened = store.open_content(claim.message)
        assert opened.size == claim.message.size == size
        assert b"".join(opened.chunks()) == b"".join(opened.chunks()) == octets
        assert max(map(len, opened.chunks()), default=0) <= LARGEST_IN_MEMORY
        assert len(spooled(tmp_path)) == (size > LARGEST_IN_MEMORY)
        office_content = SqliteQueueAdmin(tmp_path).content(claim.message.id)
        assert office_content is not None
        assert b"".join(office_content.chunks()) == octets

    on_store(scenario)


def test_a_writer_never_holds_more_than_a_flush_in_memory(on_store: Any, tmp_path: Path) -> None:
    async def scenario(store: SqliteQueueStore) -> None:
        writer = store.new_content()
        for _ in range(20):
            writer.write(bytes(FLUSH_AT))
            assert writer.needs_flush
            await writer.flush()
            assert not writer.needs_flush
        (file,) = (tmp_path / "0.spool").iterdir()
        assert file.stat().st_size == 20 * FLUSH_AT
        writer.discard()

    on_store(scenario)
    assert spooled(tmp_path) == []


def test_large_content_is_no_longer_there_when_its_message_is_done(on_store: Any, tmp_path: Path) -> None:
    async def scenario(store: SqliteQueueStore) -> None:
        (claim,) = (await store.accept(message(content=await written(store, LARGE)), claim=True)).claims
        assert claim.content is None
        assert spooled(tmp_path) == [claim.message.id.removeprefix("0-")]
        await store.settle(finished(claim))

    on_store(scenario)
    assert spooled(tmp_path) == []


def test_large_content_goes_when_an_operator_removes_its_message(on_store: Any, tmp_path: Path) -> None:
    async def scenario(store: SqliteQueueStore) -> None:
        await store.accept(message(content=await written(store, LARGE)), claim=False)
        assert SqliteQueueAdmin(tmp_path).remove(QueueFilter()) == 1
        assert spooled(tmp_path) == []

    on_store(scenario)


def test_large_content_that_was_made_elsewhere_is_copied(on_store: Any, tmp_path: Path) -> None:
    async def scenario(store: SqliteQueueStore) -> None:
        (claim,) = (await store.accept(message(content=MemoryContent(LARGE)), claim=True)).claims
        assert b"".join(store.open_content(claim.message).chunks()) == LARGE
        assert len(spooled(tmp_path)) == 1

    on_store(scenario)


def test_content_that_is_released_or_discarded_leaves_no_file(on_store: Any, tmp_path: Path) -> None:
    async def scenario(store: SqliteQueueStore) -> None:
        refused = await written(store, LARGE * 4)
        refused.release()
        refused.release()
        dropped = store.new_content()
        dropped.write(LARGE * 4)
        await dropped.flush()
        dropped.discard()
        store.new_content().discard()

    on_store(scenario)
    assert spooled(tmp_path) == []


def test_discarding_after_the_content_was_handed_on_does_not_touch_it(on_store: Any, tmp_path: Path) -> None:
    async def scenario(store: SqliteQueueStore) -> None:
        writer = store.new_content()
        writer.write(LARGE * 4)
        await writer.flush()
        content = writer.finish()
        accepting = asyncio.ensure_future(store.accept(message(content=content), claim=True))
        await asyncio.sleep(0)
        writer.discard()
        (claim,) = (await accepting).claims
        assert b"".join(store.open_content(claim.message).chunks()) == LARGE * 4

    on_store(scenario)


def test_files_without_a_row_are_removed_when_the_queue_is_opened(on_store: Any, tmp_path: Path) -> None:
    async def keep_one(store: SqliteQueueStore) -> None:
        await store.accept(message(content=await written(store, LARGE)), claim=False)

    async def look(store: SqliteQueueStore) -> None:
        (claim,) = store.claim_due(RECEIVED_AT, 1, Avoid())
        assert b"".join(store.open_content(claim.message).chunks()) == LARGE

    on_store(keep_one)
    for name in ("incoming-7", "999"):
        (tmp_path / "0.spool" / name).write_bytes(b"left behind by a crash")
    on_store(look)
    assert len(spooled(tmp_path)) == 1


def test_a_folder_that_takes_no_files_is_the_stores_refusal(on_store: Any, tmp_path: Path) -> None:
    async def scenario(store: SqliteQueueStore) -> None:
        writer = store.new_content()
        writer.write(LARGE * 4)
        (tmp_path / "0.spool").rmdir()
        with pytest.raises(StoreUnavailable, match=r"0\.spool: content cannot be written"):
            await writer.flush()
        with pytest.raises(StoreUnavailable, match=r"0\.spool: content cannot be written"):
            await store.accept(message(content=MemoryContent(LARGE)), claim=True)
        writer.discard()
        # Small mail does not need the folder.
        assert (await store.accept(message(), claim=True)).claims

    on_store(scenario)
