"""What a command did to queued mail is in the story of that mail, and never stands in the command's way."""

from pathlib import Path

from contracts.trace_store_contract import NOON, later, received
from gatepost.store.trace.notes import note
from gatepost.store.trace.reader import SqliteTraceReader
from gatepost.store.trace.writer import Retention, SqliteTraceWriter
from gatepost.trace.search import Wanted
from gatepost.trace.story import Outcome, What


def test_several_commands_note_in_one_moment_and_all_are_read(tmp_path: Path) -> None:
    rows = [received() for _ in range(3)]
    writer = SqliteTraceWriter(tmp_path, 0, Retention(max_age_s=0.0, max_octets=0), lambda: NOON)
    writer.write("tenants", rows)
    note(tmp_path, [later(each, What.HELD, by="olga") for each in rows], NOON + 5)
    note(tmp_path, [later(rows[0], What.REMOVED, NOON + 5, by="pia")], NOON + 5)
    writer.close()
    reader = SqliteTraceReader(tmp_path)
    items = reader.with_events(reader.search(Wanted(), 10).items)
    assert [each.outcome for each in items] == [Outcome.QUEUED, Outcome.QUEUED, Outcome.REMOVED]
    assert [(each.what, each.by) for each in items[2].events] == [
        ("accepted", None),
        ("held", "olga"),
        ("removed", "pia"),
    ]


def test_what_cannot_be_noted_is_left(tmp_path: Path) -> None:
    (tmp_path / "tenants").write_text("no folder")
    note(tmp_path, [later(received(), What.HELD)], NOON)
