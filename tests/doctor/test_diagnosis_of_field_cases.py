"""What the doctor has once got right on a field case it keeps right, and it is never wrongly certain."""

import tomllib

import pytest

from doctor.field_score import FIELD, cases_of, evidence_of, scored
from gatepost.doctor.diagnosis import diagnose

HELD = tomllib.loads((FIELD / "held.toml").read_text("utf-8"))
CASES = [(folder, case) for folder in HELD for case in cases_of(FIELD / folder)]


@pytest.mark.parametrize(("folder", "case"), CASES, ids=[case.name for _, case in CASES])
def test_a_field_case_once_right_stays_right(folder, case):
    score = scored(case, diagnose(evidence_of(case)))
    assert not score.wrongly_high
    assert score.cause or case.name not in HELD[folder]["cause"], score.got
    assert score.repair or case.name not in HELD[folder]["repair"], score.got


@pytest.mark.parametrize("folder", HELD)
def test_what_is_held_is_there(folder):
    named = {case.name for each, case in CASES if each == folder}
    assert {*HELD[folder]["cause"], *HELD[folder]["repair"]} <= named
