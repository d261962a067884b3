"""How each file of the store is opened."""

import sqlite3
from pathlib import Path

import pytest

from gatepost.store.connection import closed_on_error, connect


def test_a_file_is_made_only_where_the_mode_says_so(tmp_path: Path) -> None:
    file = tmp_path / "a file?.sqlite"
    with pytest.raises(sqlite3.OperationalError):
        connect(file, "rw", 0).execute("SELECT 1 FROM sqlite_schema")
    connection = connect(file, "rwc", 0)
    connection.execute("CREATE TABLE a (b)")
    connection.close()
    reading = connect(file, "ro", 0)
    with pytest.raises(sqlite3.OperationalError):
        reading.execute("INSERT INTO a VALUES (1)")
    reading.close()


def test_what_goes_wrong_leaves_no_connection(tmp_path: Path) -> None:
    connection = connect(tmp_path / "a.sqlite", "rwc", 0)
    with pytest.raises(KeyError), closed_on_error(connection):
        raise KeyError
    with pytest.raises(sqlite3.ProgrammingError):
        connection.execute("SELECT 1")
