"""Processor instructions of a worker for each message, in each mode of `bench/run.py`: counted, not timed.

    python bench/instructions.py [--modes MODE,...] [--messages N]

valgrind runs the server and counts what each of the worker's threads does. The figures differ by about one in a hundred
between runs, whatever else the machine has to do, where times differ by a tenth. They say nothing of the kernel; and an
instruction within a loop over octets takes less time than one of the interpreter. The waits of the worker are made as
much longer as valgrind makes everything else, so that its groups and batches are as large as they are without.
Debian: `apt-get install valgrind`.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from cases import MODES
from contestants import Certificates, GatepostContestant
from profiles import Scene
from tools import BUILD, BenchError, Sink, build

SLOWDOWN = 25
"""About what valgrind costs."""
WARM_UP = 200
PATIENCE_S = 300.0
SETTLED_S = 4.0
"""After the load: what the logs hold back is written by then."""

_TOTAL = re.compile(r"^totals: (\d+)$", re.MULTILINE)
_ENVIRONMENT = {
    "PYTHONPATH": str(Path(__file__).resolve().parent / "under_valgrind"),
    "SLOWDOWN": str(SLOWDOWN),
    # The same hashes in every run, so that look-ups take the same number of steps.
    "PYTHONHASHSEED": "0",
}


def main() -> int:
    options = _options()
    try:
        build()
        for program in ("valgrind", "callgrind_control"):
            if shutil.which(program) is None:
                raise BenchError(f"{program} is not installed (Debian: apt-get install valgrind)")
        for mode in options.modes.split(","):
            print(_line(mode, _counted(mode, options)), flush=True)
        return 0
    except BenchError as error:
        print(f"instructions: {error}", file=sys.stderr)
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modes", default=",".join(MODES), metavar="MODE[,MODE...]")
    parser.add_argument("--messages", type=int, default=500, help="of each mode (default: 500)")
    return parser.parse_args()


def _line(mode: str, counted: Mapping[str, float]) -> str:
    threads = ", ".join(f"thread {thread} {millions:.3f}" for thread, millions in counted.items() if millions >= 0.005)
    return f"{mode:13} {sum(counted.values()):7.3f} million instructions a message ({threads})"


def _counted(mode: str, options: argparse.Namespace) -> dict[str, float]:
    """Millions a message, by thread: the event loop is the first, then commits and logs."""
    folder = BUILD / f"instructions-{os.getpid()}-{mode}"
    folder.mkdir(parents=True)
    certificates, sink = Certificates.made(folder / "pki"), Sink(folder)
    server = GatepostContestant(folder / "gatepost", certificates, sink.port, workers=1)
    scene = Scene(mode, server, certificates, sink, seconds=PATIENCE_S)
    try:
        server.start(_ENVIRONMENT, under=_valgrind(folder), seconds=PATIENCE_S)
        scene.send(WARM_UP)
        time.sleep(SETTLED_S)
        (worker,) = scene.workers()
        subprocess.run(["callgrind_control", "-i", "on", worker], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        scene.send(options.messages)
        time.sleep(SETTLED_S)
    finally:
        server.stop()
        sink.stop()
    try:
        return {thread: total / options.messages / 1e6 for thread, total in _totals(folder, worker).items()}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _valgrind(folder: Path) -> list[str]:
    return [
        "valgrind",
        "-q",
        "--tool=callgrind",
        "--trace-children=yes",
        "--separate-threads=yes",
        "--instr-atstart=no",
        f"--callgrind-out-file={folder}/counts.%p",
    ]


def _totals(folder: Path, pid: str) -> dict[str, int]:
    found = {}
    for file in sorted(folder.glob(f"counts.{pid}-*")):
        total = _TOTAL.search(file.read_text(errors="replace"))
        if total is None:
            raise BenchError(f"{file.name} is not whole: the worker was killed before it had written what it did")
        found[file.name.rpartition("-")[2].lstrip("0")] = int(total[1])
    if not found:
        raise BenchError("the worker has left no counts: see whether valgrind runs on this machine")
    return found


if __name__ == "__main__":
    sys.exit(main())
