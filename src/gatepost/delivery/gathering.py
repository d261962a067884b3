"""What the sender of one message is told together, so that many recipients do not become as many notifications.

What flows through: attempts that call for a notification. The first of a message goes on at once; later ones are held,
each time four times as long, and come out together.

Laws: what is held is not settled, so that it is attempted again where this process dies; what is held is bounded, and
beyond that the oldest comes out before its time.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from gatepost.queue.message import Claim
from gatepost.queue.outcome import DeliveryOutcome

Key = tuple[str, str | None]
"""Message and tenant: what one tenant's recipients said is not for another's notification."""

LONGEST_S: Final = 600.0
_LONGER_EACH_TIME: Final = 4
_REMEMBERED: Final = 10_000


class Attempt(NamedTuple):
    claim: Claim
    outcomes: list[DeliveryOutcome]
    not_before: float


class Gathering:
    def __init__(self, first_s: float, most_held: int) -> None:
        self._first_s = first_s
        self._most_held = most_held
        self._notified: OrderedDict[Key, int] = OrderedDict()
        """How often the sender was notified of a message, or is about to be."""
        self._held: OrderedDict[Key, list[Attempt]] = OrderedDict()

    def delay_s(self, claim: Claim) -> float:
        """How long the next notification of the claim's message waits for others; 0: it goes now, and is counted."""
        key = _key(claim)
        before = self._notified.get(key, 0)
        if key not in self._held:
            self._notified[key] = before + 1
            self._notified.move_to_end(key)
            if len(self._notified) > _REMEMBERED:
                self._notified.popitem(last=False)
        if not before:
            return 0.0
        return min(self._first_s * float(_LONGER_EACH_TIME) ** min(before - 1, 10), LONGEST_S)

    def hold(self, attempt: Attempt) -> Key | None:
        """The key where a batch begins, to be taken once its delay is over; None: it joins one."""
        claim = attempt.claim
        if claim.content is not None:
            claim.content.release()
            attempt = attempt._replace(claim=replace(claim, content=None))
        key = _key(claim)
        batch = self._held.get(key)
        if batch is not None:
            batch.append(attempt)
            return None
        self._held[key] = [attempt]
        return key

    def too_many(self) -> Key | None:
        """The batch to take before its time."""
        return next(iter(self._held)) if len(self) > self._most_held else None

    def take(self, key: Key) -> Sequence[Attempt]:
        return self._held.pop(key, ())

    def batches(self) -> Sequence[Key]:
        return tuple(self._held)

    def claims(self) -> Sequence[Claim]:
        return [attempt.claim for batch in self._held.values() for attempt in batch]

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))


def _key(claim: Claim) -> Key:
    return claim.message.id, claim.tenant
