"""What `promtool` of Debian's Prometheus says of the metrics and of the alert rules."""

import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers import BUILD, free_port, unpacked
from relay import Relay

HERE = Path(__file__).resolve().parent
RULES = HERE.parent / "packaging" / "prometheus" / "gatepost.rules.yml"


def promtool(*arguments: str, stdin: bytes = b"") -> str:
    command = [str(unpacked("prometheus") / "usr" / "bin" / "promtool"), *arguments]
    done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = done.stdout.decode()
    assert done.returncode == 0, said
    return said


@pytest.fixture
def metrics() -> Iterator[bytes]:
    """Of a relay with two tenants."""
    folder = BUILD / "interop" / f"prometheus-{time.time_ns()}"
    relay, port, at = Relay(folder), free_port(), free_port()
    server = {"certificate": folder / "server.pem", "key": folder / "server.key"}
    relay.configure(ports=(port,), tls=server, after=f'[metrics]\naddress = "127.0.0.1:{at}"')
    for tenant in ("contoso", "fabrikam"):
        relay.set_up("tenant", "add", tenant)
    relay.start()
    try:
        yield _scraped(at)
    finally:
        relay.stop()


def _scraped(port: int) -> bytes:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                scraped: bytes = answer.read()
                return scraped
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_promtool_finds_nothing_wrong_with_the_metrics(metrics: bytes) -> None:
    assert metrics.count(b"# TYPE gatepost_") > 15
    assert promtool("check", "metrics", stdin=metrics).strip() == ""


def test_promtool_reads_every_alert_rule() -> None:
    assert "SUCCESS: 10 rules found" in promtool("check", "rules", str(RULES))


def test_each_alert_is_raised_by_its_fault_and_by_nothing_else() -> None:
    assert "SUCCESS" in promtool("test", "rules", str(HERE / "alerts.yml"))
