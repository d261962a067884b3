"""How often somebody may ask, and who was known a while ago. Nothing here can be made to grow without bound."""

from collections import OrderedDict
from hashlib import sha256
from threading import Lock

_REMEMBERED = 10_000


class Rate:
    """So many requests a minute for each key, with a burst of a quarter of that. For several threads."""

    def __init__(self, per_minute: int) -> None:
        self._per_second = per_minute / 60
        self._burst = max(per_minute / 4, 1.0)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """How many were left, and when."""
        self._lock = Lock()

    def wait_s(self, key: str, now: float) -> float:
        """Zero: it may, and that is counted. Else how long to wait."""
        with self._lock:
            return self._wait_s(key, now)

    def _wait_s(self, key: str, now: float) -> float:
        left, at = self._left.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_second)
        wait = 0.0 if left >= 1 else (1 - left) / self._per_second
        self._left[key] = (left if wait else left - 1, now)
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        return wait


class Allotment:
    """So many octets a day for each key, and half of a day's at once. They are counted when they have been used: one
    request may overdraw, and the next waits until that is made up for. For several threads."""

    def __init__(self, per_day: int) -> None:
        self._per_second = per_day / 86400
        self._at_once = per_day / 2
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """How many were used and are not made up for, and when. Who used least lately is forgotten first."""
        self._lock = Lock()

    def wait_s(self, key: str, now: float) -> float:
        """Zero: some are left. Else how long to wait."""
        with self._lock:
            return max(0.0, (self._used_of(key, now) - self._at_once) / self._per_second)

    def use(self, key: str, octets: int, now: float) -> None:
        with self._lock:
            self._used[key] = (self._used_of(key, now) + octets, now)
            self._used.move_to_end(key)
            if len(self._used) > _REMEMBERED:
                self._used.popitem(last=False)

    def _used_of(self, key: str, now: float) -> float:
        used, at = self._used.get(key, (0.0, now))
        return max(0.0, used - (now - at) * self._per_second)


class Remembered:
    """Texts that were seen lately, by their hash: they are secrets."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._hashes: OrderedDict[bytes, None] = OrderedDict()

    def add(self, text: str) -> None:
        key = _hash(text)
        self._hashes[key] = None
        self._hashes.move_to_end(key)
        if len(self._hashes) > self._most:
            self._hashes.popitem(last=False)

    def __contains__(self, text: str) -> bool:
        return _hash(text) in self._hashes


def _hash(text: str) -> bytes:
    return sha256(text.encode()).digest()
