"""The C programs of the benchmark: built when needed, run, and read."""

import json
import mmap
import shutil
import struct
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).resolve().parent
BUILD = SOURCES.parent / "build" / "bench"


class BenchError(Exception):
    """One line: what is missing or went wrong, and what to do."""


def build() -> None:
    """Compiles `load`, `sink` and `limits` unless they are newer than their sources."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for name in ("load", "sink", "limits"):
        source, program = SOURCES / f"{name}.c", BUILD / name
        if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
            _compile(source, program)


def _compile(source: Path, program: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise BenchError("no C compiler: install one (Debian: apt-get install gcc libc6-dev libssl-dev)")
    command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), str(source), "-lssl", "-lcrypto"]
    done = subprocess.run(command, capture_output=True, text=True)
    if "openssl/ssl.h" in done.stderr:
        raise BenchError("OpenSSL's headers are missing (Debian: apt-get install libssl-dev)")
    if done.returncode:
        raise BenchError(f"{source.name} does not compile: {(done.stderr.splitlines() or ['no output'])[0]}")


def limit(*words: str) -> dict[str, float]:
    answer: dict[str, float] = _json_of([str(BUILD / "limits"), *words])
    return answer


def load(*, port: int, options: Sequence[str]) -> dict[str, Any]:
    """Sends, and returns what the load generator says. Raises when anything was refused or lost."""
    answer: dict[str, Any] = _json_of([str(BUILD / "load"), "--port", str(port), *options])
    if answer["accepted"] != answer["messages"]:
        raise BenchError(f"{answer['accepted']} of {answer['messages']} messages accepted: {answer['trouble']}")
    return answer


def _json_of(command: list[str]) -> Any:
    done = subprocess.run(command, capture_output=True, text=True)
    if not done.stdout.startswith("{"):
        raise BenchError((done.stderr.splitlines() or [f"{command[0]} said nothing"])[-1])
    return json.loads(done.stdout)


class Sink:
    """The outside world: takes every message and counts it where it can be read at any moment."""

    def __init__(self, folder: Path) -> None:
        counters = folder / "sink.counters"
        self._process = subprocess.Popen(
            [str(BUILD / "sink"), "--counters", str(counters)], stdout=subprocess.PIPE, text=True
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

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _read(self) -> tuple[int, int, int, int]:
        return struct.unpack("=4Q", self._counters[:32])
