"""The operator's view of every queue file of a data folder, whether its worker runs or not.

Laws: reading never makes a worker wait. Changing goes in slices, each a transaction of some milliseconds, with room for
the worker between them; each slice is on stable storage before the next begins. A recipient that changed since it was
chosen is changed only if it is still what was wanted.
"""

import json
import re
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Any, Final

from gatepost.queue.message import Content, QueuedMessage, QueuedRecipient, RecipientState
from gatepost.queue.store import QueueCount, QueueFilter, StoreDamaged
from gatepost.store import queue_statements as sql
from gatepost.store.queue_file import open_to_change, open_to_read, reporting
from gatepost.store.queue_rows import message_from_row, recipient_from_row
from gatepost.store.spool import FileContent, MemoryContent

# A worker's mail waits for a slice to end: some 0.1 s. Smaller slices write the same pages more often.
_ROWS_IN_SLICE: Final = 8000

_ROOM_BETWEEN_SLICES_S: Final = 0.002

# The worker's transactions are short, but under load one follows the other.
_PATIENCE_S: Final = 30.0

# 14 digits: times 65536 that still is a row id.
_MESSAGE_ID: Final = re.compile(r"([0-9]+)-([0-9]{1,14})\Z")

_Parameters = dict[str, Any]


class SqliteQueueOffice:
    """`QueueOffice` over `<folder>/*.sqlite`."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._damages: dict[Path, str | None] = {}
        """What is wrong with each file that was looked at."""

    # -- Looking

    def unreadable(self) -> Sequence[str]:
        return [damage for file in self._all_files() if (damage := self._damage(file)) is not None]

    def counts(self, wanted: QueueFilter) -> Sequence[QueueCount]:
        found: dict[tuple[str | None, str, str], tuple[int, float]] = {}
        for file in self._files(wanted):
            with reporting(file), closing(open_to_read(file)) as connection:
                chosen, parameters = self._chosen(wanted)
                for *key, number, oldest in connection.execute(sql.COUNTS.format(chosen=chosen), parameters):
                    before = found.get(tuple(key), (0, oldest))
                    found[tuple(key)] = (before[0] + number, min(before[1], oldest))
        return [
            QueueCount(
                tenant=tenant, domain=domain, state=RecipientState(state), recipients=number, oldest_received_at=oldest
            )
            for (tenant, domain, state), (number, oldest) in sorted(found.items(), key=_by_tenant)
        ]

    def listed(self, wanted: QueueFilter, limit: int) -> Sequence[tuple[QueuedMessage, QueuedRecipient]]:
        """The oldest first."""
        queues = [self._listed(file, wanted, limit) for file in self._files(wanted)]
        return list(islice(merge(*queues, key=lambda entry: entry[0].received_at), limit))

    def _listed(self, file: Path, wanted: QueueFilter, limit: int) -> list[tuple[QueuedMessage, QueuedRecipient]]:
        with reporting(file), closing(open_to_read(file)) as connection:
            chosen, parameters = self._chosen(wanted)
            rows = connection.execute(sql.LISTED.format(chosen=chosen), {**parameters, "limit": limit})
            return [
                (message_from_row(file.stem, row), recipient_from_row(row[sql.MESSAGE_COLUMN_COUNT :])) for row in rows
            ]

    def message(self, message_id: str) -> tuple[QueuedMessage, Sequence[QueuedRecipient]] | None:
        for file in self._files(QueueFilter(message_id=message_id)):
            number = _number(message_id)
            with reporting(file), closing(open_to_read(file)) as connection:
                row = connection.execute(sql.READ_MESSAGE, (number,)).fetchone()
                if row:
                    range = (sql.first_recipient(number), sql.last_recipient(number))
                    recipients = connection.execute(sql.RECIPIENTS_IN_RANGE, range).fetchall()
                    return message_from_row(file.stem, row), [recipient_from_row(each) for each in recipients]
        return None

    def content(self, message_id: str) -> Content | None:
        for file in self._files(QueueFilter(message_id=message_id)):
            number = _number(message_id)
            with reporting(file), closing(open_to_read(file)) as connection:
                row = connection.execute(sql.READ_SIZE_AND_CONTENT, (number,)).fetchone()
                if row:
                    return FileContent(_spool_file(file, number), row[0]) if row[1] is None else MemoryContent(row[1])
        return None

    # -- Changing

    def hold(self, wanted: QueueFilter) -> int:
        return self._change(wanted, sql.HOLD, 0)

    def release(self, wanted: QueueFilter, now: float) -> int:
        return self._change(wanted, sql.RELEASE, now)

    def retry(self, wanted: QueueFilter, now: float) -> int:
        """What is under way already, held or to bounce is left alone."""
        return self._change(wanted, sql.RETRY, now)

    def bounce(self, wanted: QueueFilter, now: float) -> int:
        return self._change(wanted, sql.BOUNCE, now)

    def remove(self, wanted: QueueFilter) -> int:
        return self._change(wanted, sql.REMOVE, 0)

    def _change(self, wanted: QueueFilter, change: sql.OfficeChange, now: float) -> int:
        return sum([self._change_in(file, wanted, change, now) for file in self._files(wanted)])

    def _change_in(self, file: Path, wanted: QueueFilter, change: sql.OfficeChange, now: float) -> int:
        changed = 0
        condition, parameters = self._chosen(wanted)
        with reporting(file), closing(open_to_change(file, _PATIENCE_S)) as connection:
            chosen = sql.CHOSEN_IDS.format(chosen=f"{condition} AND {change.applies}")
            ids = [row[0] for row in connection.execute(chosen, parameters)]
            statement = change.statement.format(chosen=f"{condition} AND {change.applies}")
            for start in range(0, len(ids), _ROWS_IN_SLICE):
                slice = ids[start : start + _ROWS_IN_SLICE]
                changed += _change_slice(connection, file, statement, slice, {**parameters, "now": now})
                time.sleep(_ROOM_BETWEEN_SLICES_S)
        return changed

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
        """The condition on `recipient r` that says `wanted`, and its parameters."""
        conditions: list[str] = ["true"]
        parameters: _Parameters = {}
        if wanted.message_id is not None:
            number = _number(wanted.message_id)
            parameters |= {"first": sql.first_recipient(number), "last": sql.last_recipient(number)}
            conditions.append("r.id BETWEEN :first AND :last")
        for column in ("tenant", "domain", "state"):
            value = getattr(wanted, column)
            if value is not None:
                parameters[column] = str(value)
                conditions.append(f"r.{column} = :{column}")
        if wanted.older_than_s is not None:
            parameters["received_until"] = self._clock() - wanted.older_than_s
            conditions.append("r.received_at <= :received_until")
        return " AND ".join(conditions), parameters


def _change_slice(
    connection: sqlite3.Connection, file: Path, statement: str, ids: Sequence[int], parameters: _Parameters
) -> int:
    connection.execute("BEGIN IMMEDIATE")
    try:
        changed = connection.execute(statement, {**parameters, "ids": json.dumps(ids)}).rowcount
        spooled = _delete_messages(connection, ids) if statement.startswith("DELETE") else []
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    for number in spooled:
        _spool_file(file, number).unlink(missing_ok=True)
    return changed


def _delete_messages(connection: sqlite3.Connection, recipients: Sequence[int]) -> list[int]:
    """Delete the messages that have no recipient left. Gives those whose content is in the spool."""
    numbers = sorted({sql.message_of(id) for id in recipients})
    rows = connection.execute(sql.DELETE_MESSAGES_WITHOUT_RECIPIENTS, {"numbers": json.dumps(numbers)}).fetchall()
    return [number for number, is_spooled in rows if is_spooled]


def _number(message_id: str) -> int:
    return int(message_id.rpartition("-")[2])


def _spool_file(file: Path, number: int) -> Path:
    return file.with_suffix(".spool") / str(number)


def _by_tenant(entry: tuple[tuple[str | None, str, str], Any]) -> tuple[str, str, str]:
    tenant, domain, state = entry[0]
    return tenant or "", domain, state
