"""Many changes, one sync: changes gather into a group, a group is one transaction.

The statements of a group run in the loop's thread inside one open transaction; only COMMIT, which waits for the disk,
runs in a thread of its own. What arrives while a commit is under way is the next group. A change that no peer waits for
begins no group by itself for a moment: it goes along with the next one that a peer does wait for.

Laws: a change is told `committed` only after COMMIT returned. When COMMIT or the machinery under it fails, every
change of the group is told `failed`, and nothing of it is tried again. A change that is wrong in itself fails alone:
the rest of its group runs again without it. After an error of reading, writing or syncing the connection is not used
any more: what the kernel keeps of the file is not what it had been told, so a new connection looks at what is there.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Final, Protocol

from gatepost.queue.store import StoreError
from gatepost.store.queue.file import is_busy, is_of_the_file, leaves_doubt, store_error

# A group's statements occupy the loop: 256 changes or 4 MiB are a few milliseconds, and fit the page cache many times.
LARGEST_GROUP: Final = 256
LARGEST_GROUP_OCTETS: Final = 4 * 1024 * 1024

# How long a change that no peer waits for waits for company. A sync, and the two threads taking turns around it, cost
# more than the change itself.
LONGEST_WAIT_FOR_COMPANY_S: Final = 0.01

# An operator's transaction lasts some milliseconds; one that lasts this long is stuck.
LOCK_RETRY_S: Final = 0.002
LONGEST_LOCK_WAIT_S: Final = 10.0


class Change(Protocol):
    """Something to write, and whom to tell how it ended."""

    @property
    def octets(self) -> int:
        """How much content it carries."""

    @property
    def urgent(self) -> bool:
        """Somebody waits for it, a peer or an operator."""

    def write(self, connection: sqlite3.Connection) -> None: ...

    def committed(self) -> None: ...

    def failed(self, error: Exception) -> None: ...


class GroupCommit:
    """The one writer of a SQLite file. Everything but the commit thread's loop runs in the event loop's thread."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        file: Path,
        *,
        opened: Callable[[], None],
        rolled_back: Callable[[], None],
        reopen: Callable[[], sqlite3.Connection],
        measured: Callable[[int, float], None] = lambda changes, seconds: None,
    ) -> None:
        """`opened` is called inside each new transaction before its statements, `rolled_back` after each failed one;
        `reopen` gives the connection that follows one that failed; `measured` hears how many changes a group had, and
        how long it took to be on stable storage."""
        self._connection = connection
        self._file = file
        self._opened = opened
        self._rolled_back = rolled_back
        self._reopen = reopen
        self._measured = measured
        self._handed_over_at = 0.0
        """When the group was given to the commit thread."""
        self._poisoned = False
        self._pending: deque[Change] = deque()
        self._group: list[Change] = []
        self._octets = 0
        self._awaits_turn = False
        self._is_urgent = False
        """Somebody waits for what is pending."""
        self._company_due: asyncio.TimerHandle | None = None
        self._waiting_for_lock_since: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drained: asyncio.Future[None] | None = None
        self._commits: SimpleQueue[bool] = SimpleQueue()
        self._thread = Thread(target=self._serve_commits, name=f"commit {file.name}", daemon=True)
        self._thread.start()

    @property
    def is_committing(self) -> bool:
        """While this holds, the connection belongs to the commit thread."""
        return bool(self._group)

    @property
    def backlog(self) -> int:
        """Changes that are not on stable storage yet."""
        return len(self._pending) + len(self._group)

    @property
    def backlog_octets(self) -> int:
        """The content those changes carry."""
        return self._octets

    def add(self, change: Change) -> None:
        """Write `change` with the next group. Must be called in the event loop."""
        self._pending.append(change)
        self._octets += change.octets
        self._is_urgent = self._is_urgent or change.urgent
        self._go_on()

    async def close(self) -> None:
        """Let what was added end, then stop."""
        if self.backlog:
            self._drained = self._running_loop().create_future()
            self._is_urgent = True
            self._go_on()
            await self._drained
        self._commits.put(False)
        self._thread.join()

    def _take_turn(self) -> None:
        # The turn comes after everything else that is ready now: its changes share the sync.
        self._awaits_turn = True
        self._running_loop().call_soon(self._run_group)

    def _company_is_due(self) -> None:
        self._company_due = None
        self._is_urgent = bool(self._pending)
        self._go_on()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def _run_group(self) -> None:
        self._awaits_turn = False
        if not self._open_transaction():
            return
        group = self._next_group()
        try:
            self._opened()
        except sqlite3.Error as error:
            self._end_in_failure(group, error)
            return
        for at, change in enumerate(group):
            try:
                change.write(self._connection)
            except Exception as error:
                if is_of_the_file(error):
                    self._end_in_failure(group, error)
                else:
                    self._run_again_without(group, at, error)
                return
        self._group = group
        self._handed_over_at = self._running_loop().time()
        self._commits.put(True)

    def _open_transaction(self) -> bool:
        try:
            if self._poisoned:
                self._renew()
            self._connection.execute("BEGIN IMMEDIATE")
        except StoreError as error:
            self._tell_failed(self._next_group(), error)
            self._go_on()
            return False
        except sqlite3.Error as error:
            if is_busy(error) and self._may_wait_for_lock():
                assert self._loop is not None
                self._awaits_turn = True
                self._loop.call_later(LOCK_RETRY_S, self._run_group)
            else:
                self._waiting_for_lock_since = None
                self._poisoned = self._poisoned or leaves_doubt(error)
                self._tell_failed(self._next_group(), store_error(error, self._file))
                self._go_on()
            return False
        self._waiting_for_lock_since = None
        return True

    def _renew(self) -> None:
        """Raises `StoreError` while the file cannot be opened; the next group tries again."""
        with suppress(sqlite3.Error):
            self._connection.close()
        self._connection = self._reopen()
        self._poisoned = False
        self._rolled_back()

    def _may_wait_for_lock(self) -> bool:
        assert self._loop is not None
        if self._waiting_for_lock_since is None:
            self._waiting_for_lock_since = self._loop.time()
        return self._loop.time() - self._waiting_for_lock_since < LONGEST_LOCK_WAIT_S

    def _next_group(self) -> list[Change]:
        group: list[Change] = []
        octets = 0
        while self._pending and len(group) < LARGEST_GROUP and octets < LARGEST_GROUP_OCTETS:
            change = self._pending.popleft()
            octets += change.octets
            group.append(change)
        # What did not fit has waited for its turn.
        self._is_urgent = bool(self._pending)
        return group

    def _serve_commits(self) -> None:
        while self._commits.get():
            connection = self._connection
            error: sqlite3.Error | None = None
            try:
                if not connection.in_transaction:
                    raise sqlite3.OperationalError("the transaction is gone")
                # Not execute("COMMIT"): that asks for the interpreter four times instead of once, and each time the
                # event loop is in the middle of something.
                connection.commit()
            except sqlite3.Error as raised:
                error = raised
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._commit_ended, error)

    def _commit_ended(self, error: sqlite3.Error | None) -> None:
        group, self._group = self._group, []
        if error is not None:
            self._end_in_failure(group, error)
            return
        self._measured(len(group), self._running_loop().time() - self._handed_over_at)
        for change in group:
            self._octets -= change.octets
            change.committed()
        self._go_on()

    def _end_in_failure(self, group: list[Change], error: sqlite3.Error) -> None:
        self._poisoned = leaves_doubt(error)
        self._roll_back()
        self._tell_failed(group, store_error(error, self._file))
        self._go_on()

    def _run_again_without(self, group: list[Change], culprit: int, error: Exception) -> None:
        self._roll_back()
        change = group.pop(culprit)
        self._octets -= change.octets
        self._pending.extendleft(reversed(group))
        self._is_urgent = bool(self._pending)
        change.failed(error)
        self._go_on()

    def _roll_back(self) -> None:
        # SQLite has rolled back by itself after some errors.
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._rolled_back()
        except (sqlite3.Error, StoreError):
            self._poisoned = True

    def _tell_failed(self, group: list[Change], error: StoreError) -> None:
        for change in group:
            self._octets -= change.octets
            change.failed(error)

    def _go_on(self) -> None:
        if self._awaits_turn or self._group:
            return
        if self._is_urgent:
            self._take_turn()
        elif self._pending:
            if self._company_due is None:
                self._company_due = self._running_loop().call_later(LONGEST_WAIT_FOR_COMPANY_S, self._company_is_due)
        elif self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
