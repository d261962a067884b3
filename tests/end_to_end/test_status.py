"""`gatepost status`, `/metrics`, `/healthz` and `/readyz` of a relay that serves two tenants."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from end_to_end.api_client import Api, token_for
from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.scene import MESSAGE, UNLISTED_ADDRESS, with_two_tenants
from end_to_end.smtp_client import SmtpClient
from sink import Sink


@pytest.fixture(scope="module")
def internet(outside: Outside) -> Sink:
    return outside.sink()


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, internet: Sink) -> Iterator[Any]:
    relay = Installation(tmp_path_factory.mktemp("relay"), api=True)
    relay.tables = f'[metrics]\naddress = "127.0.0.1:{relay.port_of("metrics")}"\n'
    with_two_tenants(relay, internet.port)
    with relay.serving():
        relay.wait_for_output("metrics on http://")
        yield relay


def ask(relay: Installation, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{relay.port_of('metrics')}{path}", timeout=30)


def value(relay: Installation, series: str) -> float:
    """Of one series, as `name{labels}`."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", ask(relay, "/metrics").text, re.MULTILINE)
    assert found, f"{series} is not in:\n{ask(relay, '/metrics').text}"
    return float(found[1])


def send(relay: Installation, to: str, source: str) -> int:
    with SmtpClient(relay.port, source=source) as smtp:
        smtp.ehlo()
        return smtp.message("ann@contoso.com", to, MESSAGE).code


def test_a_relay_that_serves_is_well_and_says_what_it_did(relay: Installation, internet: Sink) -> None:
    assert send(relay, "one@outside.example", "127.0.1.1") == 250
    assert send(relay, "two@outside.example", UNLISTED_ADDRESS) == 550
    taken(internet, to="one@outside.example")
    wait_until(lambda: len(relay.told("status")["workers"]) == 2, "both workers")
    found = relay.told("status")
    assert set(found) >= {"ok", "version", "listeners", "workers", "rates", "queue", "certificates", "problems"}
    assert found["ok"] is True and found["problems"] == []
    assert [each["state"] for each in found["workers"]] == ["serving", "serving"]
    assert found["listeners"] == [{"address": relay.name_of("main"), "tls": True, "serving": True}]
    assert [(each["name"], each["serving"]) for each in found["processes"]] == [
        ("the API", True),
        ("the metrics server", True),
    ]
    # All smart hosts are addresses: no name server is asked.
    assert found["dns"] == []
    assert found["queue"]["recipients"] == 0
    assert found["certificates"][0]["what"] == "the server certificate"
    assert "serving" in relay("status")


def test_counters_add_up_and_do_not_go_back_when_a_worker_is_killed(relay: Installation, internet: Sink) -> None:
    listener = relay.name_of("main")
    for number in range(4):
        assert send(relay, f"m{number}@outside.example", "127.0.1.1") == 250
        taken(internet, to=f"m{number}@outside.example")
    delivered = 'gatepost_delivery_attempts_total{outcome="delivered",tls="none"}'

    def all_are_counted() -> bool:
        logged = (relay.output.count(" accepted "), relay.output.count(" delivered "))
        return logged == (value(relay, "gatepost_messages_accepted_total"), value(relay, delivered))

    wait_until(lambda: relay.output.count(" delivered ") >= 4 and all_are_counted(), "the messages to be counted")
    accepted = value(relay, "gatepost_messages_accepted_total")
    refused = f'gatepost_sessions_total{{listener="{listener}",outcome="refused",tls="none"}}'
    counted = (value(relay, refused), value(relay, "gatepost_accept_seconds_count"))
    for pid in relay.worker_pids()[:2]:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: value(relay, "gatepost_worker_ends_total") >= 2, "the ends of the workers to be counted")
    assert value(relay, "gatepost_messages_accepted_total") == accepted
    assert (value(relay, refused), value(relay, "gatepost_accept_seconds_count")) == counted
    wait_until(lambda: ask(relay, "/readyz").status_code == 200, "workers to serve again")


def test_a_process_that_keeps_ending_needs_a_person(relay: Installation) -> None:
    def problems() -> list[tuple[str, str]]:
        return [(each["code"], each["about"]) for each in relay.told_whatever("status")["problems"]]

    def metrics_server() -> int:
        found = relay.told_whatever("status")["processes"]
        return next(each["pid"] or 0 for each in found if each["name"] == "the metrics server")

    before = set()
    for _ in range(4):
        wait_until(lambda: metrics_server() not in {0, *before}, "the metrics server to serve again")
        before.add(metrics_server())
        os.kill(metrics_server(), signal.SIGKILL)
    wait_until(lambda: ("process-keeps-ending", "the metrics server") in problems(), "it to be a problem")


def test_every_series_is_there_before_anything_happens(relay: Installation) -> None:
    text = ask(relay, "/metrics").text
    for series in (
        'gatepost_queue_recipients{state="held"} 0.0',
        'gatepost_attribution_total{basis="none",outcome="refused",reason="conflicting-tenants"} 0.0',
        'gatepost_delivery_attempts_total{outcome="failed",tls="TLSv1.3"} 0.0',
    ):
        assert series in text, series
    assert "contoso" not in re.sub(r"gatepost_(prospects|certificate_not_after_seconds)\{[^}]*\}", "", text)


def test_health_and_readiness_are_one_line_and_other_paths_are_none(relay: Installation) -> None:
    live, ready = ask(relay, "/healthz"), ask(relay, "/readyz")
    assert (live.status_code, live.text) == (200, "live\n")
    assert ready.status_code == 200 and ready.text.startswith("ready: ")
    assert ask(relay, "/").status_code == 404
    assert httpx.post(f"http://127.0.0.1:{relay.port_of('metrics')}/metrics").status_code == 405


def test_the_api_has_the_same_metrics_for_an_operator(relay: Installation) -> None:
    with Api(relay, token_for(relay, "--operator")) as operator:
        answer = operator.get("/metrics")
    assert answer.status_code == 200 and "gatepost_messages_accepted_total" in answer.text


def test_systemd_hears_that_the_service_is_ready_and_stops(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("notified")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(folder / "notify"))
        systemd.settimeout(30)
        relay = Installation(folder, workers=1, environment={"NOTIFY_SOCKET": str(folder / "notify")})
        relay.init()
        with relay.serving():
            assert systemd.recv(1000) == b"READY=1\nSTATUS=serving with 1 worker"
        assert systemd.recv(1000) == b"STOPPING=1"


def test_a_relay_that_does_not_run_needs_a_person(tmp_path_factory: pytest.TempPathFactory) -> None:
    stopped = Installation(tmp_path_factory.mktemp("stopped"))
    stopped.init()
    found = stopped.told("status", expect=1)
    assert found["ok"] is False
    assert [(each["code"], each["do"]) for each in found["problems"]] == [("not-running", "systemctl start gatepost")]
    assert found["listeners"][0]["serving"] is False
    assert "not-running" in stopped("status", expect=1)
