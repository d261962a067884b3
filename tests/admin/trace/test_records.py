"""The JSON of design §7, and lines in which nothing is a formula."""

from dataclasses import replace

import pytest

from contracts.trace_store_contract import NOON, event, received
from gatepost.admin.trace.records import COLUMNS, cells, event_record, item_record, story_record
from gatepost.trace.story import Event, Item, Received, What, events_of, item_of


def told(first: Received, *later: Event) -> Item:
    """As a story holds it."""
    return replace(item_of(first, later), events=events_of(first, later))


def test_an_item_has_the_keys_that_other_programs_rely_on() -> None:
    keys = ["id", "session_id", "message_id", "at", "tenant", "connector", "basis", "address", "mail_from", "rcpt_to"]
    keys += ["size", "outcome", "reason", "reply", "tls"]
    record = item_record(item_of(received(first=event(What.DELIVERED)), ()))
    assert set(keys) < set(record)
    assert (record["outcome"], record["reply"], record["at"]) == (
        "delivered",
        "250 2.0.0 ok",
        "2026-12-01T12:00:00Z",
    )
    assert record["message_id"].startswith("<") and record["message_id"].endswith(">")


def test_a_story_tells_of_the_recipient_that_went_wrong_and_of_all() -> None:
    fine, wrong = received(first=event(What.DELIVERED)), received(NOON + 0.5, first=event(What.FAILED, NOON + 3))
    story = story_record([told(fine), told(wrong)])
    assert story["id"] == wrong.id and len(story["recipients"]) == 2
    assert [(each["event"], each["rcpt_to"]) for each in story["events"]] == [
        ("accepted", fine.rcpt_to),
        ("accepted", wrong.rcpt_to),
        ("delivered", fine.rcpt_to),
        ("failed", wrong.rcpt_to),
    ]
    assert all({"at", "event"} <= set(each) for each in story["events"])


def test_an_attempt_says_where_it_went_how_long_it_took_and_what_comes_next() -> None:
    item = told(received(), event(What.DEFERRED, why="busy", reply=None, due_at=NOON + 60))
    record = event_record(item, item.events[-1])
    assert record["host"] and record["seconds"] == 0.25 and record["tls"] == "TLSv1.3"
    assert (record["why"], record["next_attempt_at"]) == ("busy", "2026-12-01T12:01:00Z")


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("a;=1", "a;'=1"),
        ('a, "=1"', 'a,\' "=1"'),
        ("a\r\n-1", "a\r\n'-1"),
        (" =1", "' =1"),
        ("\uff1d1", "'\uff1d1"),
        ("a;\uff201", "a;'\uff201"),
        ("ann+tag=x-y@contoso.com", "ann+tag=x-y@contoso.com"),
    ],
)
def test_no_cell_is_a_formula(hostile: str, shown: str) -> None:
    row = cells(item_record(item_of(received(mail_from=hostile, message_id=None), ())))
    assert row[COLUMNS.index("mail_from")] == shown
    assert not any(cell[:1] in ("=", "+", "-", "@") for cell in row)
