"""What is wrong is a problem with a code and the next step; what is well is none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from admin.status.well import MINUTE, NOW, WELL, queued, worker
from gatepost.admin.forecast.forecast import ForecastCode, ForecastItem
from gatepost.admin.status.observed import Face, NameServer, Observed
from gatepost.admin.status.problems import problems_of
from gatepost.queue.message import RecipientState
from gatepost.tenancy.signing_key import Algorithm, KeyState, SigningKey

LOST_KEY = SigningKey(
    tenant="contoso",
    domain="contoso.com",
    selector="s1",
    algorithm=Algorithm.RSA_2048,
    public_key="AAAA",
    state=KeyState.ACTIVE,
    created_at=datetime.fromtimestamp(NOW, UTC),
    missing_since=datetime.fromtimestamp(NOW, UTC),
)


def codes(seen: Observed) -> list[str]:
    found = problems_of(seen)
    assert all(each.says and each.do for each in found)
    return [each.code for each in found]


def ending(days: int | None, code: ForecastCode = ForecastCode.OWN_CERTIFICATE_EXPIRES) -> ForecastItem:
    return ForecastItem(
        code=code,
        tenant="",
        connector="",
        subject="",
        due_at=None if days is None else datetime.fromtimestamp(NOW, UTC) + timedelta(days=days),
        says="It ends.",
        do="renew it",
    )


def counted(delivered: int, refused: dict[str, int] | None = None) -> dict[str, Any]:
    return {"accepted": 0, "refused": refused or {}, "delivered": delivered, "deferred": 0, "failed": 0}


def refused(reason: str, count: int) -> dict[str, Any]:
    return {str(MINUTE - 5): counted(0, {reason: count})}


def down(for_s: float, code: str = "next-hop-down") -> dict[str, Any]:
    return {"code": code, "about": "contoso/out", "since": NOW - for_s, "says": "it is down", "do": "look after it"}


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
        ({"lost_keys": [LOST_KEY]}, "signing-key-missing"),
        ({"ending": [ending(13)]}, "own-certificate-expires"),
        ({"ending": [ending(None)]}, "own-certificate-expires"),
        ({"ending": [ending(29, ForecastCode.RENEWAL_STUCK)]}, "renewal-stuck"),
        ({"faces": [Face(name="the console", address="127.0.0.1:8444", pid=None)]}, "process-not-serving"),
        ({"alarms_not_told": "it answers HTTP 500"}, "alarm-not-sent"),
        ({"ended": [{"name": "worker 0", "at": NOW - 60}] * 4}, "process-keeps-ending"),
        ({"damaged_trace": ["trace/tenants/x.sqlite is damaged"]}, "trace-damaged"),
        ({"not_found_out": ["directory.sqlite: disk I/O error"]}, "store-unavailable"),
        ({"queue": [queued(f"{name}.example", 700.0) for name in "abc"]}, "nothing-delivered"),
        ({"minutes": refused("tls-required", 100)}, "many-refusals"),
        ({"name_servers": [NameServer(address="x", took_s=None, problem="no answer")]}, "dns-does-not-answer"),
        ({"without_dane": ["out", "contoso/out"], "why_no_dane": "it does not validate"}, "dane-disabled"),
        ({"workers": [worker(0, next_hops=[down(700)]), worker(1)]}, "next-hop-down"),
        ({"workers": [worker(0, next_hops=[down(1, "relay-refuses-us")]), worker(1)]}, "relay-refuses-us"),
    ],
)
def test_each_fault_is_a_problem(change: dict[str, Any], code: str) -> None:
    assert codes(replace(WELL, **change)) == [code]


def test_what_is_no_fault_is_no_problem() -> None:
    for change in (
        {"queue": [queued("x.example", 50 * 3600.0, RecipientState.HELD)]},
        {"workers": [worker(0, errors=[{"at": NOW - 7200, "event": "bug", "problem": "x"}]), worker(1)]},
        {"ending": [ending(20)]},
        {"ending": [ending(None, ForecastCode.CONNECTOR_NEVER_USED)]},
        {"workers": [], "running_since": NOW - 2},
        {"ended": [{"name": f"worker {number}", "at": NOW - 60} for number in (0, 0, 0, 1, 1)]},
        {"ended": [{"name": "worker 0", "at": NOW - 7200}] * 4},
        {"queue": [queued("a.example", 700.0), queued("b.example", 700.0), queued("c.example", 7.0)]},
        {"queue": [queued(f"{name}.example", 700.0) for name in "abc"], "minutes": {str(MINUTE - 5): counted(1)}},
        {"queue": [queued(f"{name}.example", 700.0) for name in "abc"], "running_since": NOW - 30},
        {"minutes": refused("other", 1000)},
        {"minutes": refused("tls-required", 99)},
        {"minutes": {**refused("tls-required", 100), str(MINUTE - 20): counted(0, {"tls-required": 50})}},
        {"name_servers": [*WELL.name_servers, NameServer(address="x", took_s=None, problem="no answer")]},
        {"name_servers": [NameServer(address="x", took_s=None, problem="no answer")], "needs_dns": False},
        {"workers": [worker(0, next_hops=[down(60)]), worker(1)]},
    ):
        assert codes(replace(WELL, **change)) == [], change  # type: ignore[arg-type]


def test_two_of_a_kind_are_told_apart_by_what_they_are_about_and_by_nothing_that_changes() -> None:
    faces = [Face(name=name, address="127.0.0.1:1", pid=None) for name in ("the API", "the console")]
    stuck = replace(WELL, faces=faces, workers=[worker(0, next_hops=[down(700)]), worker(1)])
    later = replace(stuck, now=NOW + 5, workers=[worker(0, next_hops=[down(800)]), worker(1, at=NOW + 4)])
    found = [(each.code, each.about) for each in problems_of(stuck)]
    assert len(set(found)) == len(found) == 3
    assert [(each.code, each.about) for each in problems_of(later)] == found
