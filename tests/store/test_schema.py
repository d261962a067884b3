"""A file of any format that was ever released ends with the tables of a new one."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest

from gatepost.store.directory import file as directory_file
from gatepost.store.queue import file as queue_file
from gatepost.store.schema import bring_up_to_date

QUEUE, DIRECTORY = "gatepost.store.queue", "gatepost.store.directory"
APPLICATION_IDS = {QUEUE: queue_file.APPLICATION_ID, DIRECTORY: directory_file.APPLICATION_ID}
NEWEST = {QUEUE: queue_file.SCHEMA_VERSION, DIRECTORY: directory_file.SCHEMA_VERSION}
OPENED: dict[str, Callable[[Path], sqlite3.Connection]] = {
    QUEUE: queue_file.open_to_work,
    DIRECTORY: lambda file: directory_file.open_to_change(file, patience_s=1),
}
OLDER = [(store, number) for store, newest in NEWEST.items() for number in range(1, newest)]


def tables(store: str, file: Path) -> list[tuple[object, ...]]:
    """What the file holds once the store has opened it."""
    with closing(OPENED[store](file)) as connection:
        described = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name").fetchall()
        about = [connection.execute(f"PRAGMA {each}").fetchone() for each in ("application_id", "user_version")]
    return described + about


@pytest.mark.parametrize(("store", "number"), OLDER)
def test_a_migrated_file_has_the_tables_of_a_new_one(store: str, number: int, tmp_path: Path) -> None:
    old, new = tmp_path / "old.sqlite", tmp_path / "new.sqlite"
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        bring_up_to_date(connection, store, number, APPLICATION_IDS[store])
    assert tables(store, old) == tables(store, new)


@pytest.mark.parametrize("store", NEWEST)
def test_every_step_of_the_package_leads_to_a_format_that_the_store_knows(store: str) -> None:
    steps = {each.name for each in files(store).joinpath("schema").iterdir()}
    assert steps == {f"{number}.sql" for number in range(1, NEWEST[store] + 1)}


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "0.sqlite", isolation_level=None)) as connection:
        bring_up_to_date(connection, QUEUE, 1, APPLICATION_IDS[QUEUE])
        connection.execute("CREATE INDEX operator_order_pending ON message (id)")
        before = connection.execute("SELECT name, sql FROM sqlite_schema").fetchall()
        with pytest.raises(sqlite3.OperationalError, match="operator_order_pending"):
            bring_up_to_date(connection, QUEUE, 3, APPLICATION_IDS[QUEUE])
        assert connection.execute("SELECT name, sql FROM sqlite_schema").fetchall() == before
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert not connection.in_transaction
