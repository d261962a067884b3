"""Group commit on a real file: what shares a sync, and who is told what when something goes wrong."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gatepost.queue.store import StoreUnavailable
from gatepost.store.queue.group_commit import LARGEST_GROUP, GroupCommit


class Insert:
    """A change that writes one value into the table `kept`."""

    octets = 1

    def __init__(self, value: object, statement: str = "INSERT INTO kept VALUES (?)", *, urgent: bool = True) -> None:
        self.value = value
        self.statement = statement
        self.urgent = urgent
        self.ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def write(self, connection: sqlite3.Connection) -> None:
        connection.execute(self.statement, (self.value,))

    def committed(self) -> None:
        self.ended.set_result(None)

    def failed(self, error: Exception) -> None:
        self.ended.set_result(error)


class EndsTheTransaction(Insert):
    """No change does; should one ever, COMMIT would have nothing to keep."""

    def write(self, connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")


class File:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("CREATE TABLE kept (value TEXT NOT NULL) STRICT")
        self.groups = 0
        self.rolled_back = 0
        self.measured: list[tuple[int, bool]] = []
        self.commits = GroupCommit(
            self.connection,
            path,
            opened=self._count_group,
            rolled_back=self._count_rolled_back,
            reopen=self._reopen,
            measured=lambda changes, seconds: self.measured.append((changes, seconds >= 0)),
        )

    def _reopen(self) -> sqlite3.Connection:
        self.connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=0)
        return self.connection

    def _count_group(self) -> None:
        self.groups += 1

    def _count_rolled_back(self) -> None:
        self.rolled_back += 1

    def kept(self) -> list[str]:
        with sqlite3.connect(self.path) as other:
            return [row[0] for row in other.execute("SELECT value FROM kept ORDER BY rowid")]


@pytest.fixture
def on_file(tmp_path: Path) -> Callable[[Callable[[File], Awaitable[None]]], None]:
    def run(scenario: Callable[[File], Awaitable[None]]) -> None:
        async def whole() -> None:
            file = File(tmp_path / "kept.sqlite")
            await scenario(file)
            await file.commits.close()
            assert (file.commits.backlog, file.commits.backlog_octets) == (0, 0)

        asyncio.run(whole())

    return run


def test_changes_of_one_moment_share_a_transaction_and_keep_their_order(on_file: Any) -> None:
    async def scenario(file: File) -> None:
        changes = [Insert(str(n)) for n in range(50)]
        for change in changes:
            file.commits.add(change)
        assert file.commits.backlog == file.commits.backlog_octets == 50
        assert await asyncio.gather(*(change.ended for change in changes)) == [None] * 50
        assert file.groups == 1
        assert file.kept() == [str(n) for n in range(50)]
        assert file.measured == [(50, True)]

    on_file(scenario)


def test_what_comes_during_a_commit_is_the_next_group(on_file: Any) -> None:
    async def scenario(file: File) -> None:
        first = Insert("first")
        file.commits.add(first)
        while not file.commits.is_committing:
            await asyncio.sleep(0)
        later = [Insert("second"), Insert("third")]
        for change in later:
            file.commits.add(change)
        await asyncio.gather(first.ended, *(change.ended for change in later))
        assert file.groups == 2

    on_file(scenario)


def test_a_group_has_a_largest_size(on_file: Any) -> None:
    async def scenario(file: File) -> None:
        changes = [Insert("x") for _ in range(LARGEST_GROUP + 1)]
        for change in changes:
            file.commits.add(change)
        await asyncio.gather(*(change.ended for change in changes))
        assert file.groups == 2

    on_file(scenario)


def test_a_change_that_is_wrong_in_itself_fails_alone(on_file: Any) -> None:
    async def scenario(file: File) -> None:
        changes = [Insert("before"), Insert(None), Insert("\ud800"), Insert("after")]
        for change in changes:
            file.commits.add(change)
        ends = await asyncio.gather(*(change.ended for change in changes))
        assert ends[0] is None
        assert isinstance(ends[1], sqlite3.IntegrityError)
        assert isinstance(ends[2], UnicodeEncodeError)
        assert ends[3] is None
        assert file.kept() == ["before", "after"]
        assert file.rolled_back == 2

    on_file(scenario)


def test_a_change_that_nobody_waits_for_goes_along_with_the_next_that_somebody_does(on_file: Any) -> None:
    async def scenario(file: File) -> None:
        patient = Insert("patient", urgent=False)
        file.commits.add(patient)
        # As many turns of the loop as a commit could ever need, and no time.
        for _ in range(3):
            await asyncio.sleep(0)
        assert file.groups == 0
        urgent = Insert("urgent")
        file.commits.add(urgent)
        assert await asyncio.gather(patient.ended, urgent.ended) == [None, None]
        assert (file.groups, file.kept()) == (1, ["patient", "urgent"])

    on_file(scenario)


def test_a_change_that_nobody_waits_for_is_committed_without_company_too(on_file: Any) -> None:
    async def scenario(file: File) -> None:
        alone = Insert("alone", urgent=False)
        file.commits.add(alone)
        assert await alone.ended is None
        again = Insert("again", urgent=False)
        file.commits.add(again)
        assert await again.ended is None
        assert file.kept() == ["alone", "again"]

    on_file(scenario)


def test_a_transaction_that_is_gone_is_never_told_committed(on_file: Any) -> None:
    async def scenario(file: File) -> None:
        lost, culprit = Insert("lost"), EndsTheTransaction("")
        file.commits.add(lost)
        file.commits.add(culprit)
        assert isinstance(await lost.ended, StoreUnavailable)
        assert isinstance(await culprit.ended, StoreUnavailable)
        assert file.kept() == []

    on_file(scenario)


def test_when_the_file_is_full_the_whole_group_fails_and_nothing_is_kept(on_file: Any) -> None:
    async def scenario(file: File) -> None:
        pages = file.connection.execute("PRAGMA page_count").fetchone()[0]
        file.connection.execute(f"PRAGMA max_page_count = {pages}")
        changes = [Insert("small"), Insert("large" * 10_000), Insert("never written")]
        for change in changes:
            file.commits.add(change)
        for end in await asyncio.gather(*(change.ended for change in changes)):
            assert isinstance(end, StoreUnavailable)
            assert "kept.sqlite: the disk is full: free space there" in str(end)
        assert file.kept() == []
        file.connection.execute(f"PRAGMA max_page_count = {pages + 100}")
        again = Insert("again")
        file.commits.add(again)
        assert await again.ended is None
        assert file.kept() == ["again"]

    on_file(scenario)


def test_when_commit_itself_fails_the_whole_group_fails_and_nothing_is_kept(on_file: Any) -> None:
    async def scenario(file: File) -> None:
        # A deferred constraint is the one thing SQLite checks in COMMIT.
        file.connection.execute("PRAGMA foreign_keys = ON")
        file.connection.execute("CREATE TABLE owner (id TEXT PRIMARY KEY) STRICT")
        file.connection.execute("CREATE TABLE owned (owner TEXT REFERENCES owner DEFERRABLE INITIALLY DEFERRED) STRICT")
        good, orphan = Insert("good"), Insert("nobody", "INSERT INTO owned VALUES (?)")
        file.commits.add(good)
        file.commits.add(orphan)
        for end in (await good.ended, await orphan.ended):
            assert isinstance(end, StoreUnavailable)
        assert (file.kept(), file.rolled_back) == ([], 1)

    on_file(scenario)


def test_a_lock_held_by_another_process_delays_changes_but_never_the_loop(on_file: Any) -> None:
    async def scenario(file: File) -> None:
        other = sqlite3.connect(file.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        change = Insert("waits")
        file.commits.add(change)
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert not change.ended.done()
        other.execute("COMMIT")
        other.close()
        assert await change.ended is None

    on_file(scenario)


def test_a_lock_that_is_never_given_back_fails_the_changes(on_file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.store.queue.group_commit.LONGEST_LOCK_WAIT_S", 0.01)

    async def scenario(file: File) -> None:
        other = sqlite3.connect(file.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        change = Insert("waits")
        file.commits.add(change)
        end = await change.ended
        assert isinstance(end, StoreUnavailable)
        assert "another process keeps it locked" in str(end)
        other.close()
        again = Insert("again")
        file.commits.add(again)
        assert await again.ended is None

    on_file(scenario)


def test_closing_waits_for_what_was_added(tmp_path: Path) -> None:
    async def scenario() -> None:
        file = File(tmp_path / "kept.sqlite")
        for value in ("last", "words"):
            file.commits.add(Insert(value))
        await file.commits.close()
        assert file.kept() == ["last", "words"]

    asyncio.run(scenario())
