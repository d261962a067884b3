"""The operator's view of every queue file of a data folder, whether its worker runs or not.

Laws: reading never makes a worker wait, and shows every order as if it were carried out. Few recipients are changed at
once, in one transaction of some milliseconds; for more, an order is written down, which the worker carries out
(`store.queue.orders`). Either way it is on stable storage, with who gave it, when the operator is told.
"""

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from gatepost.queue.message import Content, MemoryContent, QueuedMessage, QueuedRecipient, RecipientState
from gatepost.queue.orders import APPLIES_TO, Action, Order, Ordered
from gatepost.queue.store import QueueCount, QueueFilter, StoreDamaged, StoreUnavailable
from gatepost.store.queue import orders, sender
from gatepost.store.queue import statements as sql
from gatepost.store.queue.file import open_to_change, open_to_read, reporting
from gatepost.store.queue.orders import Pending
from gatepost.store.queue.rows import Row, message_from_row, recipient_from_row
from gatepost.store.queue.spool import FileContent

# A worker's mail waits while so many are changed: some 10 ms.
_CHANGED_AT_ONCE: Final = 500

# The worker's transactions are short, but under load one follows the other.
_PATIENCE_S: Final = 30.0

# 14 digits: times 65536 that still is a row id.
_MESSAGE_ID: Final = re.compile(r"([0-9]+)-([0-9]{1,14})\Z")

_FILES_AT_ONCE: Final = 4

_Parameters = dict[str, Any]
_Counted = tuple[str | None, str, RecipientState, int, float]
_Result = TypeVar("_Result")


class SqliteQueueAdmin:
    """`QueueAdmin` over `<folder>/*.sqlite`."""

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float] = time.time,
        *,
        operator: str = "",
        changed_at_once: int = _CHANGED_AT_ONCE,
        tell: Callable[[Sequence[Ordered]], None] = lambda ordered: None,
    ) -> None:
        """`operator`: who gives the orders. More than `changed_at_once` recipients are left to the worker; `tell` hears
        what was done here."""
        self._folder = folder
        self._clock = clock
        self._damages: dict[Path, str | None] = {}
        """What is wrong with each file that was looked at."""
        self._operator = operator
        self._changed_at_once = changed_at_once
        self._tell = tell

    # -- Looking

    def unreadable(self) -> Sequence[str]:
        return [damage for file in self._all_files() if (damage := self._damage(file)) is not None]

    def counts(self, wanted: QueueFilter) -> Sequence[QueueCount]:
        found: dict[tuple[str | None, str, RecipientState], tuple[int, float]] = {}
        for counted in self._in_each(wanted, lambda file: self._counted_in(file, wanted)):
            for tenant, domain, state, number, oldest in counted:
                before = found.get((tenant, domain, state), (0, oldest))
                found[tenant, domain, state] = (before[0] + number, min(before[1], oldest))
        return [
            QueueCount(tenant=tenant, domain=domain, state=state, recipients=number, oldest_received_at=oldest)
            for (tenant, domain, state), (number, oldest) in sorted(found.items(), key=_by_tenant)
        ]

    def _in_each(self, wanted: QueueFilter, work: Callable[[Path], _Result]) -> list[_Result]:
        """Done for each file at the same time: SQLite leaves the interpreter to others while it reads."""
        with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
            return list(pool.map(work, self._files(wanted)))

    def _counted_in(self, file: Path, wanted: QueueFilter) -> list[_Counted]:
        with self._reading(file) as (connection, pending):
            return list(self._counted(connection, pending, wanted))

    def _counted(self, connection: sqlite3.Connection, pending: Pending, wanted: QueueFilter) -> Iterator[_Counted]:
        chosen, parameters = self._chosen(wanted)
        counts = sql.COUNTS.format(chosen=chosen, reached=pending.reached)
        for tenant, domain, stored, reached, number, oldest in connection.execute(
            counts, {**parameters, **pending.parameters}
        ):
            state = pending.standing(stored, reached).state
            if state is not None and wanted.state in (None, state):
                yield tenant, domain, state, number, oldest

    def listed(self, wanted: QueueFilter, limit: int) -> Sequence[tuple[QueuedMessage, QueuedRecipient]]:
        """The oldest first."""
        queues = self._in_each(wanted, lambda file: self._listed(file, wanted, limit))
        return list(islice(merge(*queues, key=lambda entry: entry[0].received_at), limit))

    def _listed(self, file: Path, wanted: QueueFilter, limit: int) -> list[tuple[QueuedMessage, QueuedRecipient]]:
        with self._reading(file) as (connection, pending):
            chosen, parameters = self._chosen(wanted)
            states = [wanted.state] if wanted.state else list(RecipientState)
            parameters |= {**pending.parameters, "limit": limit, "states": json.dumps(states)}
            statement = sql.LISTED_AS_ORDERED if pending else sql.LISTED
            if pending:
                connection.create_function("standing", 2, lambda *what: pending.standing(*what).state)
            elif wanted.state:
                chosen += " AND r.state IN (SELECT value FROM json_each(:states))"
            rows = connection.execute(statement.format(chosen=chosen, reached=pending.reached), parameters)
            recipient = sql.MESSAGE_COLUMN_COUNT
            return [(message_from_row(file.stem, row), _as_ordered(row[recipient:], pending)) for row in rows]

    def message(self, message_id: str) -> tuple[QueuedMessage, Sequence[QueuedRecipient]] | None:
        for file in self._files(QueueFilter(message_id=message_id)):
            number = _number(message_id)
            with self._reading(file) as (connection, pending):
                row = connection.execute(sql.READ_MESSAGE, (number,)).fetchone()
                if row is None:
                    continue
                rows = connection.execute(
                    sql.RECIPIENTS_IN_RANGE.format(reached=pending.reached),
                    {**pending.parameters, "first": sql.first_recipient(number), "last": sql.last_recipient(number)},
                )
                recipients = [_as_ordered(each, pending) for each in rows if not _is_removed(each, pending)]
                if recipients:
                    return message_from_row(file.stem, row), recipients
        return None

    def orders(self, limit: int) -> Sequence[tuple[str, Order]]:
        """The newest first, each with its queue."""
        found: list[tuple[str, Order]] = []
        for file in self._files(QueueFilter()):
            with self._reading(file) as (connection, _):
                found += [(file.stem, order) for order in orders.given(connection, file.stem, limit)]
        return sorted(found, key=lambda each: -each[1].given_at)[:limit]

    @contextmanager
    def _reading(self, file: Path) -> Iterator[tuple[sqlite3.Connection, Pending]]:
        """What is committed at this moment, and the orders that belong to it."""
        with reporting(file), closing(open_to_read(file)) as connection:
            connection.execute("BEGIN")
            yield connection, orders.pending(connection, file.stem)

    def content(self, message_id: str) -> Content | None:
        for file in self._files(QueueFilter(message_id=message_id)):
            number = _number(message_id)
            with reporting(file), closing(open_to_read(file)) as connection:
                row = connection.execute(sql.READ_SIZE_AND_CONTENT, (number,)).fetchone()
                if row:
                    size, content = row[0], row[1] or b""
                    spooled = len(content) < size
                    return FileContent(_spool_file(file, number), size, content) if spooled else MemoryContent(content)
        return None

    # -- Changing

    def hold(self, wanted: QueueFilter) -> int:
        return self._order(wanted, Action.HOLD, self._clock())

    def release(self, wanted: QueueFilter, now: float) -> int:
        return self._order(wanted, Action.RELEASE, now)

    def retry(self, wanted: QueueFilter, now: float) -> int:
        """What is under way already, held or to bounce is left alone."""
        return self._order(wanted, Action.RETRY, now)

    def bounce(self, wanted: QueueFilter, now: float) -> int:
        return self._order(wanted, Action.BOUNCE, now)

    def remove(self, wanted: QueueFilter) -> int:
        return self._order(wanted, Action.REMOVE, self._clock())

    def _order(self, wanted: QueueFilter, action: Action, now: float) -> int:
        return sum(self._in_each(wanted, lambda file: self._order_in(file, wanted, action, now)))

    def _order_in(self, file: Path, wanted: QueueFilter, action: Action, now: float) -> int:
        with self._reading(file) as (connection, pending):
            number = sum(
                number
                for *_, state, number, _ in self._counted(connection, pending, wanted)
                if state in APPLIES_TO[action]
            )
            few = None
            if number <= self._changed_at_once and not pending:
                few = self._chosen_ids(connection, wanted, action)
        return self._given(file, wanted, action, now, number, few) if number else 0

    def _given(
        self, file: Path, wanted: QueueFilter, action: Action, now: float, number: int, few: list[int] | None
    ) -> int:
        """Write the order down; where it reaches a `few` only, and no other comes first, carry it out too."""
        done = orders.NOTHING
        with reporting(file), closing(open_to_change(file, _PATIENCE_S)) as connection, _transaction(connection):
            before = orders.pending(connection, file.stem)
            if not orders.has_room(before, wanted.tenant, self._operator):
                raise StoreUnavailable(
                    f"{file}: {len(before.orders)} orders wait to be carried out, which gatepost serve does: "
                    "see gatepost queue orders, and come back"
                )
            order = self._order_row(connection, wanted, action, now, number)
            orders.write_down(connection, order)
            if few is not None and not before:
                done = orders.carry_out_on(connection, orders.pending(connection, file.stem), few)
                number = done.changed
        if done.ordered:
            self._tell(done.ordered)
        for message in done.spooled:
            _spool_file(file, message).unlink(missing_ok=True)
        return number

    def _order_row(
        self, connection: sqlite3.Connection, wanted: QueueFilter, action: Action, now: float, number: int
    ) -> Order:
        first, last = 0, connection.execute(sql.LAST_RECIPIENT).fetchone()[0]
        if wanted.message_id is not None:
            message = _number(wanted.message_id)
            first, last = sql.first_recipient(message), sql.last_recipient(message)
        elif wanted.received_since is not None:
            # Ids grow as messages come in, so that the first one that is chosen bounds the order like a time would.
            condition, parameters = self._chosen(wanted)
            first = connection.execute(sql.FIRST_CHOSEN.format(chosen=condition), parameters).fetchone()[0] or last + 1
        return Order(
            number=0,
            action=action,
            given_at=now,
            given_by=self._operator,
            message_id=wanted.message_id,
            tenant=wanted.tenant,
            domain=wanted.domain,
            state=wanted.state,
            received_until=self._received_until(wanted),
            sender=wanted.sender,
            recipients=number,
            next_id=first,
            last_id=last,
        )

    def _chosen_ids(self, connection: sqlite3.Connection, wanted: QueueFilter, action: Action) -> list[int]:
        condition, parameters = self._chosen(wanted)
        states = [state for state in APPLIES_TO[action] if wanted.state in (None, state)]
        condition += " AND r.state IN (SELECT value FROM json_each(:states))"
        rows = connection.execute(
            sql.CHOSEN_IDS.format(chosen=condition),
            {**parameters, "states": json.dumps(states), "limit": self._changed_at_once},
        )
        return [row[0] for row in rows]

    # -- Choosing

    def _files(self, wanted: QueueFilter) -> list[Path]:
        """The queue files that can hold something that is wanted."""
        if wanted.message_id is None:
            return [file for file in self._all_files() if self._damage(file) is None]
        match = _MESSAGE_ID.match(wanted.message_id)
        file = self._folder / f"{match[1]}.sqlite" if match else None
        return [file] if file and file.exists() else []

    def _all_files(self) -> list[Path]:
        return sorted(self._folder.glob("*.sqlite"))

    def _damage(self, file: Path) -> str | None:
        if file not in self._damages:
            try:
                open_to_read(file).close()
            except StoreDamaged as error:
                self._damages[file] = str(error)
            else:
                self._damages[file] = None
        return self._damages[file]

    def _chosen(self, wanted: QueueFilter) -> tuple[str, _Parameters]:
        """The condition on `recipient r` that says `wanted`, and its parameters; all but the state, which orders may
        have changed."""
        conditions: list[str] = ["true"]
        parameters: _Parameters = {}
        if wanted.message_id is not None:
            number = _number(wanted.message_id)
            parameters |= {"first": sql.first_recipient(number), "last": sql.last_recipient(number)}
            conditions.append("r.id BETWEEN :first AND :last")
        for column in ("tenant", "domain"):
            value = getattr(wanted, column)
            if value is not None:
                parameters[column] = value
                conditions.append(f"r.{column} = :{column}")
        if wanted.older_than_s is not None:
            parameters["received_until"] = self._received_until(wanted)
            conditions.append("r.received_at <= :received_until")
        if wanted.received_since is not None:
            parameters["received_since"] = wanted.received_since
            conditions.append("r.received_at >= :received_since")
        if wanted.sender is not None:
            by_sender, more = sender.condition(wanted.sender, "sender")
            parameters |= more
            conditions.append(by_sender)
        return " AND ".join(conditions), parameters

    def _received_until(self, wanted: QueueFilter) -> float | None:
        return None if wanted.older_than_s is None else self._clock() - wanted.older_than_s


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _as_ordered(row: Row, pending: Pending) -> QueuedRecipient:
    """A recipient as orders make it that are not carried out on it yet. The row ends with which of them reach it."""
    recipient = recipient_from_row(row)
    made = pending.standing(recipient.state, row[-1])
    if made.state is None or not row[-1]:
        return recipient
    return replace(recipient, state=made.state, due_at=min(recipient.due_at, made.due_at or recipient.due_at))


def _is_removed(row: Row, pending: Pending) -> bool:
    return pending.standing(row[1], row[-1]).state is None


def _number(message_id: str) -> int:
    return int(message_id.rpartition("-")[2])


def _spool_file(file: Path, number: int) -> Path:
    return file.with_suffix(".spool") / str(number)


def _by_tenant(entry: tuple[tuple[str | None, str, str], Any]) -> tuple[str, str, str]:
    tenant, domain, state = entry[0]
    return tenant or "", domain, state
