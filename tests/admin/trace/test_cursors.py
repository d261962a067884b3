"""A cursor opens the list that it was given for, and one that was changed opens none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.admin.trace.cursors import cursor_of, place_in


@given(st.text(), st.text())
def test_a_cursor_leads_back_to_its_place(list_: str, place: str) -> None:
    encodable = place.encode("utf-8", "ignore").decode()
    assert place_in(list_, cursor_of(list_, encodable)) == encodable


@given(st.text(min_size=1), st.data())
def test_a_changed_cursor_or_another_list_opens_nothing(place: str, data: st.DataObject) -> None:
    cursor = cursor_of("this", place.encode("utf-8", "ignore").decode())
    assert place_in("that", cursor) is None
    at = data.draw(st.integers(0, len(cursor) - 1))
    other = data.draw(st.sampled_from("ABCDabcd0123-_"))
    changed = cursor[:at] + other + cursor[at + 1 :]
    assert changed == cursor or place_in("this", changed) in (None, place_in("this", cursor))


@pytest.mark.parametrize("nonsense", ["", "x", "!!!!", "AAAA", "\u00e9", "A" * 1000])
def test_nonsense_opens_nothing(nonsense: str) -> None:
    assert place_in("this", nonsense) is None
