"""Who holds a connection, and who gives one up."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.https.places import Place, Places, Use, crowd_of

OPERATORS = [ip_network("198.51.100.0/24")]


class Hall:
    """Places, and what became of those who had one."""

    def __init__(self, most: int = 6, of_a_crowd: int = 4, of_operators: int = 2) -> None:
        self.places = Places(most, of_a_crowd, of_operators, OPERATORS)
        self.gone: list[str] = []

    def take(self, address: str, name: str = "") -> Place | None:
        return self.places.take(address, lambda: self.gone.append(name or address))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.254", True),
        ("192.0.2.1", "192.0.3.1", False),
        ("2001:db8::1", "2001:db8::ffff:0:0:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
    ],
)
def test_a_24_and_a_64_are_one_crowd(one: str, other: str, same: bool) -> None:
    assert (crowd_of(one) == crowd_of(other)) is same


def test_the_most_crowded_network_makes_room_and_its_oldest_goes_first() -> None:
    hall = Hall()
    for number in range(4):
        hall.take(f"192.0.2.{number}")
    hall.take("203.0.113.1")
    hall.take("203.0.114.1")
    assert hall.take("203.0.115.1") is not None
    assert hall.gone == ["192.0.2.0"]


def test_who_is_between_two_requests_goes_before_who_has_just_come() -> None:
    hall = Hall(most=2)
    hall.take("192.0.2.1")
    idle = hall.take("192.0.2.2")
    assert idle is not None
    hall.places.note(idle, Use.BUSY)
    hall.places.note(idle, Use.IDLE)
    hall.take("203.0.113.1")
    assert hall.gone == ["192.0.2.2"]


def test_a_network_that_is_full_makes_room_by_itself_alone() -> None:
    hall = Hall()
    hall.take("203.0.113.1")
    for number in range(5):
        hall.take(f"192.0.2.{number}")
    assert hall.gone == ["192.0.2.0"]


def test_who_has_a_request_under_way_is_not_sent_away() -> None:
    hall = Hall(most=2)
    for number in range(2):
        place = hall.take(f"192.0.2.{number}")
        assert place is not None
        hall.places.note(place, Use.BUSY)
    assert hall.take("203.0.113.1") is None and hall.gone == []


def test_operators_come_in_however_many_strangers_there_are() -> None:
    hall = Hall(most=4)
    for number in range(100):
        place = hall.take(f"192.0.{number}.1")
        if place:
            hall.places.note(place, Use.BUSY)
    mine = hall.take("198.51.100.7")
    assert mine is not None and hall.gone == []
    for number in range(100):
        hall.take(f"203.0.{number}.1")
    assert "198.51.100.7" not in hall.gone


def test_who_showed_an_operators_token_is_no_stranger_any_more() -> None:
    hall = Hall(most=2)
    mine = hall.take("203.0.113.1")
    assert mine is not None
    hall.places.becomes_operators(mine)
    hall.places.note(mine, Use.IDLE)
    for number in range(50):
        hall.take(f"192.0.{number}.1")
    assert "203.0.113.1" not in hall.gone and hall.places.held == 3


_steps = st.lists(
    st.tuples(st.sampled_from(["take", "busy", "idle", "leave", "operator"]), st.integers(0, 9), st.integers(0, 30)),
    max_size=200,
)


@given(_steps)
def test_the_bounds_hold_whatever_happens_and_nobody_is_counted_twice(steps: list[tuple[str, int, int]]) -> None:
    hall = Hall()
    held: dict[int, Place] = {}
    gone: set[int] = set()
    for count, (what, network, which) in enumerate(steps):
        if what == "take":
            address = f"198.51.100.{count % 250}" if network == 0 else f"192.0.{network}.{count % 250}"
            place = hall.places.take(address, lambda count=count: gone.add(count))  # type: ignore[misc]
            if place:
                held[count] = place
        elif held:
            key = sorted(held)[which % len(held)]
            if what == "leave":
                hall.places.leave(held.pop(key))
            elif what == "operator":
                hall.places.becomes_operators(held[key])
            else:
                hall.places.note(held[key], Use.BUSY if what == "busy" else Use.IDLE)
        standing = set(held) - gone
        assert hall.places.held == len(standing)
        assert hall.places.held <= 6 + 2
