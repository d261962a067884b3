"""The laws at the head of `scheduler` and its parts, each as a test of its own."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path

from delivery.post_office import post_office, to_smart_host
from gatepost.queue.store import QueueFilter
from gatepost.store.queue.admin import SqliteQueueAdmin
from sink import SILENCE, Sink


def run(story: Coroutine[None, None, None]) -> None:
    asyncio.run(story)


def test_a_message_an_operator_held_meanwhile_is_given_back_untouched(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port), per_destination=1) as office:
            sink.answer("MAIL", SILENCE)
            await office.send("first@fabrikam.example")
            await office.until(lambda: any(line.startswith("MAIL") for line in sink.commands))
            await office.send("second@adatum.example")
            assert SqliteQueueAdmin(tmp_path).hold(QueueFilter(domain="adatum.example")) == 1
            assert office.store.changed_by_others()
            office.directory.change(replace(to_smart_host(sink.port), name="again"))
            await office.until(lambda: office.scheduler.in_hand <= 1)
            await asyncio.sleep(0)
            assert sink.count == 0

    run(story())
