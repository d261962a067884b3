"""Coverage-guided fuzzing of everything that reads octets from the network, one of `fuzz/targets.py` at a time.

Inputs that reach new code are kept in `fuzz/corpus/TARGET/`, where the next run begins; `--merge` keeps the smallest
set of them that reaches the same.

    pip install --require-hashes -r requirements/fuzz.txt      (atheris, which runs on CPython 3.11 to 3.13)
    python fuzz/network.py TARGET [SECONDS]
    python fuzz/network.py TARGET --merge
"""

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import atheris

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

with atheris.instrument_imports(include=["gatepost", "cutting"]):
    from targets import CORPUS, TARGETS, seeds

LARGEST_INPUT = 4096
SLOWEST_INPUT_S = 10
MOST_MEMORY_MIB = 1024


def main(target: str, rest: Sequence[str]) -> None:
    corpus = CORPUS / target
    corpus.mkdir(parents=True, exist_ok=True)
    if not any(corpus.iterdir()):
        for number, seed in enumerate(seeds(target)):
            (corpus / f"seed-{number:02}").write_bytes(seed)
    options = [f"-max_len={LARGEST_INPUT}", f"-timeout={SLOWEST_INPUT_S}", f"-rss_limit_mb={MOST_MEMORY_MIB}"]
    folders = [str(corpus)]
    if rest[:1] == ["--merge"]:
        smallest = Path(tempfile.mkdtemp(prefix="gatepost-corpus-"))
        folders, options = [str(smallest), str(corpus)], [*options, "-merge=1"]
        with contextlib.suppress(SystemExit):
            atheris.Setup([target, *options, *folders], TARGETS[target])
            atheris.Fuzz()
        shutil.rmtree(corpus)
        shutil.move(smallest, corpus)
        return
    options.append(f"-max_total_time={rest[0] if rest else 60}")
    atheris.Setup([target, *options, "-print_final_stats=1", *folders], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"name a target: {', '.join(TARGETS)}")
    main(sys.argv[1], sys.argv[2:])
