"""How long one session may wait for its peer.

Law: moving a deadline costs next to nothing. One timer is armed, for the earliest deadline there was or a minute from
then, and looks where the deadline is by now when it fires.
"""

import asyncio
from collections.abc import Callable
from typing import Final

_SLACK_S: Final = 0.01
_LOOK_AFTER_S: Final = 60.0
"""A deadline that is moved from minutes to fewer minutes, as in every session, needs no other timer."""


class Deadline:
    __slots__ = ("_armed_for", "_loop", "_passed", "_timer", "at")

    def __init__(self, loop: asyncio.AbstractEventLoop, passed: Callable[[], None]) -> None:
        """`passed` is called when nobody moved it in time; it may move it."""
        self._loop = loop
        self._passed: Callable[[], None] | None = passed
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = float("inf")
        self.at = float("inf")
        """By the clock of the loop."""

    def move(self, seconds: float) -> None:
        """To so long from now."""
        now = self._loop.time()
        self.at = now + seconds
        if self.at < self._armed_for:
            self._arm(now)

    def cancel(self) -> None:
        """For good."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # A late move arms nothing. Sessions are freed by reference count, and `passed` leads back to one.
        self._armed_for, self._passed = float("-inf"), None

    def _arm(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = min(self.at, now + _LOOK_AFTER_S)
        self._timer = self._loop.call_at(self._armed_for, self._fire)

    def _fire(self) -> None:
        self._timer, self._armed_for = None, float("inf")
        now = self._loop.time()
        if now < self.at - _SLACK_S:
            self._arm(now)
        elif self._passed is not None:
            self._passed()
