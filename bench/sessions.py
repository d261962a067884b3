"""What many sessions cost: ten thousand that idle under TLS, a thousand that dribble, and a disk that is slow.

    python bench/sessions.py [--idle 10000] [--slow 1000] [--seconds 10]

1. Idle: the load generator opens so many TLS sessions with a client certificate and lets them rest. Memory is that of
   all processes of the relay, shared pages counted once (PSS).
2. Slow: one tenant has so many sessions open that send an octet of content a second each. Another tenant sends at a
   fixed rate, before and meanwhile, and its latency is compared.
3. Slow disk: every sync takes 300 ms longer (slow_disk.c) while 200 connections send 100 KB messages as fast as they
   are let. Memory must stop growing; the senders must wait.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from contestants import Certificates
from peers import PeerError, free_port
from processes import descendants
from relay import Relay, RelayError
from results import Clock, Finding, common_options, keep, table
from slow_senders import SlowSenders
from tools import BenchError, Sink, build, slow_disk

from gatepost.loadgen.load import Load, LoadResult, command, run

NEIGHBOUR, SLOW = "127.0.0.1", "127.0.2.1"
SYNC_MS = 300
REST_S = 2.0
"""After so long the last of the sessions is as idle as the first."""
MIB = 2**20


def main() -> int:
    options = _options()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    try:
        build()
        return _run(options)
    except (BenchError, PeerError, RelayError) as error:
        print(f"sessions: {error}", file=sys.stderr)
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--slow", type=int, default=1000)
    parser.add_argument("--senders", type=int, default=200, help="to the slow disk")
    parser.add_argument("--rate", type=float, default=200, help="of the neighbour, messages a second (default: 200)")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement (default: 10)")
    common_options(parser)
    return parser.parse_args()


def _run(options: argparse.Namespace) -> int:
    folder = options.folder / f"sessions-{os.getpid()}"
    folder.mkdir(parents=True)
    clock = Clock()
    certificates = Certificates.made(folder / "pki")
    sink = Sink(folder)
    try:
        findings = [
            *_idle(options, _relay(folder / "idle", certificates, sink), certificates),
            *_slow_senders(options, _relay(folder / "slow", certificates, sink)),
            *_slow_disk(options, _relay(folder / "slow-disk", certificates, sink)),
        ]
    finally:
        sink.stop()
        shutil.rmtree(folder, ignore_errors=True)
    rows = [each.as_json() for each in findings]
    path = keep("sessions", clock, options, {"findings": rows})
    print(f"\n{table(rows)}\n\n{path}")
    return 0 if all(each.met for each in findings) else 1


class _Serving:
    """The relay, from the first line of a `with` to its last."""

    def __init__(self, relay: Relay, port: int) -> None:
        self.port = port
        self._relay = relay

    def __call__(self, environment: dict[str, str] | None = None) -> "_Serving":
        self._environment = environment
        return self

    def __enter__(self) -> "_Serving":
        self._relay.start(self._environment)
        return self

    def __exit__(self, *error: object) -> None:
        self._relay.stop()

    def greeted(self) -> int:
        """How often a client said EHLO."""
        return self._relay.protocol_log("receive").count("EHLO load.")

    def memory(self) -> float:
        """PSS of all its processes in MiB."""
        return sum(map(_pss, descendants(self._relay.pid)))


def _relay(folder: Path, certificates: Certificates, sink: Sink) -> _Serving:
    relay, port = Relay(folder), free_port()
    tls = {
        "certificate": certificates.server.chain_file,
        "key": certificates.server.key_file,
        "client_roots": certificates.roots,
    }
    # Everything here comes from one machine.
    limits = "\n[listener.limits]\nsessions = 20000\nsessions_per_address = 20000"
    limits += "\nsessions_per_minute = 1000000\nreserved_sessions = 0"
    relay.configure(ports=(port,), tls=tls, after=limits)
    for tenant, way in (
        ("contoso", ("--certificate-name", "mail.contoso.com")),
        ("neighbour", ("--address", NEIGHBOUR)),
        ("slow", ("--address", SLOW)),
    ):
        relay.set_up("tenant", "add", tenant)
        relay.set_up("domain", "add", tenant, f"{tenant}.com", "--verified")
        relay.set_up("inbound-connector", "add", tenant, "mail", *way)
    relay.set_up("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{sink.port}", "--tls", "none")
    return _Serving(relay, port)


def _say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def _pss(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


# --- idle ------------------------------------------------------------------------------------------------------------


def _idle(options: argparse.Namespace, relay: _Serving, certificates: Certificates) -> Iterator[Finding]:
    client = certificates.client
    # A rate so low that all but a few sessions wait for their turn: greeted, under TLS, idle.
    load = Load(
        port=relay.port,
        messages=options.idle,
        connections=options.idle,
        rate=0.1,
        sender="load@contoso.com",
        starttls=True,
        certificate=client.chain_file,
        key=client.key_file,
    )
    with relay():
        empty = relay.memory()
        _say(f"{options.idle} TLS sessions")
        generator = subprocess.Popen(command(load), stdout=subprocess.DEVNULL)
        try:
            _wait_for_sessions(relay, options.idle, generator)
            time.sleep(min(REST_S, options.seconds))
            full = relay.memory()
            held = _established(relay.port)
        finally:
            generator.terminate()
            generator.wait()
    if held < options.idle:
        raise BenchError(f"only {held} of {options.idle} sessions stayed open")
    about = f"all processes of the relay with {options.idle:,} idle TLS sessions"
    yield Finding(about=about, figure=full, unit="MiB", most=1024)
    yield Finding(about="the same without sessions", figure=empty, unit="MiB")
    yield Finding(about="a session", figure=(full - empty) * 1024 / options.idle, unit="KiB")


def _wait_for_sessions(relay: _Serving, count: int, generator: "subprocess.Popen[bytes]") -> None:
    """Until so many are under TLS and have said EHLO a second time, as the relay's own log has it."""
    deadline = time.monotonic() + 180
    while relay.greeted() < 2 * count:
        if generator.poll() is not None:
            raise BenchError("the load generator gave up")
        if time.monotonic() > deadline:
            raise BenchError(f"{_established(relay.port)} of {count} sessions after three minutes")
        time.sleep(0.2)


def _established(port: int) -> int:
    """Connections that the server's side of the port has open."""
    wanted = f":{port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(1 for fields in map(str.split, lines) if fields[1].endswith(wanted) and fields[3] == "01")


# --- slow senders ----------------------------------------------------------------------------------------------------


def _slow_senders(options: argparse.Namespace, relay: _Serving) -> Iterator[Finding]:
    load = Load(
        port=relay.port,
        messages=max(100, int(options.rate * options.seconds)),
        rate=options.rate,
        connections=10,
        per_connection=500,
        sender="load@neighbour.com",
    )
    with relay():
        _sent(replace(load, messages=100, rate=0))
        _say(f"{options.rate:.0f}/s of a tenant alone")
        alone = _sent(load)
        _say(f"the same beside {options.slow} sessions of another that send an octet a second")
        with SlowSenders(relay.port, options.slow, address=SLOW, sender="slow@slow.com") as senders:
            beside = _sent(load)
            octets = senders.octets
    yield Finding(about="250 after the content, p99, a tenant alone", figure=alone.latency_ms.p99, unit="ms")
    about = f"the same beside {options.slow:,} slow senders of another tenant"
    yield Finding(about=about, figure=beside.latency_ms.p99, unit="ms", most=20)
    yield Finding(about="octets of content that the slow ones sent meanwhile", figure=octets, unit="")


def _sent(load: Load) -> LoadResult:
    result = run(load)
    if not result.ok:
        raise BenchError(f"{result.accepted} of {result.messages} messages accepted: {result.trouble}")
    return result


# --- slow disk -------------------------------------------------------------------------------------------------------


def _slow_disk(options: argparse.Namespace, relay: _Serving) -> Iterator[Finding]:
    load = Load(
        port=relay.port,
        messages=1_000_000,
        size=100 * 1024,
        connections=options.senders,
        per_connection=500,
        sender="load@neighbour.com",
    )
    seconds = options.seconds * 3
    with relay(slow_disk(SYNC_MS)):
        _say(f"{options.senders} senders of 100 KB messages for {seconds:.0f} s while each sync takes {SYNC_MS} ms")
        generator = subprocess.Popen(command(load), stdout=subprocess.DEVNULL)
        try:
            first, second = _peak(relay, seconds / 2), _peak(relay, seconds / 2)
        finally:
            generator.terminate()
            generator.wait()
    about = f"slow disk ({SYNC_MS} ms a sync), {options.senders} senders: the relay's memory at its peak"
    yield Finding(about=about, figure=max(first, second), unit="MiB", most=512)
    yield Finding(
        about="how much of that came in the second half", figure=max(0.0, second - first), unit="MiB", most=32
    )


def _peak(relay: _Serving, seconds: float) -> float:
    peak, enough = 0.0, threading.Event()
    threading.Timer(seconds, enough.set).start()
    while not enough.wait(0.25):
        peak = max(peak, relay.memory())
    return peak


if __name__ == "__main__":
    sys.exit(main())
