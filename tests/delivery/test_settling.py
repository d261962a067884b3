"""What was attempted is settled once, whatever the disk does meanwhile."""

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path

import pytest

from delivery.post_office import post_office, to_smart_host
from gatepost.delivery import settling
from gatepost.queue.message import Claim
from gatepost.queue.outcome import Settlement
from gatepost.queue.store import StoreUnavailable
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

            async def settle_the_fourth_time(settlement: Settlement) -> Sequence[Claim]:
                if next(failures, None) is not None:
                    raise StoreUnavailable("disk full")
                return await settle(settlement)

            monkeypatch.setattr(office.store, "settle", settle_the_fourth_time)
            await office.send()
            await office.until(lambda: office.told.delivered)
            await office.until_empty()
            assert (sink.count, office.scheduler.in_hand, office.scheduler.has_room) == (1, 0, True)

    run(story())
