"""Values that are made with every message: a frozen dataclass to the type checker, and as equal as one."""

from dataclasses import replace

import pytest

from gatepost.value import value


@value(frozen=True, slots=True, kw_only=True)
class Place:
    queue: str
    number: int = 0


@value(frozen=True, slots=True)
class Pair:
    one: str
    other: str


def test_values_are_equal_where_their_fields_are() -> None:
    assert Place(queue="1", number=2) == replace(Place(queue="1"), number=2)
    assert {Place(queue="1"): "found"}[Place(queue="1")] == "found"
    assert Place(queue="1") != Place(queue="2")
    assert Pair("a", "b") == Pair(one="a", other="b")


def test_a_value_has_the_fields_of_its_class_and_no_others() -> None:
    with pytest.raises(TypeError):
        Place("1")  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Place(queue="1").place = 1  # type: ignore[attr-defined]


def test_the_type_checker_refuses_to_change_a_value() -> None:
    # mypy says so of an `ignore` that is not needed: this line is the test.
    Place(queue="1").number = 1  # type: ignore[misc]
