"""The inputs that reach all of what reads from the network are played again, whole and damaged: none may break the
invariant of its target.

A seed is kept for the lines it reaches that no other does, and named for what it is; `make fuzz` finds the rest again.
"""

import random
import re
import sys
from pathlib import Path

import pytest

from soak import rounds

sys.path.append(str(Path(__file__).parents[2] / "fuzz"))
from targets import CORPUS, TARGETS

# `doctor` is a folder of tests, and what has no __init__ gives way to fuzz/doctor.py wherever that is on the path.
sys.path.pop()

MOST_SEEDS = 100
A_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
A_DIGEST = re.compile(r"[0-9a-f]{16}|^seed\b")


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_no_seed_breaks_the_invariant(target: str) -> None:
    kept = sorted((CORPUS / target).iterdir())
    assert kept, f"python fuzz/network.py {target}"
    for file in kept:
        _play(target, file, file.read_bytes())


@pytest.mark.soak
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_no_damaged_seed_breaks_the_invariant(target: str) -> None:
    for file in sorted((CORPUS / target).iterdir()):
        chance = random.Random(f"{target}/{file.name}")
        for _ in range(rounds(10, large=1000)):
            _play(target, file, _damaged(chance, file.read_bytes()))


def test_the_corpus_is_small_and_every_seed_has_a_name_that_says_what_it_is() -> None:
    names = [file.name for file in CORPUS.rglob("*") if file.is_file()]
    assert len(names) <= MOST_SEEDS
    assert [name for name in names if not A_NAME.fullmatch(name) or A_DIGEST.search(name)] == []


def _play(target: str, file: Path, octets: bytes) -> None:
    try:
        TARGETS[target](octets)
    except Exception as error:
        raise AssertionError(f"fuzz/corpus/{target}/{file.name}, as {octets!r}: {error!r}") from error


def _damaged(chance: random.Random, octets: bytes) -> bytes:
    """Some octets overwritten, some left out, some sent twice."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(octets) + 1)
        upto = at + chance.choice((1, 1, 2, 8))
        octets = octets[:at] + chance.choice((b"", octets[at:upto] * 2, chance.randbytes(1))) + octets[upto:]
    return octets
