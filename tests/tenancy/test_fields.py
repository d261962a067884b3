"""Forms of values, and objects that are written and read by them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from gatepost.tenancy.fields import (
    FLAG,
    ON_OFF_OR_NONE,
    SET_OF_TEXTS,
    TEXT,
    TEXT_OR_NONE,
    TEXTS,
    TIME,
    TIME_OR_NONE,
    Field,
    Fields,
    Form,
    default_of,
    object_from,
    record_of,
)


@dataclass(frozen=True)
class Thing:
    name: str
    tags: tuple[str, ...] = ("new",)
    made_at: datetime | None = None


DEFINITION = Fields(
    Field(name="name", form=TEXT), Field(name="tags", form=TEXTS), Field(name="made_at", form=TIME_OR_NONE)
)


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        (TEXT, "x", None),
        (TEXT_OR_NONE, None, 1),
        (TEXTS, [], "x"),
        (SET_OF_TEXTS, ["x"], [1]),
        (FLAG, False, 0),
        (ON_OFF_OR_NONE, None, "on"),
        (TIME, "2026-01-02T03:04:05Z", "2026-01-02"),
        (TIME_OR_NONE, None, "yesterday"),
    ],
)
def test_a_form_takes_its_own_values_alone(form: Form, good: Any, bad: Any) -> None:
    assert form.fits(good) and not form.fits(bad)


def test_an_object_is_written_in_the_order_of_its_fields_and_read_back() -> None:
    thing = Thing("a", ("x", "y"), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    record = record_of(thing, DEFINITION)
    assert list(record.items()) == [("name", "a"), ("tags", ["x", "y"]), ("made_at", "2026-01-02T03:04:05Z")]
    assert object_from(Thing, DEFINITION, record) == thing


def test_what_a_record_leaves_out_has_its_default_and_what_nobody_knows_is_left() -> None:
    assert object_from(Thing, DEFINITION, {"name": "a", "of_tomorrow": 1}) == Thing("a")
    with pytest.raises(TypeError, match="name"):
        object_from(Thing, DEFINITION, {})


def test_a_default_is_said_as_json_and_a_list_that_must_be_given_begins_empty() -> None:
    assert default_of(Thing, DEFINITION["tags"]) == ["new"]
    assert default_of(Thing, DEFINITION["made_at"]) is None
    assert default_of(Thing, DEFINITION["name"]) == []
