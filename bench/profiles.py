"""Where a worker's processor time goes, and what it asks of the kernel, in each mode of `bench/run.py`.

    python bench/profiles.py [--modes MODE,...] [--messages N]

Two runs a mode: under `perf record`, told by program part and by function, and under `strace -c`, told as system calls
a message. Both slow the server down, so the figures are shares and counts, never times. Debian: `apt-get install
linux-perf strace`; root. The text goes to `bench/results/profile-TIME.txt`.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cases import MODES
from contestants import BY_ADDRESS, BY_CERTIFICATE, Certificates, GatepostContestant
from machine import facts
from processes import descendants
from results import common_options
from tools import BenchError, Sink, build, send

from gatepost.loadgen.load import Load

WARM_UP = 200
MOST_PARTS, MOST_FUNCTIONS, MOST_CALLS = 8, 30, 12
SAMPLES_PER_SECOND = 2000


def main() -> int:
    options = _options()
    try:
        build()
        for program in ("perf", "strace"):
            if shutil.which(program) is None:
                raise BenchError(f"{program} is not installed (Debian: apt-get install linux-perf strace)")
        return _profile(options)
    except BenchError as error:
        print(f"profiles: {error}", file=sys.stderr)
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modes", default=",".join(MODES), metavar="MODE[,MODE...]")
    parser.add_argument("--messages", type=int, default=3000, help="of each run (default: 3000)")
    common_options(parser)
    return parser.parse_args()


def _profile(options: argparse.Namespace) -> int:
    folder: Path = options.folder / f"profiles-{os.getpid()}"
    folder.mkdir(parents=True)
    at = datetime.now(UTC)
    certificates, sink = Certificates.made(folder / "pki"), Sink(folder)
    server = GatepostContestant(folder / "gatepost", certificates, sink.port)
    server.start()
    try:
        told = [_head(options, at)]
        for mode in options.modes.split(","):
            scene = Scene(mode, server, certificates, sink)
            scene.send(WARM_UP)
            told.append(scene.by_function(options.messages, folder / f"{mode}.perf"))
            told.append(scene.by_system_call(options.messages, folder / f"{mode}.strace"))
    finally:
        server.stop()
        sink.stop()
        shutil.rmtree(folder, ignore_errors=True)
    path: Path = options.results / f"profile-{at:%Y-%m-%dT%H%M%SZ}.txt"
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("\n".join(told))
    print("\n".join(told), f"\n{path}", sep="")
    return 0


def _head(options: argparse.Namespace, at: datetime) -> str:
    machine = facts(options.folder)
    shown = ("cpu", "cores", "kernel", "file_system", "python", "commit", "load_average")
    return (
        f"python {' '.join(sys.argv)}\n{at:%Y-%m-%d %H:%M}Z; {', '.join(f'{name} {machine[name]}' for name in shown)}\n"
        f"{options.messages} messages of 10 KB a run, 20 connections; all workers together\n"
    )


class Scene:
    """One mode of load on a running server."""

    def __init__(
        self, mode: str, server: GatepostContestant, certificates: Certificates, sink: Sink, seconds: float = 120.0
    ) -> None:
        """`seconds`: what a load may take."""
        self._mode = mode
        self._server = server
        self._client = certificates.client
        self._sink = sink
        self._seconds = seconds

    def send(self, messages: int) -> None:
        due = self._sink.deliveries + messages
        plain, per_connection = self._mode.startswith("plain"), 1 if self._mode.endswith("-new") else 1000
        send(
            Load(
                port=self._server.plain_port if plain else self._server.tls_port,
                messages=messages,
                connections=20,
                per_connection=per_connection,
                sender=BY_ADDRESS if plain else BY_CERTIFICATE,
                starttls=not plain,
                certificate=None if plain else self._client.chain_file,
                key=None if plain else self._client.key_file,
            )
        )
        self._sink.wait_for(due, seconds=self._seconds)

    def by_function(self, messages: int, record: Path) -> str:
        """Shares of the processor time, from the stack's top alone: the libraries keep no frame pointers."""
        words = ["perf", "record", "-e", "cpu-clock", "-F", str(SAMPLES_PER_SECOND), "-o", str(record), "-p"]
        with _watching([*words, ",".join(self.workers())]):
            self.send(messages)
        parts = _shares(record, "dso", MOST_PARTS)
        functions = _shares(record, "dso,symbol", MOST_FUNCTIONS)
        return "\n".join(
            [f"--- {self._mode}: processor time by program part", *parts, "", "by function", *functions, ""]
        )

    def by_system_call(self, messages: int, record: Path) -> str:
        pids = [word for pid in self.workers() for word in ("-p", pid)]
        with _watching(["strace", "-f", "-c", "-U", "calls,name", "-S", "calls", "-o", str(record), *pids]):
            self.send(messages)
        lines = [f"--- {self._mode}: system calls a message"]
        for line in record.read_text().splitlines():
            count, _, name = line.strip().partition(" ")
            if count.isdigit() and name.strip() != "total" and len(lines) <= MOST_CALLS:
                lines.append(f"{int(count) / messages:8.2f}  {name.strip()}")
        return "\n".join([*lines, ""])

    def workers(self) -> list[str]:
        return [str(pid) for pid in sorted(descendants(self._server.pid)) if _name(pid).startswith("worker-")]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


@contextmanager
def _watching(command: Sequence[str]) -> Any:
    """`command` looks on from outside until the load is over."""
    watcher = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1.0)
    try:
        yield
    finally:
        watcher.send_signal(signal.SIGINT)
        watcher.wait()


def _shares(record: Path, sort: str, most: int) -> list[str]:
    words = ["perf", "report", "--stdio", "--no-children", "-s", sort, "-i", str(record)]
    done = subprocess.run(words, capture_output=True, text=True)
    told = (line for line in done.stdout.splitlines() if line.strip() and not line.startswith("#"))
    lines = [" ".join(line.split()).removesuffix(" - -") for line in told]
    return [f"  {line}" for line in lines[:most]]


if __name__ == "__main__":
    sys.exit(main())
