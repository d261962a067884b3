"""One worker's queue in a SQLite file.

Messages flow in by `accept` and out by `settle`; both are changes that go through group commit, and complete when they
are on stable storage. Reading uses a connection of its own, which sees what is committed and never waits for the disk.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from gatepost.queue.message import Claim, Content, MemoryContent, NewMessage, QueuedMessage
from gatepost.queue.orders import Ordered
from gatepost.queue.outcome import Settlement
from gatepost.queue.store import Accepted, Avoid, Promise, QueueKey, StoreUnavailable
from gatepost.store.queue import statements as sql
from gatepost.store.queue.changes import (
    Accept,
    Arrival,
    CarryOutOrders,
    Hasten,
    MarkActive,
    Numbering,
    OpenQueue,
    Settle,
)
from gatepost.store.queue.claims import Claims
from gatepost.store.queue.file import open_again_to_work, open_to_read, open_to_work, own, reporting, store_error
from gatepost.store.queue.group_commit import GroupCommit
from gatepost.store.queue.orders import first_due_of_each_key
from gatepost.store.queue.spool import ContentWriter, Spool, sync_folder

# As long as a part of the orders takes, or longer: half of the worker's time at most.
_BETWEEN_ORDERS_S: Final = 0.02


class SqliteQueueStore:
    """`QueueStore` on `<folder>/<number>.sqlite`. To be used in the event loop's thread only."""

    def __init__(
        self, folder: Path, number: int, measured: Callable[[int, float], None] = lambda changes, seconds: None
    ) -> None:
        """Open, or create. Raises `StoreError` when the file is in use, damaged, or from a newer version. `measured`
        hears of each group that is committed: how many changes, and the seconds that it took."""
        self._measured = measured
        self.number = number
        self._file = folder / f"{number}.sqlite"
        self._ownership = own(self._file)
        self._keeping: set[asyncio.Task[None]] = set()
        try:
            self._open(Spool(folder / f"{number}.spool"))
            # The files and the folder may be new, and their names are as precious as what is in them.
            sync_folder(folder)
            sync_folder(folder.parent)
        except BaseException:
            os.close(self._ownership)
            raise

    def _open(self, spool: Spool) -> None:
        self._connection = open_to_work(self._file)
        self._reader = open_to_read(self._file)
        with reporting(self._file):
            self._connection.execute(sql.GIVE_BACK_ALL)
            spool.remove_all_but({row[0] for row in self._connection.execute(sql.SPOOLED)})
            self._data_version = self._read_data_version()
            self._queue = OpenQueue(
                name=self._file.stem,
                numbering=Numbering(self._connection),
                claims=Claims(self._file.stem, self._reader),
                spool=spool,
                commits=GroupCommit(
                    self._connection,
                    self._file,
                    opened=self._look_for_changes,
                    rolled_back=self._read_again,
                    reopen=self._reopen,
                    measured=self._measured,
                ),
            )
            # From here on the event loop may not be kept waiting; group commit tries again by itself.
            self._connection.execute("PRAGMA busy_timeout = 0")
        self._changes_seen = False

    async def close(self) -> None:
        """Finish what was asked for. Claims that are not settled are due again at the next start."""
        await self._queue.commits.close()
        self._queue.spool.close()
        self._reader.close()
        self._connection.close()
        os.close(self._ownership)

    @property
    def backlog(self) -> int:
        """Changes that wait for the disk: new mail is held back by it."""
        return self._queue.commits.backlog

    @property
    def backlog_octets(self) -> int:
        """The content those changes carry."""
        return self._queue.commits.backlog_octets

    def new_content(self) -> ContentWriter:
        """Where the content of a message goes while it comes in."""
        return self._queue.spool.new_content()

    def accept(self, message: NewMessage, *, claim: bool) -> Promise[Accepted]:
        arrival = Arrival(self._queue, message, claim=claim)
        change = Accept(self._queue, arrival)
        self._add(change, [arrival])
        return change

    def settle(self, settlement: Settlement) -> Promise[Sequence[Claim]]:
        notifications = [Arrival(self._queue, each, claim=True) for each in settlement.notifications]
        change = Settle(self._queue, settlement, notifications)
        self._add(change, notifications)
        return change

    def _add(self, change: Accept | Settle, arrivals: Sequence[Arrival]) -> None:
        large = [each for each in arrivals if each.is_large]
        if not large:
            self._queue.commits.add(change)
            return
        keeping = asyncio.get_running_loop().create_task(self._add_once_kept(change, large))
        self._keeping.add(keeping)
        keeping.add_done_callback(self._keeping.discard)

    async def _add_once_kept(self, change: Accept | Settle, large: Sequence[Arrival]) -> None:
        """Large content is made durable before the group: no other message's sync waits for it."""
        try:
            for arrival in large:
                await self._queue.spool.keep(arrival.message.content, arrival.number)
        except Exception as error:
            change.failed(error)
        else:
            self._queue.commits.add(change)

    def claim_due(self, now: float, limit: int, avoid: Avoid) -> Sequence[Claim]:
        with reporting(self._file):
            return self._marked(self._queue.claims.claim_due(now, limit, avoid))

    def claim_late(
        self, key: QueueKey, now: float, received_until: float, told_until: float, limit: int
    ) -> Sequence[Claim]:
        with reporting(self._file):
            return self._marked(self._queue.claims.claim_late(key, now, received_until, told_until, limit))

    def _marked(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        if claims:
            self._queue.commits.add(MarkActive(self._queue, claims))
        return claims

    def hasten(self, later_than: float, due_at: float) -> None:
        self._queue.commits.add(Hasten(self._queue, later_than, due_at))

    def claimed(self) -> Collection[int]:
        return self._queue.claims.claimed

    def message_id_of(self, recipient: int) -> str:
        return f"{self._queue.name}-{sql.message_of(recipient)}"

    def overdue(self, since: float) -> Sequence[QueueKey]:
        with reporting(self._file), closing(open_to_read(self._file)) as connection:
            keys = first_due_of_each_key(connection, self._file.stem)
            return [(tenant, domain) for tenant, domain, due_at in keys if due_at < since]

    def next_due_at(self) -> float | None:
        with reporting(self._file):
            return self._queue.claims.next_due_at()

    def still_wanted(self, claim: Claim) -> bool:
        try:
            return self._queue.claims.still_wanted(claim)
        except sqlite3.Error as error:
            raise store_error(error, self._file) from error

    def open_content(self, message: QueuedMessage) -> Content:
        """The stored content. Raises `StoreUnavailable` when an operator removed the message meanwhile."""
        number = int(message.id.rpartition("-")[2])
        with reporting(self._file):
            row = self._reader.execute(sql.READ_CONTENT, (number,)).fetchone()
        if row is None:
            raise StoreUnavailable(f"message {message.id} is not in the queue any more: an operator removed it")
        content = row[0] or b""
        if len(content) < message.size:
            return self._queue.spool.stored(number, message.size, content)
        return MemoryContent(content)

    def is_empty(self) -> bool:
        with reporting(self._file):
            return self._reader.execute(sql.ANY_MESSAGE).fetchone() is None

    def changed_by_others(self) -> bool:
        """Whether an operator's command changed the queue since the last call. Cheap; to be asked several times a
        second."""
        if not self._queue.commits.is_committing:
            with reporting(self._file):
                self._look_for_changes()
        seen, self._changes_seen = self._changes_seen, False
        return seen

    async def carry_out_orders(self, tell: Callable[[Sequence[Ordered]], None] = lambda ordered: None) -> None:
        """Bring the rows in line with what operators ordered, until nothing is left to do, and `tell` what was done.
        Raises `StoreError`; what is left then stays ordered."""
        while self._queue.claims.orders_wait:
            change = CarryOutOrders(self._queue)
            self._queue.commits.add(change)
            tell(await change.done)
            await asyncio.sleep(_BETWEEN_ORDERS_S)

    def _look_for_changes(self) -> None:
        version = self._read_data_version()
        if version != self._data_version:
            self._data_version = version
            self._changes_seen = True
            self._queue.claims.changed_by_others()

    def _reopen(self) -> sqlite3.Connection:
        """The writing connection has failed. The reading one stays open meanwhile: so nobody is the last to close the
        file, who would move into it what the failed commit has left in the log."""
        self._connection = open_again_to_work(self._file)
        self._look_for_changes()
        return self._connection

    def _read_data_version(self) -> int:
        # It changes with what other connections commit, never with this one's own commits.
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    def _read_again(self) -> None:
        self._queue.claims.read_again()
        self._queue.numbering.read_again(self._connection)
