"""Counts over time, reasons, and how long things took."""

from typing import Any

from gatepost.admin.status.lately import Durations, by_hour, by_minute, refused_by_reason


def minute(**said: Any) -> dict[str, Any]:
    return {"accepted": 0, "refused": {}, "delivered": 0, "deferred": 0, "failed": 0, **said}


def test_every_minute_is_there_and_the_one_that_goes_on_is_not() -> None:
    minutes = {
        "100": minute(accepted=3, refused={"a": 2, "b": 1}),
        "101": minute(delivered=4),
        "102": minute(accepted=9),
        "10": minute(accepted=9),
    }
    found = by_minute(minutes, 102 * 60 + 30, most=3)
    assert found.at == [99 * 60, 100 * 60, 101 * 60]
    assert found.counts["accepted"] == [0, 3, 0] and found.counts["refused"] == [0, 3, 0]
    assert found.counts["delivered"] == [0, 0, 4]
    assert not found.is_empty and by_minute({}, 6000).is_empty


def test_the_commonest_reason_goes_first() -> None:
    minutes = {"1": minute(refused={"a": 1, "b": 2}), "2": minute(refused={"a": 4})}
    assert refused_by_reason(minutes) == [("a", 5), ("b", 2)]


def test_a_tenants_hours_are_of_its_items() -> None:
    items = [
        {"at": "2026-01-02T03:10:00Z", "outcome": "delivered"},
        {"at": "2026-01-02T03:59:59Z", "outcome": "delayed"},
        {"at": "2026-01-02T02:00:00Z", "outcome": "removed"},
        {"at": "2026-01-01T02:00:00Z", "outcome": "refused"},
    ]
    found = by_hour(items, 1767323400.0, most=2)  # 2026-01-02T03:10
    assert {name: list(counts) for name, counts in found.counts.items()} == {
        "delivered": [0, 1],
        "waiting": [0, 1],
        "bounced": [1, 0],
        "refused": [0, 0],
    }


def test_a_share_lies_under_a_bound() -> None:
    found = Durations(bounds=(0.1, 1.0, 10.0), counts=(0, 98, 1, 1))
    assert (found.total, found.within(0.5), found.within(0.99), found.within(1.0)) == (100, 1.0, 10.0, None)
    assert Durations(bounds=(0.1,), counts=(0, 0)).within(0.5) is None
