"""What a row is made of comes back as it went in."""

import sqlite3
from contextlib import closing

from gatepost.store import values


def test_nothing_and_octets_go_in_as_they_are() -> None:
    values.take_as_they_are()
    row = (None, b"", b"\0\xff", "", 0, 1.5)
    kinds = "SELECT typeof(:nothing), typeof(:octets)"
    with closing(sqlite3.connect(":memory:")) as connection:
        assert connection.execute("SELECT ?, ?, ?, ?, ?, ?", row).fetchone() == row
        assert connection.execute(kinds, {"nothing": None, "octets": b""}).fetchone() == ("null", "blob")
