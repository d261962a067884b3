"""Mail that is due and that nobody sees to raises an alarm; what waits for a reason raises none."""

import asyncio
import sqlite3
from pathlib import Path

from delivery.post_office import PostOffice, post_office, to_smart_host
from gatepost.tenancy.tenant import AddressSpace
from sink import SILENCE, Sink

WATCHFUL = {"watch_s": 0.02, "stuck_after_s": 0.3}


def test_a_claim_that_nobody_works_on_raises_the_alarm_and_others_go_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port), **WATCHFUL) as office:
            await lose_a_claim(office)
            await office.until(lambda: office.listener.told.stuck)
            await office.send("eve@other.example", tenant="fabrikam")
            await office.until(lambda: len(sink.messages) == 1)
            ((what, alarms),) = office.listener.told.stuck
            assert what.startswith("message 0-") and alarms == 1

    asyncio.run(scenario())


async def lose_a_claim(office: PostOffice) -> None:
    """As a bug would: claimed, and never handed to the scheduler."""
    submit, office.scheduler.submit = office.scheduler.submit, lambda claims: None  # type: ignore[method-assign]
    await office.send("bob@fabrikam.example")
    office.scheduler.submit = submit  # type: ignore[method-assign]


def test_due_mail_that_the_store_does_not_offer_raises_the_alarm(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port), **WATCHFUL) as office:
            sink.always("RCPT", b"451 4.2.1 not now\r\n")
            await office.send("bob@fabrikam.example")
            await office.until(lambda: office.told.deferred)
            # As a bug would: the row is due, and what is remembered of it says later.
            with sqlite3.connect(tmp_path / "0.sqlite") as other:
                other.execute("UPDATE recipient SET due_at = due_at - 5000")
            await office.until(lambda: office.listener.told.stuck)
            ((what, _),) = office.listener.told.stuck
            assert "fabrikam.example" in what

    asyncio.run(scenario())


def test_mail_in_a_slow_hand_or_for_a_dead_next_hop_raises_none(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Sink() as slow, Sink() as gone:
            slow.always("END", SILENCE)
            port = gone.port
            await gone.stop()
            to_gone = to_smart_host(port, "gone", address_spaces=(AddressSpace(space="gone.example"),))
            how = {**WATCHFUL, "per_destination": 1}
            async with post_office(tmp_path, to_smart_host(slow.port), to_gone, **how) as office:
                for number in range(3):
                    await office.send(f"bob-{number}@slow.example")
                    await office.send(f"eve-{number}@gone.example", tenant="fabrikam")
                await asyncio.sleep(1.0)
                assert office.listener.told.stuck == []

    asyncio.run(scenario())
