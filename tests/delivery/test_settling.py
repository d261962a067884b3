"""What was attempted is settled once, whatever the disk does meanwhile."""

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path

import pytest

from delivery.post_office import NotSettled, post_office, to_smart_host
from gatepost.delivery import settling
from gatepost.queue.message import Claim
from gatepost.queue.outcome import Settlement
from gatepost.queue.store import Promise
from sink import Sink


def run(story: Coroutine[None, None, None]) -> None:
    asyncio.run(story)


def test_what_the_store_could_not_settle_is_settled_once_it_can_and_nothing_is_sent_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "SETTLE_AGAIN_S", 0.02)

    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port)) as office:
            settle, failures = office.store.settle, iter(range(3))

            def settle_the_fourth_time(settlement: Settlement) -> Promise[Sequence[Claim]]:
                return settle(settlement) if next(failures, None) is None else NotSettled()

            monkeypatch.setattr(office.store, "settle", settle_the_fourth_time)
            await office.send()
            await office.until(lambda: office.told.delivered)
            await office.until_empty()
            assert (sink.count, office.scheduler.in_hand, office.scheduler.has_room) == (1, 0, True)

    run(story())


def test_stopping_does_not_wait_for_a_store_that_cannot_settle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port)) as office:
            monkeypatch.setattr(office.store, "settle", lambda settlement: NotSettled())
            await office.send()
            await office.until(lambda: office.told.warnings)
            assert office.scheduler.in_hand == 1
            async with asyncio.timeout(20):
                await office.scheduler.stop(grace_s=0)
            assert (sink.count, office.told.delivered) == (1, [])
            monkeypatch.undo()

    run(story())
