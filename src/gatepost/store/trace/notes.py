"""What commands and the Management API did to queued mail, written by whoever did it.

Several processes may write the day's file, each for a moment. Law: an order that is carried out stays so, whether it
can be noted or not.
"""

import os
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from gatepost.store.trace.day_file import (
    NUMBERS_PER_MS,
    DamagedFile,
    DayFile,
    day_file,
    day_of,
    open_to_write,
    reporting,
)
from gatepost.store.trace.rows import INSERT_EVENT, event_row
from gatepost.store.trace.words import NewWords
from gatepost.trace.story import LaterEvent

_NO_WORKER: Final = 9999
"""Beyond the numbers of workers."""


def note(folder: Path, events: Sequence[LaterEvent], now: float) -> None:
    file = day_file(folder, "tenants", day_of(now), _NO_WORKER)
    with suppress(DamagedFile, OSError):
        _note(file, events, now)


def _note(file: DayFile, events: Sequence[LaterEvent], now: float) -> None:
    with closing(open_to_write(file)) as connection, reporting(file):
        _belongs_to_the_service(file)
        connection.execute("BEGIN IMMEDIATE")
        words, first = NewWords(connection), int((now - file.began_at) * 1000) * NUMBERS_PER_MS
        last: int = connection.execute("SELECT ifnull(max(number), -1) FROM event").fetchone()[0]
        rows = [event_row(number, each, words) for number, each in enumerate(events, max(first, last + 1))]
        connection.executemany(INSERT_EVENT, rows)
        connection.execute("COMMIT")


def _belongs_to_the_service(file: DayFile) -> None:
    """Made by root, it is the account's that owns the trace, which reads it and removes it one day."""
    if os.geteuid() == 0:
        owner = file.path.parent.parent.stat()
        for each in (file.path.parent, *file.path.parent.glob(f"{file.path.name}*")):
            os.chown(each, owner.st_uid, owner.st_gid)
