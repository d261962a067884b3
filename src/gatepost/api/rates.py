"""How often somebody may ask. Nothing here can be made to grow without bound."""

from collections import OrderedDict

_REMEMBERED = 10_000


class Rate:
    """So many requests a minute for each key, with a burst of a quarter of that."""

    def __init__(self, per_minute: int) -> None:
        self._per_second = per_minute / 60
        self._burst = max(per_minute / 4, 1.0)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """How many were left, and when."""

    def wait_s(self, key: str, now: float) -> float:
        """Zero: it may, and that is counted. Else how long to wait."""
        left, at = self._left.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_second)
        wait = 0.0 if left >= 1 else (1 - left) / self._per_second
        self._left[key] = (left if wait else left - 1, now)
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        return wait
