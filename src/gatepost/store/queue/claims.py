"""Which recipients this worker works on, and which come next.

Laws: a claim lives in memory, from the moment it is given to its settlement; the row's `active` is for people, and is
written a moment later. So a crash forgets claims and nothing else, and no recipient is claimed twice. Of the rows, only
what is committed counts. What an order is about to change is not claimed before it is changed.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from gatepost.queue.message import Claim, QueuedRecipient, RecipientState
from gatepost.queue.outcome import Settlement
from gatepost.queue.store import Avoid, QueueKey
from gatepost.store.queue import orders
from gatepost.store.queue import statements as sql
from gatepost.store.queue.due_index import DueIndex
from gatepost.store.queue.rows import Row, message_from_row, recipient_from_row

# A claim is looked for among so many rows of a domain at a time.
_ROWS_AT_ONCE: Final = 20

# Keys of which only what orders are about to change is due: a turn and a round look into so many, then others come.
_FRUITLESS_IN_TURN: Final = 2
_FRUITLESS_IN_ROUND: Final = 50

_BEFORE_ALL: Final = (float("-inf"), -1)


class Claims:
    def __init__(self, queue: str, reader: sqlite3.Connection) -> None:
        self._queue = queue
        self._reader = reader
        self._due = DueIndex()
        self._due_is_stale = True
        # The recipients under work, each with how often operators had changed the file when it was last looked at.
        self._claimed: dict[int, int] = {}
        self._times_changed = 0
        self._orders = orders.pending(reader, queue)
        # Up to where an order is about to change all that is due of a key.
        self._passed: dict[QueueKey, Row] = {}

    # -- What changes the picture

    def changed_by_others(self) -> None:
        """An operator's command changed the file: nothing that is remembered of it can be relied on."""
        self._times_changed += 1
        self._due_is_stale = True
        self._orders = orders.pending(self._reader, self._queue)

    def read_again(self) -> None:
        """What was remembered of the file may be wrong."""
        self._due_is_stale = True

    @property
    def claimed(self) -> Collection[int]:
        """The recipients under work."""
        return self._claimed.keys()

    @property
    def orders_wait(self) -> bool:
        """Some order is to be carried out now."""
        return self._orders.are_urgent

    def carried_out(self, done: orders.CarriedOut) -> None:
        """Orders were, on some recipients; perhaps not on all yet."""
        self._orders = orders.pending(self._reader, self._queue)
        for tenant, domain, due_at in done.due:
            self.note_due((tenant, domain), due_at)

    def note_due(self, key: QueueKey, due_at: float) -> None:
        if due_at <= self._passed.get(key, _BEFORE_ALL)[0]:
            del self._passed[key]
        self._due.note(key, due_at)

    def remember(self, claims: Iterable[Claim]) -> None:
        for claim in claims:
            for recipient in claim.recipients:
                self._claimed[recipient.id] = self._times_changed

    def settled(self, settlement: Settlement) -> None:
        """What was rescheduled is due then; what was neither finished nor rescheduled is due as before."""
        claim = settlement.claim
        self._forget(claim)
        for again in settlement.rescheduled:
            self.note_due(_key_of(claim), again.due_at)
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
            self.note_due(_key_of(claim), recipient.due_at)

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

    def claim_due(self, now: float, limit: int, avoid: Avoid) -> Sequence[Claim]:
        """Looks only at the keys whose turn comes."""
        self._read_if_stale()
        self._due.begin(now)
        round = _Round(now, avoid)
        claims: list[Claim] = []
        while len(claims) < limit and self._due.anybody and len(round.fruitless) < _FRUITLESS_IN_ROUND:
            looks = len(round.fruitless)
            claim = self._next_of_tenant(round)
            if claim:
                claims.append(claim)
            if claim or len(round.fruitless) - looks >= _FRUITLESS_IN_TURN:
                self._due.let_others()
            else:
                self._due.rest()
        for bound, key in (*round.set_aside, *round.fruitless):
            self._due.note(key, bound)
        return claims

    def _next_of_tenant(self, round: "_Round") -> Claim | None:
        if self._due.tenant in round.avoid.tenants:
            return None
        looks = len(round.fruitless)
        while len(round.fruitless) - looks < _FRUITLESS_IN_TURN and (first := self._due.take(round.now)):
            bound, key = first
            if key in round.avoid.keys:
                round.set_aside.append(first)
            elif claim := self._first_of_key(round, key, bound):
                return claim
        return None

    def _first_of_key(self, round: "_Round", key: QueueKey, bound: float) -> Claim | None:
        """Claim the first of a key's due rows, unless it is due later than thought: then another key may be first."""
        if key not in round.rows:
            round.rows[key] = _DueRows(self._due_rows(key, round.now))
        rows = round.rows[key]
        if not self._find_claimable(rows, key):
            round.fruitless.append((bound, key))
            return None
        if rows.head is None:
            later = self._first_due_after(key, round.now)
            if later is not None:
                self._due.note(key, later)
            return None
        due_at, id = rows.head[:2]
        self._due.note(key, due_at)
        return self._claim(id, round.now) if due_at <= bound else None

    def _find_claimable(self, rows: "_DueRows", key: QueueKey) -> bool:
        """Go to the next row that can be claimed, or to the end. False: a page was left to orders, the next is for
        another time."""
        left_to_orders = 0
        while rows.head and left_to_orders < _ROWS_AT_ONCE:
            if self._is_frozen(rows.head):
                self._passed[key] = rows.head
                left_to_orders += 1
            elif not self._is_claimed(rows.head):
                break
            rows.advance()
        return left_to_orders < _ROWS_AT_ONCE

    def claim_late(
        self, key: QueueKey, now: float, received_until: float, told_until: float, limit: int
    ) -> list[Claim]:
        late = self._reader.execute(
            sql.LATE_OF_KEY.format(reached=self._orders.reached),
            {
                **self._orders.parameters,
                "tenant": key[0],
                "domain": key[1],
                "now": now,
                "given_up_before": received_until,
                "told_before": told_until,
                "most": limit + len(self._claimed),
            },
        )
        claims: list[Claim] = []
        for row in late.fetchall():
            if len(claims) < limit and not self._is_claimed(row) and not self._is_frozen(row):
                claims.append(self._claim(row[1], now))
        return claims

    def _claim(self, chosen: int, now: float) -> Claim:
        number = sql.message_of(chosen)
        rows = self._reader.execute(
            sql.CLAIMABLE_TOGETHER.format(reached=self._orders.reached),
            {
                **self._orders.parameters,
                "chosen": chosen,
                "first": sql.first_recipient(number),
                "last": sql.last_recipient(number),
                "now": now,
            },
        ).fetchall()
        recipients = [
            recipient_from_row(row)
            for row in rows
            if row[0] not in self._claimed and not self._orders.standing(row[1], row[-1]).touched
        ]
        message = message_from_row(self._queue, self._reader.execute(sql.READ_MESSAGE, (number,)).fetchone())
        first = recipients[0]
        claim = Claim(message=message, domain=first.domain, tenant=first.tenant, recipients=tuple(recipients))
        self.remember((claim,))
        return claim

    def _is_claimed(self, row: Row) -> bool:
        return row[1] in self._claimed

    def _is_frozen(self, row: Row) -> bool:
        """Whether an order is about to change it: it is left to that."""
        return self._orders.standing(row[2], row[3]).touched

    def _due_rows(self, key: QueueKey, now: float) -> Iterator[Row]:
        statement = sql.NEXT_DUE_OF_KEY.format(reached=self._orders.reached)
        wanted = {**self._orders.parameters, "tenant": key[0], "domain": key[1], "now": now, "most": _ROWS_AT_ONCE}
        after: Row = self._passed.get(key, _BEFORE_ALL)
        while rows := self._reader.execute(
            statement, {**wanted, "after_due_at": after[0], "after_id": after[1]}
        ).fetchall():
            yield from rows
            after = rows[-1]

    def _first_due_after(self, key: QueueKey, now: float) -> float | None:
        due_at: float | None = self._reader.execute(sql.FIRST_DUE_AFTER, (key[1], key[0], now)).fetchone()[0]
        return due_at

    def _is_still_wanted(self, recipient: QueuedRecipient) -> bool:
        row = self._reader.execute(
            sql.READ_STATE.format(reached=self._orders.reached), {**self._orders.parameters, "id": recipient.id}
        ).fetchone()
        if row is None or self._orders.standing(*row).touched:
            return False
        if recipient.state is RecipientState.BOUNCING:
            return bool(row[0] == RecipientState.BOUNCING)
        return row[0] in (RecipientState.ACTIVE, RecipientState.QUEUED)

    def _read_if_stale(self) -> None:
        if self._due_is_stale:
            self._due = DueIndex(self._reader.execute(sql.FIRST_DUE_OF_EACH_KEY))
            self._due_is_stale = False
            if not self._orders:
                self._passed.clear()


class _DueRows:
    """A key's due rows `(due_at, id, state, reached)`, with a look at the next one."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self.head = next(rows, None)

    def advance(self) -> None:
        self.head = next(self._rows, None)


@dataclass(frozen=True, slots=True)
class _Round:
    """One round of claiming: how far it has read each key, and which keys it leaves for the next."""

    now: float
    avoid: Avoid
    rows: dict[QueueKey, _DueRows] = field(default_factory=dict)
    set_aside: list[tuple[float, QueueKey]] = field(default_factory=list)
    fruitless: list[tuple[float, QueueKey]] = field(default_factory=list)
    """Where a page of rows was left to orders."""


def _key_of(claim: Claim) -> QueueKey:
    return claim.tenant, claim.domain
