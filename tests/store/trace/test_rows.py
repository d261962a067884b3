"""A recipient and its events come out of a row as they went in, whatever a peer wrote."""

import sqlite3
from contextlib import closing
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from contracts.trace_store_contract import NOON, event, later, received
from gatepost.store.trace import rows
from gatepost.store.trace.day_file import day_file, day_of, open_to_write
from gatepost.store.trace.words import KnownWords, NewWords
from gatepost.trace.story import QueuePlace, What

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def opened(folder: Path) -> sqlite3.Connection:
    return open_to_write(day_file(folder, "tenants", day_of(NOON), 0))


def test_a_row_is_what_was_received(tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    with closing(opened(tmp_path_factory.mktemp("trace"))) as connection:
        words = NewWords(connection)

        @given(TEXT, TEXT, st.none() | TEXT, st.sampled_from([None, What.DELIVERED, What.DEFERRED, What.FAILED]))
        def comes_back(sender: str, recipient: str, reply: str | None, what: What | None) -> None:
            first = event(what, NOON + 0.5, reply=reply) if what else None
            made = received(mail_from=sender, rcpt_to=recipient, reply=reply, first=first)
            row = rows.recipient_row(43200000 * 16, made, words)
            assert len(row) == rows.RECIPIENT_COLUMNS
            assert rows.received_from(row, NOON - 43200, KnownWords(connection)) == made

        comes_back()


def test_an_event_comes_back_with_its_place(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as connection:
        for what in What:
            told = later(received(place=QueuePlace("12-345", 678)), what, NOON, by="olga", why="held", due_at=NOON + 60)
            row = rows.event_row(43200000 * 16, told, NewWords(connection))
            assert len(row) == rows.EVENT_COLUMNS
            read = rows.event_from(row, NOON - 43200, KnownWords(connection))
            assert read == (QueuePlace("12-345", 678), told.event)
