"""What a setting may be."""

from collections.abc import Callable
from typing import Any

import pytest

from gatepost.config import conversions
from gatepost.config.conversions import days, duration, endpoint, octets, one_of, or_auto, whole


@pytest.mark.parametrize(
    ("convert", "value", "expected"),
    [
        (duration, "250ms", 0.25),
        (duration, "1.5h", 5400.0),
        (days, "36h", 1.5),
        (octets(0), "150MiB", 150 * 1024**2),
        (octets(0), 7, 7),
        (whole(1, 3), 3, 3),
        (or_auto(whole(1, 3)), "auto", None),
        (one_of("a", "b"), "b", "b"),
        (endpoint, "[::1]:25", ("::1", 25)),
        (conversions.domain, "Relay.Example.net", "relay.example.net"),
    ],
)
def test_what_is_good_is_read_as_meant(convert: Callable[[Any], Any], value: Any, expected: Any) -> None:
    assert convert(value) == expected


@pytest.mark.parametrize(
    ("convert", "value"),
    [
        (duration, "15"),
        (duration, 15),
        (octets(64), "63B"),
        (octets(0), True),
        (whole(1, 3), 4),
        (whole(0, 3), False),
        (one_of("a", "b"), "c"),
        (endpoint, "::1:25"),
        (endpoint, "localhost:25"),
        (conversions.text, ""),
        (conversions.networks, ["192.0.2.1/24"]),
    ],
)
def test_what_is_not_says_what_it_must_be(convert: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        convert(value)
