"""The laws at the head of `scheduler` and its parts, each as a test of its own."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.post_office import NEVER, post_office, to_smart_host
from gatepost.delivery import settling
from gatepost.queue.message import Claim
from gatepost.queue.outcome import Settlement
from gatepost.queue.store import QueueFilter, StoreUnavailable
from gatepost.store.queue.admin import SqliteQueueOffice
from gatepost.tenancy.tenant import AddressSpace
from sink import CLOSE, SILENCE, Sink


def run(story: Coroutine[None, None, None]) -> None:
    asyncio.run(story)


def test_a_changed_connector_acts_on_the_next_message_without_a_restart(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as before, Sink() as after, post_office(tmp_path, to_smart_host(before.port)) as office:
            await office.send()
            await office.until(lambda: office.told.delivered)
            office.directory.change(to_smart_host(after.port))
            await office.send()
            await office.until(lambda: len(office.told.delivered) == 2)
            assert (before.count, after.count) == (1, 1)

    run(story())


def test_what_waits_for_a_slow_next_hop_follows_its_connector_when_that_is_changed(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as slow, Sink() as fast:
            slow.always("MAIL", SILENCE)
            async with post_office(tmp_path, to_smart_host(slow.port), per_destination=1) as office:
                for _ in range(3):
                    await office.send()
                await office.until(lambda: slow.commands.count("MAIL FROM:<ann@contoso.example>") or slow.sessions)
                office.directory.change(to_smart_host(fast.port))
                await office.until(lambda: fast.count == 2)
                assert slow.count == 0

    run(story())


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


def test_mail_for_a_dead_next_hop_is_parked_and_leaves_room_for_others(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as dead, Sink() as alive:
            dead.always("GREETING", CLOSE)
            connectors = (
                to_smart_host(dead.port, "dead", address_spaces=(AddressSpace(space="dead.example"),)),
                to_smart_host(alive.port, "alive", address_spaces=(AddressSpace(space="*"),)),
            )
            async with post_office(tmp_path, *connectors, retry=NEVER) as office:
                for number in range(30):
                    await office.send(f"{number}@dead.example", fresh=False)
                await office.until(lambda: office.told.deferred)
                await office.send("bob@fabrikam.example", tenant="fabrikam", fresh=False)
                await office.until(lambda: office.told.delivered)
                assert dead.sessions == 1

    run(story())


def test_a_message_an_operator_held_meanwhile_is_given_back_untouched(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port), per_destination=1) as office:
            sink.answer("MAIL", SILENCE)
            await office.send("first@fabrikam.example")
            await office.until(lambda: any(line.startswith("MAIL") for line in sink.commands))
            await office.send("second@adatum.example")
            assert SqliteQueueOffice(tmp_path).hold(QueueFilter(domain="adatum.example")) == 1
            assert office.store.changed_by_others()
            office.directory.change(replace(to_smart_host(sink.port), name="again"))
            await office.until(lambda: office.scheduler.in_hand <= 1)
            await asyncio.sleep(0)
            assert sink.count == 0

    run(story())
