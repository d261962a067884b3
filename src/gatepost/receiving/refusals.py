"""What a session was refused: each reason is told a few times, and then counted.

Laws: the first refusals of every reason, and the first recipient of every transaction, are told in full; the number of
the others is never lost.
"""

from typing import Final

_TOLD: Final = 20


class Refusals:
    """Of one session."""

    __slots__ = ("_by_reason", "last_was_told", "may_repeat", "total", "untold")

    def __init__(self) -> None:
        self._by_reason: dict[str, int] = {}
        self.total = 0
        self.may_repeat = False
        """The next may be one that is only counted."""
        self.last_was_told = True
        self.untold: dict[str, int] = {}
        """By reason, how many were counted only."""

    def add(self, reason: str, *, telling: bool = False) -> bool:
        """One more for `reason`, by a word that stands for it. Whether it is told; `telling`: in any case."""
        self.total += 1
        self.may_repeat = self.total >= _TOLD
        count = self._by_reason[reason] = self._by_reason.get(reason, 0) + 1
        self.last_was_told = telling or count <= _TOLD
        if not self.last_was_told:
            self.untold[reason] = self.untold.get(reason, 0) + 1
        return self.last_was_told
