"""Whether content comes fast enough: a peer that drips keeps a place, and disk, for as long as it likes.

Two laws: after a minute of grace every minute brings the least rate; and a message as a whole, after ten minutes, has
come at four times that rate. A line of 64 kbit/s brings 8,000 octets a second. Time in which we did not read does not
count.
"""

from typing import Final

_WINDOW_S: Final = 60.0
_GRACE_S: Final = 600.0
_WHOLE: Final = 4


class ContentPace:
    """Of one message. Times are seconds of a clock that never goes back."""

    __slots__ = ("_began", "_least", "_octets", "_window_began", "_window_octets")

    def __init__(self, least: int, now: float) -> None:
        """`least`: octets a second; 0: no limit."""
        self._least = least
        self._began = self._window_began = now
        self._octets = self._window_octets = 0

    def took(self, octets: int) -> None:
        self._octets += octets
        self._window_octets += octets

    def not_reading(self, seconds: float) -> None:
        """So long we read nothing, for reasons of ours."""
        self._began += seconds
        self._window_began += seconds

    def is_too_slow(self, now: float) -> bool:
        """To be asked whenever the peer has sent something: silence has a time-out of its own."""
        window = now - self._window_began
        if not self._least or window < _WINDOW_S:
            return False
        slow = self._window_octets < self._least * window
        self._window_began, self._window_octets = now, 0
        return slow or self._octets < _WHOLE * self._least * (now - self._began - _GRACE_S)
