"""The C programs of the benchmark: built when needed, run, and read."""

import json
import mmap
import socket
import struct
import subprocess
import time
from pathlib import Path

from gatepost.loadgen.load import Load, LoadError, LoadResult, run
from gatepost.loadgen.native import CompileError, compiled, load_generator

SOURCES = Path(__file__).resolve().parent
BUILD = SOURCES.parent / "build" / "bench"


class BenchError(Exception):
    """One line: what is missing or went wrong, and what to do."""


def build() -> None:
    """Compiles `load`, `sink` and `limits` unless they are there already."""
    try:
        load_generator()
        for name in ("sink", "limits"):
            _program(name)
    except CompileError as error:
        raise BenchError(str(error)) from None


def _program(name: str) -> str:
    return str(compiled(SOURCES / f"{name}.c", BUILD))


def slow_disk(ms: int) -> dict[str, str]:
    """The environment of a program whose disk takes so much longer to sync."""
    library = compiled(SOURCES / "slow_disk.c", BUILD, ("-shared", "-fPIC", "-ldl"))
    return {"LD_PRELOAD": str(library), "SLOW_DISK_MS": str(ms)}


def limit(seconds: float, *words: str) -> dict[str, float]:
    done = subprocess.run([_program("limits"), str(seconds), *words], capture_output=True, text=True)
    if done.returncode:
        raise BenchError((done.stderr.splitlines() or ["limits said nothing"])[-1])
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def send(load: Load) -> LoadResult:
    """Sends. Raises when anything was refused or lost."""
    try:
        result = run(load)
    except (LoadError, CompileError) as error:
        raise BenchError(str(error)) from None
    if not result.ok:
        raise BenchError(f"{result.accepted} of {result.messages} messages accepted: {result.trouble}")
    return result


class Sink:
    """The outside world: takes every message and counts it where it can be read at any moment."""

    def __init__(self, folder: Path) -> None:
        counters = folder / "sink.counters"
        self._process = subprocess.Popen(
            [_program("sink"), "--counters", str(counters)], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline().split()[1])
        with counters.open("rb") as file:
            self._counters = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def deliveries(self) -> int:
        """Recipients of all messages that arrived."""
        return self._read()[1]

    @property
    def octets(self) -> int:
        """Of content."""
        return self._read()[2]

    @property
    def last_at(self) -> float:
        """When the last message arrived, on the monotonic clock."""
        return self._read()[3] / 1e9

    def wait_for(self, deliveries: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.deliveries < deliveries:
            if time.monotonic() > deadline:
                raise BenchError(f"{deliveries - self.deliveries} deliveries had not arrived after {seconds:.0f} s")
            time.sleep(0.02)

    def wait_for_quiet(self) -> None:
        """Until nothing more arrives of what a failed run left behind."""
        for _ in range(30):
            before = self.deliveries
            time.sleep(1)
            if self.deliveries == before:
                return

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _read(self) -> tuple[int, int, int, int]:
        return struct.unpack("=4Q", self._counters[:32])


class Mute:
    """A next hop that takes connections and never says a word: what is sent there stays queued."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port: int = self._socket.getsockname()[1]

    def stop(self) -> None:
        self._socket.close()
