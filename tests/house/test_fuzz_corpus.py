"""What fuzzing found worth keeping is played again: no input may break the invariant of its target."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "fuzz"))
from targets import CORPUS, TARGETS


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_no_kept_input_breaks_the_invariant(target: str) -> None:
    kept = sorted((CORPUS / target).iterdir())
    assert kept, f"python fuzz/network.py {target}"
    for file in kept:
        try:
            TARGETS[target](file.read_bytes())
        except Exception as error:
            raise AssertionError(f"fuzz/corpus/{target}/{file.name}: {error!r}") from error
