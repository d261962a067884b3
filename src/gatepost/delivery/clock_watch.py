"""Notices when somebody moves the clock.

Times that are stored are wall time, since only that survives a restart; what they mean has to be judged anew when the
clock leaps.

Laws: a message's age counts no leap forward, so nothing is given up before it has waited its time; and nothing waits
longer than the longest pause, however far the clock went back (`Scheduler` sees to that).
"""

from collections.abc import Callable
from typing import Final, NamedTuple

# Less is the daily work of a time service, and of a machine that is busy between two readings.
SMALLEST_LEAP_S: Final = 2.0


class _Leap(NamedTuple):
    landed_at: float
    by_s: float


class ClockWatch:
    def __init__(self, wall: Callable[[], float], elapsed: Callable[[], float]) -> None:
        """`elapsed` is a clock nobody can set."""
        self._wall = wall
        self._elapsed = elapsed
        self._ahead_by = wall() - elapsed()
        self._leaps_forward: list[_Leap] = []

    def look(self) -> float:
        """How far the clock has leapt since the last look, backward as less than 0; mostly 0."""
        now = self._wall()
        leap = now - self._elapsed() - self._ahead_by
        if abs(leap) < SMALLEST_LEAP_S:
            return 0.0
        self._ahead_by += leap
        if leap > 0:
            self._leaps_forward.append(_Leap(now, leap))
        return leap

    def leapt_since(self, at: float) -> float:
        """Seconds between `at` and now that never were."""
        return sum([leap.by_s for leap in self._leaps_forward if at < leap.landed_at])
