"""Whose turn it is: sessions with more to do than one turn wait here, and take turns.

What flows through: a session that has commands left puts its next turn into the line; each pass of the event loop works
off a short slice of the line, the oldest first, and then serves everybody else. Law: however much some sessions have to
do, all others wait for no more than one slice in each pass.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

_SLICE_S: Final = 0.001
"""About what one recipient costs: more would be felt by those who wait, less would be all overhead."""


class Turns:
    """The line of one worker."""

    def __init__(self, elapsed: Callable[[], float] = time.perf_counter) -> None:
        self._elapsed = elapsed
        self._line: deque[Callable[[], None]] = deque()
        self._serving = False

    def take(self, turn: Callable[[], None]) -> None:
        """`turn` is called in one of the next passes."""
        self._line.append(turn)
        if not self._serving:
            self._serving = True
            asyncio.get_running_loop().call_soon(self._serve)

    def _serve(self) -> None:
        until = self._elapsed() + _SLICE_S
        try:
            while self._line and self._elapsed() < until:
                self._line.popleft()()
        finally:
            # A bug in one session's turn must not cost the others theirs.
            self._serving = bool(self._line)
            if self._line:
                asyncio.get_running_loop().call_soon(self._serve)
