"""The tables of a store's file, stated once: `schema/1.sql`, `schema/2.sql` … beside the store, each the step from one
format of the file to the next.

A new file goes through all steps and an old one through those it lacks, so both end alike. Laws: the steps are one
transaction, whoever else opens the file at that moment; a step that was released is not changed any more.
"""

import sqlite3
from importlib.resources import files


def is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None


def format_of(connection: sqlite3.Connection) -> int:
    """0: the file is new."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def bring_up_to_date(connection: sqlite3.Connection, store: str, newest: int, application_id: int) -> None:
    """Carry out the steps that the file lacks. `store` is the package they belong to."""
    if format_of(connection) < newest:
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been quicker.
            for number in range(format_of(connection) + 1, newest + 1):
                _carry_out(connection, store, number)
            connection.execute(f"PRAGMA application_id = {application_id}")
            connection.execute(f"PRAGMA user_version = {newest}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def _carry_out(connection: sqlite3.Connection, store: str, number: int) -> None:
    """`executescript` would commit before it starts; one statement at a time stays inside the transaction."""
    statement = ""
    for line in step(store, number).splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""


def step(store: str, number: int) -> str:
    """The SQL that makes format `number` of the one before."""
    return files(store).joinpath("schema", f"{number}.sql").read_text("utf-8")
