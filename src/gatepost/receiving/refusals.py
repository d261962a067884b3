"""What a session was refused: each reason is told a few times, and then counted.

Laws: the first refusals of every reason, and the first recipient of every transaction, are told in full; the number of
the others is never lost.
"""

from collections import Counter
from typing import Final

_TOLD: Final = 5


class Refusals:
    """Of one session."""

    __slots__ = ("_by_reason", "total", "untold")

    def __init__(self) -> None:
        self._by_reason: Counter[str] = Counter()
        self.total = 0
        self.untold: Counter[str] = Counter()
        """By reason, how many were counted only."""

    def add(self, reason: str, *, telling: bool = False) -> bool:
        """One more for `reason`, by a word that stands for it. Whether it is told; `telling`: in any case."""
        self.total += 1
        self._by_reason[reason] += 1
        if telling or self._by_reason[reason] <= _TOLD:
            return True
        self.untold[reason] += 1
        return False

    @property
    def may_repeat(self) -> bool:
        """Whether the next may be one that is only counted."""
        return self.total >= _TOLD
