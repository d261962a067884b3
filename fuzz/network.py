"""Coverage-guided fuzzing of everything that reads octets from the network, one of `fuzz/targets.py` at a time.

It begins with the named seeds of `fuzz/corpus/TARGET/`. Inputs that reach new code are put in `fuzz/found/TARGET/`,
which git ignores and the next run reads. One that reaches what no seed does belongs among the seeds, cut down and
under a name that says what it is.

    pip install --require-hashes -r requirements/fuzz.txt      (atheris, which runs on CPython 3.11 to 3.13)
    python fuzz/network.py TARGET [SECONDS]
"""

import sys
from pathlib import Path

import atheris

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

with atheris.instrument_imports(include=["gatepost", "cutting"]):
    from targets import CORPUS, FOUND, TARGETS

LARGEST_INPUT = 4096
SLOWEST_INPUT_S = 10
MOST_MEMORY_MIB = 1024


def main(target: str, seconds: int) -> None:
    found = FOUND / target
    found.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_len={LARGEST_INPUT}", f"-timeout={SLOWEST_INPUT_S}", f"-rss_limit_mb={MOST_MEMORY_MIB}"]
    options = [*limits, f"-max_total_time={seconds}", "-print_final_stats=1"]
    atheris.Setup([target, *options, str(found), str(CORPUS / target)], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"name a target: {', '.join(TARGETS)}")
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60)
