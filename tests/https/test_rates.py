"""How often somebody may ask, and who was known."""

from hypothesis import given
from hypothesis import strategies as st

from gatepost.https.rates import Allotment, Rate, Remembered


@given(st.lists(st.floats(0, 5), min_size=1, max_size=300), st.integers(1, 200))
def test_in_no_stretch_of_time_is_more_allowed_than_its_share_and_the_burst(
    pauses: list[float], per_minute: int
) -> None:
    rate, now, allowed = Rate(per_minute), 0.0, 0
    for pause in pauses:
        now += pause
        allowed += rate.wait_s("a", now) == 0
    assert allowed <= max(per_minute / 4, 1) + now * per_minute / 60 + 1e-6


def test_who_waits_as_long_as_told_is_let_in() -> None:
    rate = Rate(6)
    assert rate.wait_s("a", 0.0) == 0
    wait = rate.wait_s("a", 0.0)
    assert 0 < wait <= 10
    assert rate.wait_s("a", wait + 1e-6) == 0


def test_one_who_asks_too_often_costs_another_nothing() -> None:
    rate = Rate(4)
    while rate.wait_s("greedy", 0.0) == 0:
        pass
    assert rate.wait_s("other", 0.0) == 0


def test_strangers_without_number_are_forgotten() -> None:
    rate = Rate(60)
    for number in range(30_000):
        rate.wait_s(str(number), 0.0)
    assert len(rate._left) <= 10_000


def test_what_is_remembered_is_bounded_and_the_oldest_goes() -> None:
    known = Remembered(3)
    for text in "abcad":
        known.add(text)
    assert [text in known for text in "abcd"] == [True, False, True, True]


@given(st.lists(st.tuples(st.floats(0, 4000), st.integers(0, 500)), max_size=300))
def test_an_allotment_is_overdrawn_once_at_most_and_is_one_keys_own(uses: list[tuple[float, int]]) -> None:
    allotment, now, used = Allotment(8640), 0.0, 0
    for pause, octets in uses:
        now += pause
        if not allotment.wait_s("evil", now):
            allotment.use("evil", octets, now)
            used += octets
    assert used <= 4320 + 500 + now * 0.1 + 1e-3
    assert not allotment.wait_s("contoso", now)
    assert not allotment.wait_s("evil", now + allotment.wait_s("evil", now) + 1e-6)
