"""`make bench`: Gatepost and Postfix under the same load, in turns, on the same disk.

Each round measures every mode on each server in turn; the table shows the medians of the rounds. The raw figures, with
the facts of the machine, go to `bench/results/`. Postfix comes from Debian's package (see interop/peers.py) and is left
out, with a line that says why, where it cannot be had.
"""

import argparse
import json
import os
import platform
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from contestants import BY_ADDRESS, BY_CERTIFICATE, Certificates, Contestant, GatepostContestant, PostfixContestant
from peers import PeerError
from processes import cpu_seconds, machine_cpu_seconds
from relay import RelayError
from report import Measurement, medians, table
from tools import BUILD, BenchError, Sink, build, limit, send

from gatepost.bench.load import Load

ROOT = Path(__file__).resolve().parent.parent
MODES = ("plain-new", "plain-reused", "tls-new", "tls-reused")
WARM_UP = 200
MOST_PER_CONNECTION = 1000
"""What Gatepost allows by default; Postfix has no limit of its own."""
IDLE_SECONDS = 0.5
"""A server that takes this long without using a tick of CPU is idle."""


def main() -> int:
    options = _options()
    try:
        build()
        return _bench(options)
    except (BenchError, PeerError, RelayError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=3000, help="per measurement (default: 3000)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=_numbers, default=(20,), metavar="N[,N...]", help="default: 20")
    parser.add_argument("--modes", type=_modes, default=MODES, metavar="MODE[,MODE...]", help=f"of: {', '.join(MODES)}")
    parser.add_argument("--servers", type=_servers, default=tuple(SERVERS), help="postfix,gatepost")
    parser.add_argument("--size", type=int, default=10240, help="octets of a message (default: 10240)")
    parser.add_argument("--recipients", type=int, default=1)
    parser.add_argument("--pipelining", action="store_true", help="the client sends a transaction's commands at once")
    parser.add_argument("--half-load", action="store_true", help="measure latency at half the delivered rate as well")
    parser.add_argument("--folder", type=Path, default=BUILD, help="where queues lie, so which disk is measured")
    parser.add_argument("--keep", action="store_true", help="keep the servers' folders")
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _modes(text: str) -> tuple[str, ...]:
    return _some_of(text, MODES)


def _servers(text: str) -> tuple[str, ...]:
    return _some_of(text, tuple(SERVERS))


def _some_of(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    chosen = tuple(text.split(","))
    for one in chosen:
        if one not in known:
            raise argparse.ArgumentTypeError(f"{one}: not one of {', '.join(known)}")
    return chosen


SERVERS: dict[str, type[PostfixContestant] | type[GatepostContestant]] = {
    "postfix": PostfixContestant,
    "gatepost": GatepostContestant,
}


def _bench(options: argparse.Namespace) -> int:
    folder = options.folder / f"run-{os.getpid()}"
    folder.mkdir(parents=True)
    certificates = Certificates.made(folder / "pki")
    sink = Sink(folder)
    servers = list(_started(options, folder, certificates, sink))
    try:
        if not servers:
            raise BenchError("no server to measure")
        bench = Bench(options, certificates, sink)
        limits = _limits(folder, certificates, sink, options)
        measurements = [one for number in range(options.rounds) for one in bench.round(servers, number)]
        rows = medians(measurements)
        half = bench.half_load(servers, rows) if options.half_load else []
    finally:
        for server in servers:
            server.stop()
        sink.stop()
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    _publish(options, servers, limits, rows, half, measurements)
    return 0


def _started(options: argparse.Namespace, folder: Path, certificates: Certificates, sink: Sink) -> Iterator[Contestant]:
    for name in options.servers:
        try:
            server = SERVERS[name](folder / name, certificates, sink.port)
            server.start()
        except PeerError as error:
            if name != "postfix" or os.environ.get("CI") == "true":
                raise
            print(f"bench: Postfix is left out: {error}", file=sys.stderr)
            continue
        yield server


class Bench:
    """One load, applied to each server in each mode."""

    def __init__(self, options: argparse.Namespace, certificates: Certificates, sink: Sink) -> None:
        self._options = options
        self._certificates = certificates
        self._sink = sink
        self._messages: int = options.messages

    def round(self, servers: list[Contestant], number: int) -> Iterator[Measurement]:
        for mode in self._options.modes:
            for connections in self._options.connections:
                # Who goes first changes, so that no one always meets the disk as the other left it.
                for server in servers if number % 2 == 0 else reversed(servers):
                    if number == 0:
                        self._measure(server, mode, connections, messages=WARM_UP)
                    yield self._measure(server, mode, connections, messages=self._messages)

    def half_load(self, servers: list[Contestant], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Latency at half the rate that the server delivered at full load."""
        found = []
        for row in rows:
            server = next(server for server in servers if server.name == row["server"])
            rate = row["delivered_per_second"] / 2
            messages = max(1, int(rate * 5))
            one = self._measure(server, row["mode"], row["connections"], messages=messages, rate=rate)
            found.append({"rate": round(rate, 1), **one.as_json()})
        return found

    def _measure(
        self, server: Contestant, mode: str, connections: int, *, messages: int, rate: float = 0
    ) -> Measurement:
        load = self._load_for(server, mode, messages=messages, connections=connections, rate=rate)
        due = self._sink.deliveries + messages * self._options.recipients
        machine_before, started = machine_cpu_seconds(), time.monotonic()
        server_before, sink_before = cpu_seconds(server.pid), cpu_seconds(self._sink.pid)
        sent = send(load)
        self._sink.wait_for(due, seconds=60 + messages / 20)
        seconds = self._sink.last_at - sent.started_at
        server_cpu = _idle_cpu(server.pid) - server_before
        sink_cpu = cpu_seconds(self._sink.pid) - sink_before
        others_cpu = machine_cpu_seconds() - machine_before - server_cpu - sink_cpu - sent.cpu_s
        return Measurement(
            server=server.name,
            mode=mode,
            connections=connections,
            accepted_per_second=sent.per_second,
            delivered_per_second=messages / seconds,
            cpu_ms=server_cpu / messages * 1000,
            latency_p50_ms=sent.latency_ms.p50,
            latency_p99_ms=sent.latency_ms.p99,
            load_cores=sent.cores,
            sink_cores=sink_cpu / seconds,
            other_cores=max(0.0, others_cpu / (time.monotonic() - started)),
        )

    def _load_for(self, server: Contestant, mode: str, *, messages: int, connections: int, rate: float) -> Load:
        plain = mode.startswith("plain")
        client = None if plain else self._certificates.client
        return Load(
            port=server.plain_port if plain else server.tls_port,
            messages=messages,
            connections=connections,
            rate=rate,
            size=self._options.size,
            recipients=self._options.recipients,
            per_connection=1 if mode.endswith("-new") else MOST_PER_CONNECTION,
            pipelining=self._options.pipelining,
            sender=BY_ADDRESS if plain else BY_CERTIFICATE,
            starttls=not plain,
            certificate=client.chain_file if client else None,
            key=client.key_file if client else None,
        )


def _idle_cpu(pid: int) -> float:
    """The server's CPU time once it has cleaned up behind the last message."""
    used = cpu_seconds(pid)
    for _ in range(20):
        time.sleep(IDLE_SECONDS)
        now = cpu_seconds(pid)
        if now - used < 0.02 * IDLE_SECONDS:
            return now
        used = now
    return used


def _limits(folder: Path, certificates: Certificates, sink: Sink, options: argparse.Namespace) -> dict[str, Any]:
    """What nothing here can exceed: the tools themselves, the disk, the TLS library."""
    tls = (certificates.server, certificates.client)
    straight = Load(
        port=sink.port, messages=5000, size=options.size, connections=options.connections[0], sender=BY_ADDRESS
    )
    return {
        "load_to_sink_new": send(replace(straight, per_connection=1)).per_second,
        "load_to_sink_reused": send(straight).per_second,
        "disk_syncs": limit("syncs", str(folder))["per_second"],
        "tls": limit("handshakes", *(str(file) for one in tls for file in (one.chain_file, one.key_file))),
    }


def _publish(
    options: argparse.Namespace,
    servers: list[Contestant],
    limits: dict[str, Any],
    rows: list[dict[str, Any]],
    half: list[dict[str, Any]],
    measurements: list[Measurement],
) -> None:
    at = datetime.now(UTC)
    facts = _facts(options.folder) | {"servers": {server.name: server.version for server in servers}}
    result = {
        "at": at.isoformat(timespec="seconds"),
        "machine": facts,
        "load": {name: getattr(options, name) for name in ("messages", "rounds", "size", "recipients", "pipelining")},
        "limits": limits,
        "medians": rows,
        "half_load": half,
        "rounds": [one.as_json() for one in measurements],
    }
    path = ROOT / "bench" / "results" / f"{at:%Y-%m-%dT%H%M%SZ}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    versions = ", ".join(f"{server.name} {server.version}" for server in servers)
    print(f"{versions}; {options.size} octets to {options.recipients} recipient(s), {options.messages} messages,")
    print(f"median of {options.rounds} round(s); {facts['cores']} cores, {facts['cpu']}, load and sink included\n")
    print(table(rows))
    for one in half:
        print(
            f"at half load: {one['mode']}, {one['connections']}, {one['server']}: {one['rate']:.0f}/s, "
            f"p50 {one['latency_p50_ms']:.1f} ms, p99 {one['latency_p99_ms']:.1f} ms"
        )
    tls = limits["tls"]
    print(
        f"\nlimits: load to sink {limits['load_to_sink_new']:.0f}/s new, {limits['load_to_sink_reused']:.0f}/s reused; "
        f"disk {limits['disk_syncs']:.0f} syncs/s;\n        TLS {tls['server_per_cpu_second']:.0f} handshakes per CPU "
        f"second of the server ({tls['server_cpu_ms']:.2f} ms)"
    )
    print(f"others on this machine kept {median(row['other_cores'] for row in rows):.1f} cores busy meanwhile")
    print(f"{path.relative_to(ROOT)}")


def _facts(folder: Path) -> dict[str, Any]:
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), ":")
    return {
        "cpu": cpu.partition(":")[2].strip() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "kernel": platform.release().partition("-")[0],
        "file_system": _output("stat", "--file-system", "--format=%T", str(folder)),
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "commit": _output("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
    }


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
