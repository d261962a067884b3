"""Delivery over real sockets, from a real queue file."""

from collections.abc import Coroutine
from pathlib import Path

import uvloop

from delivery.post_office import post_office, to_smart_host
from sink import Sink


def run(test: Coroutine[None, None, None]) -> None:
    uvloop.run(test)


def test_a_fresh_message_is_delivered_and_its_row_goes(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port)) as office:
            await office.send("bob@fabrikam.example", "eve@fabrikam.example")
            await office.until(lambda: len(office.told.delivered) == 2)
            assert sink.messages[0].recipients == ("bob@fabrikam.example", "eve@fabrikam.example")
            assert sink.messages[0].reverse_path == "ann@contoso.example"
            (_, outcome), _ = office.told.delivered
            assert str(outcome.reply) == "250 2.6.0 sunk"
            assert outcome.host == f"127.0.0.1[127.0.0.1]:{sink.port}"
            await office.until_empty()

    run(story())
