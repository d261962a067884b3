"""Somebody moves the clock: nothing is given up early, nothing stalls."""

import asyncio
from pathlib import Path

import pytest

from delivery.post_office import post_office, to_smart_host
from gatepost.delivery.clock_watch import ClockWatch
from gatepost.queue.retry import RetrySettings
from sink import Sink

HOUR = 3600.0
SLOW = RetrySettings(glitch_interval_s=60, transient_interval_s=60, interval_s=60, expiry_s=2 * HOUR)


class Hand:
    """A clock that is moved, and one that is not."""

    def __init__(self) -> None:
        self.moved = 0.0
        self.passed = 1_000.0

    def wall(self) -> float:
        return 1_800_000_000.0 + self.passed + self.moved


def test_a_leap_is_told_once_and_only_a_leap() -> None:
    hand = Hand()
    watch = ClockWatch(hand.wall, lambda: hand.passed)
    hand.passed += 5_000
    hand.moved += 1.0
    assert watch.look() == 0
    hand.moved -= HOUR
    assert watch.look() == pytest.approx(1.0 - HOUR)
    assert watch.look() == 0


def test_an_age_counts_no_leap_forward_but_those_after_it() -> None:
    hand = Hand()
    watch = ClockWatch(hand.wall, lambda: hand.passed)
    before = hand.wall()
    hand.moved += HOUR
    watch.look()
    after = hand.wall()
    hand.passed += 10
    hand.moved -= HOUR
    watch.look()
    assert watch.leapt_since(before) == HOUR
    assert watch.leapt_since(after) == 0


@pytest.mark.parametrize("leap", [HOUR, -HOUR, 30 * HOUR, -30 * HOUR])
def test_after_a_leap_a_retry_comes_within_its_pause_and_nothing_is_given_up(leap: float, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Sink() as sink:
            sink.always("RCPT", b"451 4.2.1 not now\r\n")
            async with post_office(tmp_path, to_smart_host(sink.port), retry=SLOW) as office:
                await office.send("bob@fabrikam.example")
                await office.until(lambda: office.told.deferred)
                office.moved += leap
                await office.until(lambda: any("the clock went" in text for text in office.told.warnings))
                office.offset += 61
                await office.until(lambda: len(office.told.deferred) >= 2)
                sink.behave()
                office.offset += 61
                await office.until(lambda: office.told.delivered)
                assert office.told.failed == []

    asyncio.run(scenario())


@pytest.mark.parametrize("leap", [HOUR, -HOUR])
def test_a_dead_next_hop_is_tried_again_in_time_after_a_leap(leap: float, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Sink() as sink:
            port = sink.port
            await sink.stop()
            async with post_office(tmp_path, to_smart_host(port), retry=SLOW) as office:
                await office.send("bob@fabrikam.example")
                await office.until(lambda: office.told.deferred)
                office.moved += leap
                await office.until(lambda: any("the clock went" in text for text in office.told.warnings))
                again = Sink()
                await again.start(port=port)
                office.offset += 61
                await office.until(lambda: office.told.delivered)
                assert office.told.failed == []
                await again.stop()

    asyncio.run(scenario())


def test_what_a_clock_put_off_that_has_been_put_right_since_is_due_at_the_next_start(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Sink() as sink:
            sink.answer("RCPT", b"451 4.2.1 not now\r\n")
            async with post_office(tmp_path, to_smart_host(sink.port), retry=SLOW) as office:
                office.moved = 10 * HOUR
                await office.send("bob@fabrikam.example")
                await office.until(lambda: office.told.deferred)
            async with post_office(tmp_path, to_smart_host(sink.port), retry=SLOW) as office:
                await office.until(lambda: office.told.delivered)

    asyncio.run(scenario())
