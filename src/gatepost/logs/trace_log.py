"""What a worker does with mail, on its way into the trace.

What flows through: accounts of sessions and what delivery settled, in the order in which they come; out go rows for a
trace store. Most mail is delivered within a minute of its acceptance: what was received is written as fresh, or waits
for a moment where delivery is fast, and what is written for good holds both.

Laws: neither a session nor a delivery waits for this; a trace that cannot be written costs traces, never mail; a
search finds everything within a second; what strangers or one tenant have written much of goes where it pushes out
nobody else's.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice, takewhile
from typing import Final, Generic, NamedTuple, TypeVar

from gatepost.logs.log_shares import Meter, network_of
from gatepost.logs.log_writer import BackgroundLog, LogWriter
from gatepost.trace.search import Share, TraceWriter
from gatepost.trace.story import ATTEMPTED, Event, LaterEvent, QueuePlace, Received

Session = TypeVar("Session")
Held = TypeVar("Held")

_MOST_WAITING: Final = 20_000
_HELD_BACK_S: Final = 0.4
"""A search finds mail a second after it was accepted, and accounts of long sessions come after half of that."""
_FRESH_S: Final = 60.0
_EARLY_S: Final = 2.0
"""Fast mail is delivered before its session is over, and recorded."""
_MOST_HELD_BACK: Final = 50_000
_ABOUT_OCTETS: Final = 300
_ALLOWANCE: Final = 256
"""An hour's allowance of one writer is this part of the octets: it takes days to fill a share with it."""
_LEAST_ALLOWANCE: Final = 1024 * 1024


class Settled(NamedTuple):
    """One recipient's event."""

    place: QueuePlace
    tenant: str | None
    event: Event
    is_first: bool
    """Its reception may not be written yet."""


class _Early(NamedTuple):
    settled: Settled
    since: float


class _Fresh(NamedTuple):
    received: Received
    share: Share


class TraceLog(BackgroundLog["Session | Settled | Received"], Generic[Session]):
    """One worker's. `describe` says what a session received; it runs on the log writer's thread."""

    def __init__(
        self,
        store: TraceWriter,
        describe: Callable[[Session], Iterable[Received]],
        writer: LogWriter,
        most_octets: int,
        workers: int = 1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(writer, "trace", _MOST_WAITING, clock)
        self._store = store
        self._describe = describe
        self._meter = Meter(max(most_octets // _ALLOWANCE, _LEAST_ALLOWANCE) // workers) if most_octets else None
        self._ends = False
        self._received: dict[QueuePlace, Received] = {}
        """Accepted a moment ago, and not written."""
        self._fresh: dict[QueuePlace, _Fresh] = {}
        """Written as fresh."""
        self._early: dict[QueuePlace, _Early] = {}
        """Settled, though nobody has told yet that it was accepted."""

    @property
    def waiting(self) -> int:
        return super().waiting + len(self._received) + len(self._fresh) + len(self._early)

    def finish(self) -> None:
        self._ends = True
        super().finish()

    def close_file(self) -> None:
        self._store.close()

    def _is_overdue(self, now: float) -> bool:
        return any(
            self._may_go(since, wait_s, now)
            for since, wait_s in (
                *((each.at, _HELD_BACK_S) for each in islice(self._received.values(), 1)),
                *((each.received.at, _FRESH_S) for each in islice(self._fresh.values(), 1)),
                *((each.since, _EARLY_S) for each in islice(self._early.values(), 1)),
            )
        )

    def _may_go(self, since: float, wait_s: float, now: float) -> bool:
        # A clock that went back is no reason to wait longer.
        return self._ends or not since <= now < since + wait_s

    def _write(self, entries: "Sequence[Session | Settled | Received]", now: float) -> None:
        batch = _Batch()
        for entry in entries:
            if isinstance(entry, Received):
                self._take(entry, batch, now)
            elif isinstance(entry, Settled):
                self._settle(entry, batch, now)
            else:
                for each in self._describe(entry):
                    self._take(each, batch, now)
        self._let_go(batch, now)
        problem: OSError | None = None
        for share in batch.shares:
            try:
                self._store.write(share, batch.received[share], batch.later[share], batch.fresh[share])
            except OSError as error:
                # What is the matter with one share need not be with the others.
                problem = problem or error
        if problem is not None:
            raise problem

    def _take(self, received: Received, batch: "_Batch", now: float) -> None:
        place = received.place
        if place is None:
            batch.received[self._share_of(received, now)].append(received)
        elif (early := self._early.pop(place, None)) is not None:
            batch.received[self._share_of(received, now)].append(received.followed_by(early.settled.event))
        else:
            self._received[place] = received

    def _settle(self, settled: Settled, batch: "_Batch", now: float) -> None:
        place, event = settled.place, settled.event
        if event.what not in ATTEMPTED:
            batch.later[self._share_of_tenant(settled.tenant, now)].append(_later(settled))
        elif (received := self._received.pop(place, None)) is not None:
            batch.received[self._share_of(received, now)].append(received.followed_by(event))
        elif (fresh := self._fresh.pop(place, None)) is not None:
            batch.received[fresh.share].append(fresh.received.followed_by(event))
        elif settled.is_first and place not in self._early:
            self._early[place] = _Early(settled, now)
        else:
            batch.later[self._share_of_tenant(settled.tenant, now)].append(_later(settled))

    def _let_go(self, batch: "_Batch", now: float) -> None:
        """What has waited long enough, the oldest first; of too much the oldest too."""
        for place in self._due(self._fresh, lambda fresh: fresh.received.at, _FRESH_S, now):
            fresh = self._fresh.pop(place)
            batch.received[fresh.share].append(fresh.received)
        for place in self._due(self._received, lambda received: received.at, _HELD_BACK_S, now):
            received = self._received.pop(place)
            share = self._share_of(received, now)
            if self._ends:
                batch.received[share].append(received)
            else:
                batch.fresh[share].append(received)
                self._fresh[place] = _Fresh(received, share)
        for place in self._due(self._early, lambda early: early.since, _EARLY_S, now):
            settled = self._early.pop(place).settled
            batch.later[self._share_of_tenant(settled.tenant, now)].append(_later(settled))

    def _due(
        self, held: Mapping[QueuePlace, Held], since: Callable[[Held], float], wait_s: float, now: float
    ) -> Sequence[QueuePlace]:
        too_many = max(0, len(held) - _MOST_HELD_BACK)
        waited = takewhile(lambda each: self._may_go(since(each[1]), wait_s, now), islice(held.items(), too_many, None))
        return [*islice(held, too_many), *(place for place, _ in waited)]

    def _share_of(self, received: Received, now: float) -> Share:
        if received.by_stranger and received.address and not self._allows(network_of(received.address), now):
            return "busy-strangers"
        if received.tenant is None:
            return "strangers" if received.by_stranger else "tenants"
        return self._share_of_tenant(received.tenant, now)

    def _share_of_tenant(self, tenant: str | None, now: float) -> Share:
        return "tenants" if tenant is None or self._allows(f"tenant {tenant}", now) else "busy-tenants"

    def _allows(self, who: str, now: float) -> bool:
        return self._meter is None or self._meter.allows(who, _ABOUT_OCTETS, now)


class _Batch:
    """What is written together, by share."""

    def __init__(self) -> None:
        self.received: defaultdict[Share, list[Received]] = defaultdict(list)
        self.later: defaultdict[Share, list[LaterEvent]] = defaultdict(list)
        self.fresh: defaultdict[Share, list[Received]] = defaultdict(list)

    @property
    def shares(self) -> Sequence[Share]:
        return list({**self.received, **self.later, **self.fresh})


def _later(settled: Settled) -> LaterEvent:
    return LaterEvent(settled.place, settled.tenant, settled.event)
