"""Evidence that once made the doctor raise, hang or contradict itself, found by fuzz/doctor.py and cut down."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

_SPEC = spec_from_file_location("fuzz_doctor", Path(__file__).parents[2] / "fuzz" / "doctor.py")
fuzz = module_from_spec(_SPEC)
_SPEC.loader.exec_module(fuzz)


@pytest.mark.parametrize("path", sorted(fuzz.REGRESSIONS.iterdir()), ids=lambda each: each.name)
def test_evidence_that_once_broke_an_invariant_keeps_them_all(path):
    fuzz.check(path.read_bytes(), path.name, thoroughly=True)


def test_whatever_the_corpus_becomes_the_invariants_hold():
    assert fuzz.main(300, seed=4) == 0
