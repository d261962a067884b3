"""Which recipients this worker works on, and which come next.

Laws: a claim lives in memory, from the moment it is given to its settlement; the row's `active` is for people, and is
written a moment later. So a crash forgets claims and nothing else, and no recipient is claimed twice. Of the rows, only
what is committed counts.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from gatepost.queue.message import Claim, QueuedRecipient, RecipientState
from gatepost.queue.outcome import Settlement
from gatepost.store import queue_statements as sql
from gatepost.store.due_domains import DueDomains
from gatepost.store.queue_rows import Row, message_from_row, recipient_from_row

# A claim is looked for among so many rows of a domain at a time.
_ROWS_AT_ONCE: Final = 20

_BEFORE_ALL: Final = float("-inf")
_AFTER_ALL_IDS: Final = 2**63 - 1


class Claims:
    def __init__(self, queue: str, reader: sqlite3.Connection) -> None:
        self._queue = queue
        self._reader = reader
        self._due = DueDomains()
        self._due_is_stale = True
        # The recipients under work, each with how often operators had changed the file when it was last looked at.
        self._claimed: dict[int, int] = {}
        self._times_changed = 0
        self._not_marked_yet: Counter[str] = Counter()
        self._postponing: dict[str, float] = {}

    # -- What changes the picture

    def changed_by_others(self) -> None:
        """An operator's command changed the file: nothing that is remembered of it can be relied on."""
        self._times_changed += 1
        self._due_is_stale = True

    def read_again(self) -> None:
        """What was remembered of the file may be wrong."""
        self._due_is_stale = True

    def note_due(self, domain: str, due_at: float) -> None:
        self._due.note(domain, due_at)

    def remember(self, claims: Iterable[Claim]) -> None:
        for claim in claims:
            for recipient in claim.recipients:
                self._claimed[recipient.id] = self._times_changed

    def settled(self, settlement: Settlement) -> None:
        """What was rescheduled is due then; what was neither finished nor rescheduled is due as before."""
        claim = settlement.claim
        self._forget(claim)
        for again in settlement.rescheduled:
            self._due.note(claim.domain, again.due_at)
        if len(settlement.finished) + len(settlement.rescheduled) < len(claim.recipients):
            self._note_again(claim)

    def given_back(self, claim: Claim) -> None:
        """Nobody works on the claim any more."""
        self._forget(claim)
        self._note_again(claim)

    def _forget(self, claim: Claim) -> None:
        for recipient in claim.recipients:
            # What an operator changed under the claim may be due at another time than the settlement says.
            if self._claimed.pop(recipient.id, None) != self._times_changed:
                self._due_is_stale = True

    def _note_again(self, claim: Claim) -> None:
        for recipient in claim.recipients:
            self._due.note(claim.domain, recipient.due_at)

    def marked(self, claims: Iterable[Claim]) -> None:
        """The rows of what `claim_due` gave say `active` now."""
        for claim in claims:
            if _is_marked(claim):
                self._not_marked_yet[claim.domain] -= len(claim.recipients)

    def postponing(self, domain: str, now: float) -> int:
        """From now on nothing of `domain` that is due at `now` is claimed. Returns how many recipients that are."""
        due: int = self._reader.execute(sql.COUNT_DUE_IN_DOMAIN, (domain, now)).fetchone()[0]
        self._postponing[domain] = now
        return due - self._not_marked_yet[domain]

    def postponed(self, domain: str, now: float) -> None:
        """The rows say when they are due now; the next claim reads it."""
        if self._postponing.get(domain) == now:
            del self._postponing[domain]
        self._due.note(domain, now)

    # -- What comes next

    def next_due_at(self) -> float | None:
        self._read_if_stale()
        return self._due.earliest()

    def still_wanted(self, claim: Claim) -> bool:
        if self._claimed.get(claim.recipients[0].id) == self._times_changed:
            return True
        wanted = all(self._is_still_wanted(recipient) for recipient in claim.recipients)
        if wanted:
            self.remember((claim,))
        return wanted

    def claim_due(self, now: float, limit: int, avoid: frozenset[str]) -> Sequence[Claim]:
        """Merges the due rows of all domains, oldest first, looking only into the domains whose turn comes."""
        self._read_if_stale()
        claims: list[Claim] = []
        set_aside: list[tuple[float, str]] = []
        streams: dict[str, _DueRows] = {}
        while len(claims) < limit and (first := self._due.take(now)):
            bound, domain = first
            if domain in avoid:
                set_aside.append(first)
                continue
            if domain not in streams:
                streams[domain] = _DueRows(self._due_rows(domain, now))
            claim = self._claim_first(streams[domain], domain, bound, now)
            if claim:
                claims.append(claim)
        for bound, domain in set_aside:
            self._due.put(domain, bound)
        return claims

    def _claim_first(self, rows: "_DueRows", domain: str, bound: float, now: float) -> Claim | None:
        """Claim the first of a domain's due rows, unless it is due later than thought: then another domain may be
        first."""
        while rows.head and rows.head[1] in self._claimed:
            rows.advance()
        if rows.head is None:
            self._due.put(domain, self._first_due_after(domain, now))
            return None
        due_at, id = rows.head
        self._due.put(domain, due_at)
        if due_at > bound:
            return None
        claim = self._claim(id, now)
        self.remember((claim,))
        if _is_marked(claim):
            self._not_marked_yet[domain] += len(claim.recipients)
        return claim

    def _claim(self, chosen: int, now: float) -> Claim:
        number = sql.message_of(chosen)
        rows = self._reader.execute(
            sql.CLAIMABLE_TOGETHER, (chosen, sql.first_recipient(number), sql.last_recipient(number), now)
        )
        recipients = tuple(recipient_from_row(row) for row in rows.fetchall() if row[0] not in self._claimed)
        message = message_from_row(self._queue, self._reader.execute(sql.READ_MESSAGE, (number,)).fetchone())
        return Claim(message=message, domain=recipients[0].domain, tenant=recipients[0].tenant, recipients=recipients)

    def _due_rows(self, domain: str, now: float) -> Iterator[Row]:
        after: Row = (self._postponing.get(domain, _BEFORE_ALL), _AFTER_ALL_IDS)
        while rows := self._reader.execute(sql.NEXT_DUE_IN_DOMAIN, (domain, now, *after, _ROWS_AT_ONCE)).fetchall():
            yield from rows
            after = rows[-1]

    def _first_due_after(self, domain: str, now: float) -> float | None:
        due_at: float | None = self._reader.execute(sql.FIRST_DUE_AFTER, (domain, now)).fetchone()[0]
        return due_at

    def _is_still_wanted(self, recipient: QueuedRecipient) -> bool:
        row = self._reader.execute(sql.READ_STATE, (recipient.id,)).fetchone()
        if row is None:
            return False
        if recipient.state is RecipientState.BOUNCING:
            return bool(row[0] == RecipientState.BOUNCING)
        return row[0] in (RecipientState.ACTIVE, RecipientState.QUEUED)

    def _read_if_stale(self) -> None:
        if self._due_is_stale:
            self._due = DueDomains(self._reader.execute(sql.FIRST_DUE_OF_EACH_DOMAIN).fetchall())
            self._due_is_stale = False


class _DueRows:
    """A domain's due rows `(due_at, id)`, with a look at the next one."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self.head = next(rows, None)

    def advance(self) -> None:
        self.head = next(self._rows, None)


def _is_marked(claim: Claim) -> bool:
    # A row that says `bouncing` keeps saying so: after a crash it must still bounce.
    return claim.recipients[0].state is RecipientState.QUEUED
