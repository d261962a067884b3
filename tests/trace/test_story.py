"""Where a recipient stands follows from what happened to it."""

from contracts.trace_store_contract import NOON, event, received
from gatepost.trace.story import Outcome, What, events_of, item_of


def test_what_was_refused_stays_refused_and_what_was_accepted_is_queued() -> None:
    assert item_of(received(refused=True), ()).outcome is Outcome.REFUSED
    assert item_of(received(), ()).outcome is Outcome.QUEUED


def test_the_last_event_that_decides_is_the_one_that_counts() -> None:
    deferred = received(first=event(What.DEFERRED))
    assert item_of(deferred, ()).outcome is Outcome.DELAYED
    held = event(What.HELD, NOON + 5, by="olga")
    item = item_of(deferred, [event(What.DELIVERED, NOON + 3), held])
    assert (item.outcome, item.last and item.last.at) == (Outcome.DELIVERED, NOON + 3)
    events = events_of(deferred, [event(What.DELIVERED, NOON + 3), held])
    assert [each.what for each in events] == ["accepted", "deferred", "delivered", "held"]


def test_a_discreet_item_shows_domains_and_nobody() -> None:
    shown = item_of(received(refused=True, subject="secret"), ()).discreet().received
    assert (shown.mail_from, shown.message_id, shown.subject) == ("…@contoso.com", None, None)
    assert shown.rcpt_to == "…@outside.example"
    assert item_of(received(refused=True, mail_from=""), ()).discreet().received.mail_from == ""


def test_an_id_names_the_session_and_the_place_in_it() -> None:
    assert received(session_id="08DF4F93C5973841", within="2.7").id == "08DF4F93C5973841.2.7"


def test_what_follows_a_reception_changes_nothing_else_of_it() -> None:
    before, first = received(), event(What.DELIVERED)
    assert before.followed_by(first) == before._replace(first=first)
    assert before.followed_by(event(What.DEFERRED)).followed_by(first) == before._replace(first=first)
