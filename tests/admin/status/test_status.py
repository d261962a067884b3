"""What is wrong is a problem with a code and the next step; what is well is none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gatepost.admin.forecast.forecast import ForecastCode, ForecastItem
from gatepost.admin.status.status import Certificate, Listener, Observed, status
from gatepost.queue.message import RecipientState
from gatepost.queue.store import QueueCount

NOW = 1_796_126_400.0
MINUTE = int(NOW // 60)


def worker(number: int, **said: Any) -> dict[str, Any]:
    return {"number": number, "pid": 17, "started_at": NOW - 60, "at": NOW - 1, "why_not": None, "errors": [], **said}


def queued(domain: str, age_s: float, state: RecipientState = RecipientState.QUEUED) -> QueueCount:
    return QueueCount(tenant="contoso", domain=domain, state=state, recipients=3, oldest_received_at=NOW - age_s)


WELL = Observed(
    now=NOW,
    version="0.1.0",
    running_since=NOW - 3600,
    listeners=[Listener(address="0.0.0.0:25", tls=True)],
    places=2,
    workers=[worker(0), worker(1)],
    minutes={},
    queue=[queued("x.example", 60.0)],
    unreadable=[],
    free_disk=10**12,
    disk=10**13,
    least_free_disk=10**6,
    certificates=[Certificate(what="the server certificate", tenant=None, names=("relay",), not_after=None)],
    ending=[],
)


def codes(seen: Observed) -> list[str]:
    found = status(seen)
    assert found["ok"] is (not found["problems"])
    assert all(each["says"] and each["do"] for each in found["problems"])
    return [each["code"] for each in found["problems"]]


def test_what_is_well_has_no_problem_and_every_key() -> None:
    assert codes(WELL) == []
    found = status(WELL)
    keys = {"ok", "version", "listeners", "workers", "rates", "queue", "certificates", "problems"}
    assert keys < set(found)
    assert found["uptime_seconds"] == 3600
    assert found["queue"] == {
        "recipients": 3,
        "oldest_at": "2026-12-01T11:59:00Z",
        "states": {"queued": 3, "active": 0, "held": 0, "bouncing": 0},
        "tenants": [{"tenant": "contoso", "recipients": 3, "oldest_at": "2026-12-01T11:59:00Z"}],
    }


def ending(days: int) -> ForecastItem:
    return ForecastItem(
        code=ForecastCode.OWN_CERTIFICATE_EXPIRES,
        tenant="",
        connector="",
        subject="",
        due_at=datetime.fromtimestamp(NOW, UTC) + timedelta(days=days),
        says="It ends.",
        do="renew it",
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"running_since": None, "workers": []}, "not-running"),
        ({"workers": [worker(0)]}, "worker-not-serving"),
        ({"workers": [worker(0), worker(1, at=NOW - 60)]}, "worker-not-serving"),
        ({"workers": [worker(0, why_not="full"), worker(1)]}, "queue-full"),
        ({"unreadable": ["queue/0.sqlite is damaged"]}, "queue-unreadable"),
        ({"queue": [queued("x.example", 5 * 3600.0)]}, "queue-old"),
        ({"free_disk": 10**6}, "disk-low"),
        ({"workers": [worker(0, errors=[{"at": NOW - 5, "event": "bug", "problem": "x"}]), worker(1)]}, "bug"),
        ({"ending": [ending(13)]}, "own-certificate-expires"),
    ],
)
def test_each_fault_is_a_problem(change: dict[str, Any], code: str) -> None:
    assert codes(replace(WELL, **change)) == [code]


def test_what_is_no_fault_is_no_problem() -> None:
    for change in (
        {"queue": [queued("x.example", 50 * 3600.0, RecipientState.HELD)]},
        {"workers": [worker(0, errors=[{"at": NOW - 7200, "event": "bug", "problem": "x"}]), worker(1)]},
        {"ending": [ending(20)]},
        {"workers": [], "running_since": NOW - 2},
    ):
        assert codes(replace(WELL, **change)) == [], change  # type: ignore[arg-type]


def test_rates_are_of_minutes_that_are_over() -> None:
    counted = {"accepted": 2, "refused": {"tls-required": 1}, "delivered": 3, "deferred": 4, "failed": 5}
    minutes = {str(MINUTE - ago): counted for ago in (0, 1, 2, 60, 61)}
    rates = status(replace(WELL, minutes=minutes))["rates"]
    assert rates["last_minute"] == {**counted}
    assert (rates["last_hour"]["accepted"], rates["last_hour"]["refused"]) == (6, {"tls-required": 3})
