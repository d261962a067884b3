"""The directory's present version decides where mail goes."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path

from delivery.post_office import post_office, to_smart_host
from sink import SILENCE, Sink


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
