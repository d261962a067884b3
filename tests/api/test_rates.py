"""How often somebody may ask, and who was known."""

from hypothesis import given
from hypothesis import strategies as st

from gatepost.api.rates import Rate, Remembered


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
