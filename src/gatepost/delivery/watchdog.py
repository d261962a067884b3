"""Raises an alarm where mail is due and nobody sees to it: a fault of ours that would otherwise go unnoticed.

Mail that waits for a reason (its next hop is down, its destination has enough of it, there is no room) is seen to.
"""

from collections.abc import Iterable


class Watchdog:
    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._since: dict[str, float] = {}
        self._told: set[str] = set()
        self.alarms = 0
        """Since the start."""

    def look(self, unattended: Iterable[str], now: float) -> list[str]:
        """What has been unattended at each look for longer than patience lasts; each is told once."""
        self._since = {each: self._since.get(each, now) for each in unattended}
        self._told &= self._since.keys()
        stuck = [
            each for each, since in self._since.items() if now - since >= self._patience_s and each not in self._told
        ]
        self._told.update(stuck)
        self.alarms += len(stuck)
        return stuck
