"""A directory of a million connectors: how long it takes to load, to look up, to change, and what it costs a worker.

    python bench/directory_scale.py [--tenants 200000] [--connectors 5] [--sessions 20000] [--look-ups 50000]

A relay serves all the while. First the tenant that was there before sends some thousand sessions, and the workers'
memory is noted; then the directory is imported while that tenant goes on sending; then sessions of as many *different*
tenants come, and memory is noted again. Look-ups run in this process through the same code as in a worker: `gather` and
`attribute`, each for another connector, chosen by chance (the seed is fixed).
"""

import argparse
import json
import os
import random
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from statistics import quantiles
from threading import Event, Thread
from typing import Any

from contestants import Certificates
from peers import PeerError, free_port
from relay import Relay, RelayError
from results import Clock, Finding, common_options, keep, table
from sessions_client import relays_from
from tools import BenchError, Sink, build, send

from gatepost.app import open_editor
from gatepost.config import read
from gatepost.loadgen.load import Load
from gatepost.mail.address import Mailbox
from gatepost.receiving.cached_attribution import CachedAttribution
from gatepost.store.directory.sqlite_directory import SqliteDirectory
from gatepost.tenancy.evidence import CertificateFacts, Evidence, TlsEvidence, VerifiedCertificate

SEED = 20261125
NEIGHBOUR = "127.0.0.1"
CHANGED = "127.200.0.1"
CHANGES = 20
MIB = 2**20


def main() -> int:
    options = _options()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    try:
        build()
        return _run(options)
    except (BenchError, PeerError, RelayError) as error:
        print(f"directory_scale: {error}", file=sys.stderr)
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, default=200_000, help="each with one verified domain")
    parser.add_argument("--connectors", type=int, default=5, help="of each tenant")
    parser.add_argument("--sessions", type=int, default=20_000, help="before and after, for memory")
    parser.add_argument("--look-ups", type=int, default=50_000)
    common_options(parser)
    return parser.parse_args()


def _run(options: argparse.Namespace) -> int:
    folder = options.folder / f"directory-{os.getpid()}"
    folder.mkdir(parents=True)
    clock = Clock()
    sink = Sink(folder)
    port = free_port()
    relay = _relay(folder, port, sink)
    try:
        findings = list(_findings(options, folder, relay, port))
    finally:
        relay.stop()
        sink.stop()
        shutil.rmtree(folder, ignore_errors=True)
    load = {"tenants": options.tenants, "connectors": options.tenants * options.connectors, "seed": SEED}
    load |= {"sessions": options.sessions, "look_ups": options.look_ups}
    rows = [each.as_json() for each in findings]
    path = keep("directory", clock, options, {"load": load, "findings": rows})
    print(f"\n{table(rows)}\n\n{path}")
    return 0 if all(each.met for each in findings) else 1


def _relay(folder: Path, port: int, sink: Sink) -> Relay:
    certificates = Certificates.made(folder / "pki")
    server = certificates.server
    relay = Relay(folder / "relay")
    tls = {"certificate": server.chain_file, "key": server.key_file, "client_roots": certificates.roots}
    # A connector is switched off and asked for, from one address, until every worker knows.
    relay.configure(ports=(port,), tls=tls, after="\n[listener.limits]\nrefusals_per_minute = 1000000")
    for tenant, address in (("neighbour", NEIGHBOUR), ("changed", CHANGED)):
        relay.set_up("tenant", "add", tenant)
        relay.set_up("domain", "add", tenant, f"{tenant}.example", "--verified")
        relay.set_up("inbound-connector", "add", tenant, "office", "--address", address)
    target = ("--smart-host", f"127.0.0.1:{sink.port}", "--tls", "none")
    relay.set_up("send-connector", "set", "internet", *target)
    relay.start()
    return relay


def _findings(options: argparse.Namespace, folder: Path, relay: Relay, port: int) -> Iterator[Finding]:
    tenants = range(options.tenants)
    chance = random.Random(SEED)
    _say(f"{options.sessions} sessions of one tenant")
    relays_from(port, [(NEIGHBOUR, "neighbour.example")] * options.sessions)
    before = _worker_memory(relay)

    file = folder / "directory.jsonl"
    lines = _write(file, options)
    _say(f"importing {lines} lines, {file.stat().st_size / MIB:.0f} MiB")
    with _Neighbour(port) as neighbour:
        began, cpu_before = time.monotonic(), _cpu_of_children()
        relay.command("import", "directory", str(file))
        seconds, cpu = time.monotonic() - began, _cpu_of_children() - cpu_before
    everything = f"{lines:,} lines with {len(tenants) * options.connectors:,} connectors"
    yield Finding(about=f"import of {everything}", figure=seconds, unit="s", most=60)
    yield Finding(about="processor time of that", figure=cpu, unit="s")
    yield Finding(about="meanwhile, 250 after the content for another tenant, p99", figure=neighbour.p99, unit="ms")

    _say("a change, until every worker knows it")
    slowest = max(_changes(relay, port))
    yield Finding(about=f"a change live on every worker, slowest of {CHANGES}", figure=slowest, unit="s", most=1)

    _say(f"{options.sessions} sessions of as many tenants")
    some = chance.sample(tenants, min(options.sessions, len(tenants)))
    relays_from(port, [(_address(tenant), f"tenant{tenant}.example") for tenant in some])
    growth = max(after - was for was, after in zip(before, _worker_memory(relay), strict=True))
    yield Finding(about="growth of a worker's memory (RSS), the larger", figure=growth, unit="MiB", most=50)

    path = read(relay.folder / "gatepost.toml").directory_file
    yield Finding(about="the directory file", figure=path.stat().st_size / MIB, unit="MiB")
    _say(f"{options.look_ups} look-ups")
    yield from _look_ups(path, options, chance)


def _say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


# --- the directory ---------------------------------------------------------------------------------------------------


def _address(tenant: int) -> str:
    """Of the tenant's first connector: all of 127.0.0.0/8 is this machine."""
    return str(ip_address("127.1.0.0") + tenant)


def _write(file: Path, options: argparse.Namespace) -> int:
    with file.open("w") as out:
        lines = 0
        for record in _records(options.tenants, options.connectors):
            out.write(json.dumps(record, separators=(",", ":")) + "\n")
            lines += 1
    return lines


def _records(tenants: int, connectors: int) -> Iterator[dict[str, Any]]:
    for tenant in range(tenants):
        yield {"kind": "tenant", "name": f"tenant{tenant}"}
    for tenant in range(tenants):
        yield {"kind": "domain", "domain": f"tenant{tenant}.example", "tenant": f"tenant{tenant}", "verified": True}
    for tenant in range(tenants):
        for number in range(connectors):
            said: dict[str, Any] = {"certificate_names": [f"mx{number}.tenant{tenant}.example"]}
            if number == 0:
                said["addresses"] = [_address(tenant)]
            yield {"kind": "inbound-connector", "tenant": f"tenant{tenant}", "name": f"server{number}", **said}


# --- what the relay does meanwhile -----------------------------------------------------------------------------------


class _Neighbour:
    """The tenant that was there before sends fifty messages a second, and its latency is noted."""

    def __init__(self, port: int) -> None:
        self._load = Load(
            port=port, messages=100, rate=50, connections=4, sender="load@neighbour.example", per_connection=50
        )
        self._enough = Event()
        self._thread = Thread(target=self._send)
        self.p99 = 0.0

    def __enter__(self) -> "_Neighbour":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._enough.set()
        self._thread.join()

    def _send(self) -> None:
        while not self._enough.is_set():
            self.p99 = max(self.p99, send(self._load).latency_ms.p99)


def _changes(relay: Relay, port: int) -> Iterator[float]:
    """Seconds from the end of each change until no session was judged by what was before."""
    editor = open_editor(read(relay.folder / "gatepost.toml"))
    connector = editor.inbound_connector("changed", "office")
    assert connector is not None
    session = [(CHANGED, "changed.example")]
    for number in range(CHANGES):
        wanted = bool(number % 2)
        editor.put_inbound_connector(replace(connector, enabled=wanted), "enable" if wanted else "disable")
        changed_at = last_old = time.monotonic()
        # Sixteen sessions in a row as they should be: both workers know.
        agreed = 0
        while agreed < 16:
            asked_at = time.monotonic()
            if relays_from(port, session) == [wanted]:
                agreed += 1
            else:
                agreed, last_old = 0, asked_at
        yield last_old - changed_at
    editor.close()


def _cpu_of_children() -> float:
    """Of those that ended: the relay still runs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _worker_memory(relay: Relay) -> list[float]:
    children = Path(f"/proc/{relay.pid}/task/{relay.pid}/children").read_text().split()
    return [_memory(int(pid)) for pid in children]


def _memory(pid: int) -> float:
    """RSS in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / MIB


# --- look-ups --------------------------------------------------------------------------------------------------------


def _look_ups(path: Path, options: argparse.Namespace, chance: random.Random) -> Iterator[Finding]:
    total = options.tenants * options.connectors
    asked = [
        _evidence(*divmod(each, options.connectors))
        for each in chance.sample(range(total), min(options.look_ups, total))
    ]
    cold = len(asked) // 10
    memory = _memory(os.getpid())
    for title, some, most in (
        ("the file in no cache", asked[:cold], None),
        ("never asked before", asked[cold:], 1),
        ("asked again", asked[-1000:], 1),
    ):
        if some is asked[:cold] or most is None:
            _evict(path)
            directory = SqliteDirectory(path)
            attribution = CachedAttribution(directory, _never_asked)
        took, used = _timed(attribution, some)
        about = f"attribution, {title}, {len(some):,}"
        yield Finding(about=f"{about}: p50", figure=took[49], unit="ms")
        yield Finding(about=f"{about}: p99", figure=took[98], unit="ms", most=most)
        yield Finding(about=f"{about}: p99 of processor time", figure=used[98], unit="ms")
    yield Finding(
        about=f"growth of a process (RSS) over {len(asked):,} look-ups by certificate",
        figure=_memory(os.getpid()) - memory,
        unit="MiB",
        most=50,
    )
    directory.close()


def _evict(path: Path) -> None:
    """As far as the kernel obliges: what nobody has mapped leaves its cache."""
    with path.open("rb") as file:
        os.fdatasync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _timed(attribution: CachedAttribution, asked: list[Evidence]) -> tuple[list[float], list[float]]:
    """Percentiles of the time that passed and of the processor's, in milliseconds. On a busy machine only the latter
    says what a look-up costs."""
    at = datetime.now(UTC)
    took, used = [], []
    for evidence in asked:
        began, cpu_before = time.perf_counter(), time.thread_time()
        verdict = attribution(evidence, at)
        used.append((time.thread_time() - cpu_before) * 1000)
        took.append((time.perf_counter() - began) * 1000)
        if not verdict.tenant:
            raise BenchError(f"{evidence.reverse_path} was attributed to nobody")
    return quantiles(took, n=100), quantiles(used, n=100)


def _evidence(tenant: int, connector: int) -> Evidence:
    name = f"mx{connector}.tenant{tenant}.example"
    leaf = CertificateFacts(
        der=b"",
        sha256=f"{tenant:032x}{connector:032x}",
        public_key_sha256=f"{tenant:031x}f{connector:032x}",
        subject=f"CN={name}",
        issuer="CN=Somebody",
        serial="1",
        not_before=None,
        not_after=None,
        common_names=(name,),
        dns_names=(name,),
        purposes=None,
        key="EC secp256r1",
        signature_algorithm="ecdsa-with-SHA256",
    )
    certificate = VerifiedCertificate(leaf=leaf, chain=(leaf,), anchor="CN=Somebody")
    return Evidence(
        address=ip_address("192.0.2.1"),
        listener="127.0.0.1:2525",
        tls=TlsEvidence(protocol="TLSv1.3", cipher="", cipher_bits=256, server_name=None, certificate=certificate),
        ehlo=name,
        reverse_path=_mailbox("load", f"tenant{tenant}.example"),
        forward_paths=(_mailbox("sink", "example.net"),),
    )


def _mailbox(local_part: str, domain: str) -> Mailbox:
    return Mailbox(local_part=local_part, domain=domain, text=f"{local_part}@{domain}")


def _never_asked(*question: object) -> Any:
    raise BenchError("no connector here has trust anchors of its own")


if __name__ == "__main__":
    sys.exit(main())
