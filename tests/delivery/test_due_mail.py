"""Due mail for a next hop that is down stays in the store and keeps nobody else out."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path

from delivery.post_office import NEVER, post_office, to_smart_host
from gatepost.tenancy.tenant import AddressSpace
from sink import CLOSE, Sink


def run(story: Coroutine[None, None, None]) -> None:
    asyncio.run(story)


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
