"""`make bench`: Gatepost and Postfix under the same load, in turns, on the same disk.

    python bench/run.py                 four modes, 20 connections: three minutes
    python bench/run.py --complete      every row of docs/performance.md: within 15 minutes

Each round measures every case on each server in turn; the table shows the medians of the rounds. The raw figures, with
the facts of the machine, go to `bench/results/`; `bench/report.py` makes the table out of them. Postfix comes from
Debian's package (see interop/peers.py) and is left out, with a line that says why, where it cannot be had.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from cases import MODES, Case, complete
from ceilings import ceilings, higher
from contestants import BY_ADDRESS, BY_CERTIFICATE, Certificates, Contestant, GatepostContestant, PostfixContestant
from peers import PeerError
from processes import cpu_seconds, machine_cpu_seconds
from relay import RelayError
from report import Measurement, markdown, medians
from results import Clock, common_options, keep, read
from tools import BenchError, Mute, Sink, build, send

from gatepost.loadgen.load import Load

WARM_UP = 200
"""For measurements of three seconds; fewer for shorter ones."""
WARM_UP_OCTETS = 20 * 2**20
MOST_MESSAGES = 20_000
MOST_PER_CONNECTION = 1000
"""What Gatepost allows by default; Postfix has no limit of its own."""
CEILING_SECONDS = 1.0
"""How long each limit of the machine is looked at, if the measurements are not shorter."""
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
    parser.add_argument("--complete", action="store_true", help="every row of docs/performance.md; no other cases")
    parser.add_argument("--seconds", type=float, default=3, help="of load in each measurement (default: 3)")
    parser.add_argument("--minutes", type=float, default=13, help="begin no second round after so long (default: 13)")
    parser.add_argument("--servers", type=_servers, default=tuple(SERVERS), help="postfix,gatepost")
    common_options(parser)
    parser.add_argument("--keep", action="store_true", help="keep the servers' folders")
    cases = parser.add_argument_group("cases, when it is not --complete")
    cases.add_argument("--modes", type=_modes, default=tuple(MODES), metavar="MODE[,MODE...]", help=", ".join(MODES))
    cases.add_argument("--connections", type=_numbers, default=(20,), metavar="N[,N...]", help="default: 20")
    cases.add_argument("--sizes", type=_numbers, default=(10240,), metavar="OCTETS[,...]", help="default: 10240")
    cases.add_argument("--recipients", type=_numbers, default=(1,), metavar="N[,N...]", help="default: 1")
    cases.add_argument("--rounds", type=int, default=3)
    cases.add_argument("--accept-only", action="store_true", help="the next hop takes nothing")
    cases.add_argument("--pipelining", action="store_true", help="the client sends a transaction's commands at once")
    cases.add_argument("--half-load", action="store_true", help="measure latency at half the rate as well")
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _modes(text: str) -> tuple[str, ...]:
    return _some_of(text, tuple(MODES))


def _servers(text: str) -> tuple[str, ...]:
    return _some_of(text, tuple(SERVERS))


def _some_of(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    chosen = tuple(text.split(","))
    for one in chosen:
        if one not in known:
            raise argparse.ArgumentTypeError(f"{one}: not one of {', '.join(known)}")
    return chosen


def _cases(options: argparse.Namespace) -> list[Case]:
    if options.complete:
        return complete()
    return [
        Case(
            mode=mode,
            connections=connections,
            size=size,
            recipients=recipients,
            accept_only=options.accept_only,
            pipelining=options.pipelining,
            rounds=options.rounds,
            half_load=options.half_load,
        )
        for size in options.sizes
        for recipients in options.recipients
        for connections in options.connections
        for mode in options.modes
    ]


SERVERS: dict[str, type[PostfixContestant] | type[GatepostContestant]] = {
    "postfix": PostfixContestant,
    "gatepost": GatepostContestant,
}


def _bench(options: argparse.Namespace) -> int:
    folder = options.folder / f"run-{os.getpid()}"
    folder.mkdir(parents=True)
    clock, cases = Clock(), _cases(options)
    certificates = Certificates.made(folder / "pki")
    sink, mute = Sink(folder), Mute()
    servers = list(_started(options, folder / "delivering", certificates, sink.port))
    holding: list[Contestant] = []
    try:
        if not servers:
            raise BenchError("no server to measure")
        if any(case.accept_only for case in cases):
            holding = list(_started(options, folder / "holding", certificates, mute.port))
        _say("limits of the machine")
        with_postfix = any(server.name == PostfixContestant.name for server in servers)
        seconds = min(options.seconds, CEILING_SECONDS)
        limits = ceilings(folder, certificates, sink, seconds=seconds, with_postfix=with_postfix)
        bench = Bench(options, cases, servers, holding, certificates, sink)
        bench.run()
        _say("limits of the machine, again")
        again = ceilings(folder, certificates, sink, seconds=seconds, with_postfix=with_postfix)
        limits = higher(limits, again)
    finally:
        for server in (*servers, *holding):
            server.stop()
        sink.stop()
        mute.stop()
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    found = {
        "servers": {server.name: server.version for server in servers},
        "limits": limits,
        "medians": medians(bench.measured),
        "half_load": [one.as_json() for one in bench.at_half_load],
        "rounds": [one.as_json() for one in bench.measured],
        "failed": bench.failed,
    }
    path = keep("speed", clock, options, found)
    print(markdown(read(path)))
    print(f"\n{path}")
    return 1 if bench.failed else 0


def _started(options: argparse.Namespace, folder: Path, certificates: Certificates, port: int) -> Iterator[Contestant]:
    for name in options.servers:
        try:
            server = SERVERS[name](folder / name, certificates, port)
            server.start()
        except PeerError as error:
            if name != "postfix" or os.environ.get("CI") == "true":
                raise
            print(f"bench: Postfix is left out: {error}", file=sys.stderr)
            continue
        yield server


def _say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class _Turn:
    case: Case
    server: Contestant


class Bench:
    """Every case, on every server, round after round."""

    def __init__(
        self,
        options: argparse.Namespace,
        cases: list[Case],
        servers: list[Contestant],
        holding: list[Contestant],
        certificates: Certificates,
        sink: Sink,
    ) -> None:
        self.measured: list[Measurement] = []
        self.at_half_load: list[Measurement] = []
        self.failed: list[str] = []
        self._seconds: float = options.seconds
        self._no_round_after = time.monotonic() + options.minutes * 60
        self._turns = [_Turn(case, server) for case in cases for server in (holding if case.accept_only else servers)]
        self._certificates = certificates
        self._sink = sink
        self._messages: dict[_Turn, int] = {}
        self._done = 0

    def run(self) -> None:
        for number in range(max(turn.case.rounds for turn in self._turns)):
            self._round(number)
            if number == 0:
                # Before the further rounds, for which there may be no time.
                for turn in self._turns:
                    if turn.case.half_load and turn in self._messages:
                        self._measure_at_half_load(turn)

    def _round(self, number: int) -> None:
        # Who goes first changes, so that no one always meets the disk as the other left it.
        for turn in self._turns if number % 2 == 0 else reversed(self._turns):
            if number and (time.monotonic() > self._no_round_after or turn not in self._messages):
                continue
            if number < turn.case.rounds:
                with self._tolerating(turn):
                    if number == 0:
                        self._messages[turn] = self._as_many_as_take(turn, self._seconds)
                    one = self._measure(turn, messages=self._messages[turn])
                    self.measured.append(one)
                    self._tell(turn, one)

    def _measure_at_half_load(self, turn: _Turn) -> None:
        """Latency at half the rate that the server delivered at full load."""
        with self._tolerating(turn):
            full = next(one for one in self.measured if (one.case, one.server) == (turn.case, turn.server.name))
            rate = full.steady_per_second / 2
            one = self._measure(turn, messages=max(50, int(rate * self._seconds)), rate=rate)
            self.at_half_load.append(one)
            self._tell(turn, one)

    def _as_many_as_take(self, turn: _Turn, seconds: float) -> int:
        """Messages, as a first few show it: large ones and slow modes take fewer."""
        few = min(WARM_UP, int(WARM_UP * seconds / 3), WARM_UP_OCTETS // turn.case.size)
        few = max(turn.case.connections, few)
        rate = self._measure(turn, messages=few).steady_per_second
        return max(few, min(MOST_MESSAGES, int(rate * seconds)))

    def _tolerating(self, turn: _Turn) -> "_Tolerating":
        return _Tolerating(self, turn)

    def note_failure(self, turn: _Turn, problem: str) -> None:
        self.failed.append(f"{turn.server.name}, {turn.case.title}: {problem}")
        _say(self.failed[-1])
        self._messages.pop(turn, None)
        self._sink.wait_for_quiet()

    def _tell(self, turn: _Turn, one: Measurement) -> None:
        self._done += 1
        at_rate = f" at {one.rate:.0f}/s" if one.rate else ""
        _say(
            f"{self._done:>3}  {turn.server.name:<9} {turn.case.title}{at_rate}: {one.steady_per_second:.0f}/s, "
            f"{one.cpu_ms:.2f} ms, 250 after {one.latency_p50_ms:.1f} and {one.latency_p99_ms:.1f} ms"
        )

    def _measure(self, turn: _Turn, *, messages: int, rate: float = 0) -> Measurement:
        server, case = turn.server, turn.case
        due = self._sink.deliveries + messages * case.recipients
        machine_before, started = machine_cpu_seconds(), time.monotonic()
        server_before, sink_before = cpu_seconds(server.pid), cpu_seconds(self._sink.pid)
        sent = send(self._load_for(turn, messages, rate))
        accepted_s = seconds = sent.seconds
        if not case.accept_only:
            self._sink.wait_for(due, seconds=60 + messages / 20)
            seconds = max(accepted_s, self._sink.last_at - sent.started_at)
        server_cpu = _idle_cpu(server.pid) - server_before
        sink_cpu = cpu_seconds(self._sink.pid) - sink_before
        others_cpu = machine_cpu_seconds() - machine_before - server_cpu - sink_cpu - sent.cpu_s
        return Measurement(
            server=server.name,
            case=case,
            messages=messages,
            rate=round(rate, 1),
            accepted_per_second=sent.per_second,
            delivered_per_second=None if case.accept_only else messages / seconds,
            cpu_ms=server_cpu / messages * 1000,
            latency_p50_ms=sent.latency_ms.p50,
            latency_p99_ms=sent.latency_ms.p99,
            server_cores=server_cpu / seconds,
            load_cores=sent.cores,
            sink_cores=sink_cpu / seconds,
            other_cores=max(0.0, others_cpu / (time.monotonic() - started)),
        )

    def _load_for(self, turn: _Turn, messages: int, rate: float) -> Load:
        server, case = turn.server, turn.case
        load = Load(
            port=server.plain_port if case.is_plain else server.tls_port,
            messages=messages,
            connections=case.connections,
            rate=rate,
            size=case.size,
            recipients=case.recipients,
            per_connection=1 if case.is_new else MOST_PER_CONNECTION,
            pipelining=case.pipelining,
            sender=BY_ADDRESS if case.is_plain else BY_CERTIFICATE,
        )
        if case.is_plain:
            return load
        client = self._certificates.client
        return replace(load, starttls=True, certificate=client.chain_file, key=client.key_file)


class _Tolerating:
    """A case that fails is noted and left; the others are measured."""

    def __init__(self, bench: Bench, turn: _Turn) -> None:
        self._bench = bench
        self._turn = turn

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, BenchError):
            self._bench.note_failure(self._turn, str(error))
            return True
        return False


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


if __name__ == "__main__":
    sys.exit(main())
