"""What the doctor has once got right on a field case it keeps right, and it is never wrongly certain."""

import tomllib

import pytest

from doctor.field_score import FIELD, cases_of, evidence_of, scored
from gatepost.doctor.diagnosis import diagnose

HELD = tomllib.loads((FIELD / "held.toml").read_text("utf-8"))
CASES = cases_of(FIELD / "first")


@pytest.mark.parametrize("case", CASES, ids=lambda each: each.name)
def test_a_field_case_once_right_stays_right(case):
    score = scored(case, diagnose(evidence_of(case)))
    assert not score.wrongly_high
    assert score.cause or case.name not in HELD["first"]["cause"], score.got
    assert score.repair or case.name not in HELD["first"]["repair"], score.got


def test_what_is_held_is_there():
    named = {each.name for each in CASES}
    assert {*HELD["first"]["cause"], *HELD["first"]["repair"]} <= named
