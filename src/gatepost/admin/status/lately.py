"""What a chart is drawn of: mail minute by minute or hour by hour, refusals by reason, how long things took.

Law: every step of the time is there, at 0 where nothing happened; a step that is not over is left out.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

Record = Mapping[str, Any]

_MINUTE: Final = 60
_HOUR: Final = 3600

_COUNTED: Final[Mapping[str, Callable[[Record], int]]] = {
    "accepted": lambda counted: counted["accepted"],
    "refused": lambda counted: sum(counted["refused"].values()),
    "delivered": lambda counted: counted["delivered"],
    "deferred": lambda counted: counted["deferred"],
    "failed": lambda counted: counted["failed"],
}
_NOTHING: Final[Record] = {"accepted": 0, "refused": {}, "delivered": 0, "deferred": 0, "failed": 0}
_STATES: Final = {"queued": "waiting", "delayed": "waiting", "removed": "bounced"}
"""Outcomes that a chart shows as another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Counts over time, the oldest first."""

    step_s: int
    at: Sequence[int]
    """When each step begins, in seconds since the epoch."""
    counts: Mapping[str, Sequence[int]]

    @property
    def is_empty(self) -> bool:
        return not any(map(any, self.counts.values()))


def by_minute(minutes: Mapping[str, Record], now: float, most: int = 60) -> Course:
    """Of what workers counted."""
    this = int(now // _MINUTE)
    shown = range(this - most, this)
    counted = [minutes.get(str(each), _NOTHING) for each in shown]
    return Course(
        step_s=_MINUTE,
        at=[each * _MINUTE for each in shown],
        counts={name: list(map(count, counted)) for name, count in _COUNTED.items()},
    )


def refused_by_reason(minutes: Mapping[str, Record]) -> list[tuple[str, int]]:
    """The commonest first."""
    found: Counter[str] = Counter()
    for each in minutes.values():
        found.update(each["refused"])
    return found.most_common()


def by_hour(items: Sequence[Record], now: float, most: int = 24) -> Course:
    """Of items of the trace, this hour too, since they are a tenant's few."""
    this = int(now // _HOUR)
    shown = range(this - most + 1, this + 1)
    counts = {name: [0] * most for name in ("delivered", "waiting", "bounced", "refused")}
    for item in items:
        place = int(datetime.fromisoformat(item["at"]).timestamp() // _HOUR) - shown[0]
        if 0 <= place < most:
            outcome = str(item["outcome"])
            counts[_STATES.get(outcome, outcome)][place] += 1
    return Course(step_s=_HOUR, at=[each * _HOUR for each in shown], counts=counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How many took at most so long; the last has no bound."""

    bounds: Sequence[float]
    counts: Sequence[int]

    @property
    def total(self) -> int:
        return sum(self.counts)

    def within(self, share: float) -> float | None:
        """The bound under which that share of them lies; None: above the last, or there are none."""
        wanted, seen = self.total * share, 0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            seen += count
            if seen and seen >= wanted:
                return bound
        return None
