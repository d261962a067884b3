"""The document of `gatepost status`: every key of the contract, whatever there is."""

from dataclasses import replace
from datetime import UTC, datetime

from admin.status.well import MINUTE, WELL
from gatepost.admin.forecast.forecast import ForecastCode, ForecastItem
from gatepost.admin.status.status import status


def test_what_is_well_has_no_problem_and_every_key() -> None:
    found = status(WELL)
    assert found["ok"] is True and found["problems"] == []
    keys = {"ok", "version", "listeners", "workers", "rates", "queue", "certificates", "problems"}
    assert keys < set(found)
    assert found["uptime_seconds"] == 3600
    assert found["python"] == {"version": "3.11.2", "optimized": True}
    assert found["queue"] == {
        "recipients": 3,
        "oldest_at": "2026-12-01T11:59:00Z",
        "states": {"queued": 3, "active": 0, "held": 0, "bouncing": 0},
        "tenants": [{"tenant": "contoso", "recipients": 3, "oldest_at": "2026-12-01T11:59:00Z"}],
    }


def test_each_process_name_server_and_certificate_is_shown() -> None:
    found = status(WELL)
    assert found["processes"] == [{"name": "the console", "address": "127.0.0.1:8444", "pid": 4, "serving": True}]
    assert found["dns"] == [{"server": "192.0.2.53:53", "answers": True, "milliseconds": 12.3, "problem": None}]
    assert found["certificates"] == [
        {"what": "the server certificate", "tenant": None, "names": ["relay"], "not_after": None}
    ]


def test_rates_are_of_minutes_that_are_over() -> None:
    counted = {"accepted": 2, "refused": {"tls-required": 1}, "delivered": 3, "deferred": 4, "failed": 5}
    minutes = {str(MINUTE - ago): counted for ago in (0, 1, 2, 60, 61)}
    rates = status(replace(WELL, minutes=minutes))["rates"]
    assert rates["last_minute"] == {**counted}
    assert (rates["last_hour"]["accepted"], rates["last_hour"]["refused"]) == (6, {"tls-required": 3})


def test_what_ends_is_shown_before_it_is_a_problem() -> None:
    token = ForecastItem(
        code=ForecastCode.TOKEN_EXPIRES,
        tenant="contoso",
        connector="",
        subject="t7",
        due_at=datetime(2026, 12, 28, tzinfo=UTC),
        says="API token t7 expires.",
        do="make another",
    )
    found = status(replace(WELL, ending=[token, replace(token, due_at=None)]))
    assert found["ok"] is True
    assert found["ends"] == [
        {
            "code": "token-expires",
            "tenant": "contoso",
            "about": "t7",
            "due_at": "2026-12-28T00:00:00Z",
            "says": "API token t7 expires.",
        }
    ]
