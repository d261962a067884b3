"""The trace in SQLite files passes the contract of every trace store; what is its own is below."""

import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from contracts.trace_store_contract import NOON, Stores, TraceStoreContract, ids, received
from gatepost.store.trace.day_file import files_in
from gatepost.store.trace.reader import SqliteTraceReader
from gatepost.store.trace.writer import Retention, SqliteTraceWriter
from gatepost.trace.search import Wanted

KEEP = Retention(max_age_s=0.0, max_octets=0)


class SqliteStores:
    def __init__(self, folder: Path, segment: int) -> None:
        self.folder = folder
        self.now = NOON + 3600
        self._segment = segment

    def writer(self, worker: int = 0) -> SqliteTraceWriter:
        return SqliteTraceWriter(self.folder, worker, KEEP, lambda: self.now, segment=self._segment)

    def reader(self) -> SqliteTraceReader:
        return SqliteTraceReader(self.folder)


@pytest.fixture(scope="module")
def fresh_stores(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Stores]:
    folder, numbers = tmp_path_factory.mktemp("traces"), count()
    return lambda: SqliteStores(folder / str(next(numbers)), segment=2)


class TestSqlite(TraceStoreContract):
    @pytest.fixture(params=[1, 3, 1000])
    def stores(self, tmp_path: Path, request: pytest.FixtureRequest) -> SqliteStores:
        """With every row found by a term of its own segment, some, or none."""
        return SqliteStores(tmp_path / "trace", request.param)


class FinishedStores(SqliteStores):
    """Every file that no writer has is finished before it is read, and may be written to again."""

    def reader(self) -> SqliteTraceReader:
        for file in [each for each in files_in(self.folder) if not each.is_open]:
            self.writer(file.worker)._finish(file)
            assert file.summary.exists()
        return super().reader()


class TestFinished(TraceStoreContract):
    """By summaries and by how rows stand at the end of a file."""

    @pytest.fixture(params=[1, 1000])
    def stores(self, tmp_path: Path, request: pytest.FixtureRequest) -> SqliteStores:
        return FinishedStores(tmp_path / "trace", request.param)

    @pytest.fixture(scope="class")
    @classmethod
    def fresh_stores(cls, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Stores]:
        folder, numbers = tmp_path_factory.mktemp("finished"), count()
        return lambda: FinishedStores(folder / str(next(numbers)), segment=2)


def test_a_damaged_file_is_named_and_the_others_are_read() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        stores = SqliteStores(Path(temporary), 1000)
        whole, lost = received(), received(NOON - 86400)
        for row in (whole, lost):
            writer = stores.writer()
            writer.write("tenants", [row])
            writer.close()
        damaged = stores.folder / "tenants" / "20261130-w0-1.sqlite"
        damaged.write_bytes(damaged.read_bytes()[:100] + b"\xff" * 20_000)
        found = stores.reader().search(Wanted(), 10)
        assert ids(found.items) == [whole.id]
        assert len(found.damaged) == 1 and str(damaged) in found.damaged[0] and "\n" not in found.damaged[0]


def test_a_day_that_goes_while_it_is_read_is_left_out(tmp_path: Path) -> None:
    stores = SqliteStores(tmp_path, 1000)
    writer = stores.writer()
    writer.write("tenants", [received(NOON - 86400), received()])
    writer.close()
    for file in (tmp_path / "tenants").glob("20261130*"):
        file.unlink()
    assert len(stores.reader().search(Wanted(), 10).items) == 1
    assert stores.reader().oldest() == NOON - 43200


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    reader = SqliteTraceReader(tmp_path / "none")
    assert reader.search(Wanted(), 10) == ([], None, [])
    assert reader.oldest() is None


def test_a_search_up_to_a_millisecond_finds_all_that_came_in_it(fresh_stores: Callable[[], Stores]) -> None:
    stores = fresh_stores()
    stores.writer().write("tenants", rows := [received(NOON) for _ in range(3)] + [received(NOON + 1)])
    found = stores.reader().search(Wanted(until=NOON), 9).items
    assert set(ids(found)) == {each.id for each in rows[:3]}
