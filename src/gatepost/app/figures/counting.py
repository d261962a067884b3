"""What one worker counts, while it counts.

What flows through: accounts of sessions, on the thread of the logs; outcomes of delivery, on the event loop; a snapshot
comes out once a second. Laws: nothing waits for counting; the two threads never change the same figure.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gatepost.app.figures import definitions as names
from gatepost.app.figures.next_hops import NextHopFaults
from gatepost.logs.log_writer import BackgroundLog, LogWriter
from gatepost.queue.outcome import Delivered, DeliveryOutcome
from gatepost.receiving.account import SessionAccount, TransactionAccount
from gatepost.receiving.transaction import RecipientDecision
from gatepost.signing.message import Signed

Record = dict[str, Any]

_MOST_WAITING: Final = 20_000
_MOST_OPEN: Final = 20_000
_MINUTES: Final = 61
_LONGEST_PROBLEM: Final = 500


@dataclass(slots=True)
class _Histogram:
    bounds: Sequence[float]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        at = next((number for number, bound in enumerate(self.bounds) if value <= bound), len(self.bounds))
        self.counts[at] += 1
        self.total += value


class Figures(BackgroundLog[SessionAccount]):
    """Of one worker, since it started."""

    def __init__(
        self, number: int, listeners: Iterable[str], writer: LogWriter, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(writer, "figures", _MOST_WAITING, clock)
        self._number = number
        self._started_at = clock()
        listeners = list(listeners)
        self._counters = {
            counter.name: dict.fromkeys(names.series_of(counter, listeners), 0) for counter in names.COUNTERS
        }
        self._histograms = {each.name: _Histogram(each.bounds) for each in names.HISTOGRAMS}
        self._minutes: dict[int, Record] = {}
        self.next_hops = NextHopFaults()
        self._open: dict[str, str] = {}
        """What became of the mail of sessions that go on."""
        self._errors: dict[str, Record] = {}
        """The last of each kind."""

    # --- sessions, on the thread of the logs ------------------------------------------------------------------------

    def _write(self, entries: Sequence[SessionAccount], now: float) -> None:
        minute = self._minute(now)
        for session in entries:
            outcome = self._open.pop(session.session_id, names.NONE)
            for transaction in session.transactions:
                outcome = self._count_transaction(transaction, minute, outcome)
            if session.why:
                tls = _tls(session.peer.tls.protocol if session.peer.tls else None)
                self._add(names.SESSIONS, (session.listener, outcome, tls))
            elif len(self._open) < _MOST_OPEN:
                self._open[session.session_id] = outcome

    def _count_transaction(self, transaction: TransactionAccount, minute: Record, outcome: str) -> str:
        refused = [self._count_recipient(each, minute) for each in transaction.decisions[transaction.first :]]
        if transaction.queue_id is not None:
            self._add(names.ACCEPTED, ())
            taken = sum(each.reply.kind < 4 for each in transaction.decisions)
            self._add(names.RECIPIENTS, (), taken)
            minute["accepted"] += 1
            if transaction.signing is not None:
                self._add(names.SIGNED, ("signed" if isinstance(transaction.signing, Signed) else "unsigned",))
            outcome = "accepted"
        elif any(refused) or (transaction.reply is not None and transaction.reply.kind >= 4):
            outcome = "refused" if outcome == names.NONE else outcome
        if transaction.took_s:
            self._histograms[names.ACCEPT_SECONDS].observe(transaction.took_s)
        return outcome

    def _count_recipient(self, decision: RecipientDecision, minute: Record) -> bool:
        found, is_refused = decision.attribution, decision.reply.kind >= 4
        if is_refused or found is None or found.refusal:
            reason = found.refusal.reason if found and found.refusal else names.OTHER
            if is_refused or found is not None:
                self._add(names.ATTRIBUTION, (names.NONE, "refused", reason))
                minute["refused"][reason] = minute["refused"].get(reason, 0) + 1
            return is_refused
        self._add(names.ATTRIBUTION, (found.basis or names.NONE, found.outcome.value, names.NONE))
        return False

    def close_file(self) -> None:
        """There is none: who asks for the snapshot keeps it."""

    # --- delivery, on the event loop --------------------------------------------------------------------------------

    def attempted(self, what: str, outcome: DeliveryOutcome) -> None:
        """`what`: one of `ATTEMPTS`."""
        self._add(names.DELIVERY_ATTEMPTS, (what, _tls(outcome.tls)))
        self._minute(self._clock())[what] += 1
        if isinstance(outcome, Delivered) and outcome.took_s is not None:
            self._histograms[names.DELIVERY_SECONDS].observe(outcome.took_s)

    def committed(self, changes: int, seconds: float) -> None:
        """A group of changes of a queue is on stable storage."""
        self._histograms[names.GROUP_SIZE].observe(changes)
        self._histograms[names.COMMIT_SECONDS].observe(seconds)

    # --- what is asked ----------------------------------------------------------------------------------------------

    def heed(self, at: float, event: str, problem: str, do: str) -> None:
        """An event of the operator's log that a person should know."""
        said = {"at": at, "event": event, "problem": problem[:_LONGEST_PROBLEM], "do": do[:_LONGEST_PROBLEM]}
        self._errors = {**self._errors, event: said}

    def snapshot(self, pid: int, why_not: str | None) -> Record:
        """`why_not`: the reason for which new mail is not taken now."""
        now = self._clock()
        return {
            "number": self._number,
            "pid": pid,
            "started_at": self._started_at,
            "at": now,
            "why_not": why_not,
            "counters": {
                name: [[*labels, value] for labels, value in dict(series).items()]
                for name, series in self._counters.items()
            },
            "histograms": {
                name: {"counts": list(each.counts), "sum": each.total} for name, each in self._histograms.items()
            },
            "minutes": {
                str(minute): {**counted, "refused": dict(counted["refused"])}
                for minute, counted in dict(self._minutes).items()
            },
            "errors": list(self._errors.values()),
            "next_hops": self.next_hops.faults(now),
        }

    def _minute(self, now: float) -> Record:
        minute = int(now // 60)
        found = self._minutes.get(minute)
        if found is None:
            for old in [each for each in dict(self._minutes) if each <= minute - _MINUTES]:
                self._minutes.pop(old, None)
            found = self._minutes.setdefault(
                minute, {"accepted": 0, "refused": {}, "delivered": 0, "deferred": 0, "failed": 0}
            )
        return found

    def _add(self, name: str, labels: tuple[str, ...], count: int = 1) -> None:
        series = self._counters[name]
        series[labels] = series.get(labels, 0) + count


def _tls(protocol: str | None) -> str:
    return names.NONE if protocol is None else protocol if protocol in names.TLS else names.OTHER
