"""How values go into rows.

Whatever is no plain number or text, Python's module asks at length whether it would rather be something else, and half
of a row is None. Law: an adapter changes no value; it answers that question, which then takes a third of the time.
"""

import sqlite3
from types import NoneType
from typing import Final

_NOTHING: Final[dict[None, None]] = {}


def take_as_they_are() -> None:
    """For all connections of this process."""
    # A function in C, and None is what it gives for None.
    sqlite3.register_adapter(NoneType, _NOTHING.get)
    sqlite3.register_adapter(bytes, bytes)
