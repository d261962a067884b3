"""A deadline passes once, when nobody moved it, however often it was moved before."""

import asyncio
from collections.abc import Callable
from functools import partial

from gatepost.carrier.deadline import Deadline


class Clock:
    """A loop whose time is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[[], None]) -> "Timer":
        self.timers.append(timer := Timer(when, call))
        return timer

    def call_later(self, seconds: float, call: Callable[..., None], *arguments: object) -> "Timer":
        return self.call_at(self.now + seconds, partial(call, *arguments))

    @property
    def armed(self) -> list[float]:
        return [timer.when for timer in self.timers if timer.call]

    def advance(self, to: float) -> None:
        self.now = to
        for timer in tuple(self.timers):
            if timer.when <= to and timer.call:
                call, timer.call = timer.call, None
                call()


class Timer:
    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when = when
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


def deadline(clock: Clock, passed: list[float]) -> Deadline:
    loop: asyncio.AbstractEventLoop = clock  # type: ignore[assignment]
    return Deadline(loop, lambda: passed.append(clock.now))


def test_moving_it_later_arms_no_timer_and_it_passes_at_the_last_of_them() -> None:
    clock, passed = Clock(), []
    found = deadline(clock, passed)
    for clock.now in (0.0, 1.0, 2.0):
        found.move(10.0)
    assert clock.armed == [10.0]
    clock.advance(10.0)
    assert passed == [] and clock.armed == [12.0]
    clock.advance(12.0)
    assert passed == [12.0] and clock.armed == []


def test_moving_it_earlier_is_obeyed() -> None:
    clock, passed = Clock(), []
    found = deadline(clock, passed)
    found.move(300.0)
    found.move(60.0)
    assert clock.armed == [60.0]
    clock.advance(60.0)
    assert passed == [60.0]


def test_after_cancel_nothing_passes_though_it_is_moved() -> None:
    clock, passed = Clock(), []
    found = deadline(clock, passed)
    found.move(1.0)
    found.cancel()
    found.move(1.0)
    clock.advance(100.0)
    assert passed == [] and clock.armed == []
