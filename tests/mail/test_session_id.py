"""Session ids: time and worker can be read from them, and people find them in what they paste."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.mail.session_id import SessionIds, find_session_id, time_of, worker_of


@given(st.integers(0, 63), st.lists(st.floats(0, 4e9), min_size=1, max_size=20))
def test_ids_of_a_worker_strictly_increase_whatever_the_clock_does(worker: int, times: list[float]) -> None:
    ids = SessionIds(worker)
    made = [ids.next(now) for now in times]
    assert made == sorted(set(made))
    assert all(worker_of(each) == worker and len(each) == 16 for each in made)


@given(st.integers(0, 63), st.floats(0, 4e9))
def test_the_time_of_a_session_can_be_read_from_its_id(worker: int, now: float) -> None:
    assert abs(time_of(SessionIds(worker).next(now)).timestamp() - now) < 1e-4


def test_the_ticks_are_those_of_exchange() -> None:
    assert time_of("08DBD79CFB305B7E").replace(microsecond=0) == datetime(2023, 10, 28, 10, 2, 23, tzinfo=UTC)


def test_a_worker_that_has_no_room_in_an_id_is_refused() -> None:
    with pytest.raises(ValueError, match="workers 0 to 63"):
        SessionIds(64)


def test_digits_beyond_the_calendar_are_no_session_id() -> None:
    with pytest.raises(ValueError, match="not a session id"):
        time_of("F" * 16)


@pytest.mark.parametrize(
    "pasted",
    [
        "08dd34fa3086278d",
        " 08DD34FA3086278D\n",
        "550 5.7.64 TenantAttribution; Relay Access Denied; no-certificate x"
        " [relay.example.net 2025-01-29T19:07:01.123Z 08DD34FA3086278D]",
        "550 5.1.1 other [a 2025-01-01T00:00:00.000Z 08D0000000000000] [b 2025-01-01T00:00:00.000Z 08DD34FA3086278D]",
        "Session 08DD34FA3086278D, please",
    ],
)
def test_the_id_is_found_in_what_people_paste(pasted: str) -> None:
    assert find_session_id(pasted) == "08DD34FA3086278D"


@pytest.mark.parametrize("pasted", ["", "550 5.7.64 no", "0123456789ABCDEF0", "0123456789ABCDE"])
def test_where_there_is_no_id_none_is_found(pasted: str) -> None:
    assert find_session_id(pasted) is None
