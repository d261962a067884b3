"""Every cause has evidence that gives it, and the closest confuser's evidence, which must not."""

import tomllib
from pathlib import Path

import pytest

from gatepost.doctor.causes import all_causes
from gatepost.doctor.diagnosis import diagnose
from gatepost.doctor.reading import read_text

HERE = Path(__file__).parent
NEAR_MISSES = tomllib.loads((HERE / "near_misses.toml").read_text("utf-8"))
RULES = {
    each.catalogue[0]: each
    for each in reversed(all_causes().values())
    if each.catalogue and (not each.catalogue[0].startswith("O") or each.catalogue[0] in NEAR_MISSES)
}
"""By the cause that a rule or check is for; the first that is for it. Some of the later causes have their own tests."""


def test_every_cause_has_a_bundle_that_gives_it_and_a_near_miss_that_must_not():
    given = {each.name.partition("-")[0] for each in (HERE / "bundles").iterdir()}
    assert set(RULES) - given == set(), "no bundle is for these causes"
    assert set(RULES) == set(NEAR_MISSES), "near_misses.toml has an entry for every cause"
    assert all(each["because"] for each in NEAR_MISSES.values())


@pytest.mark.parametrize("cause", NEAR_MISSES)
def test_the_closest_confuser_does_not_give_the_cause(cause):
    near = NEAR_MISSES[cause]
    bundle = read_text(near["evidence"].strip() + "\n", "evidence.txt")
    assert bundle.read, "the evidence must be read for the test to mean anything"
    findings = diagnose(bundle).findings
    assert RULES[cause].id not in {each.rule for each in findings}
    if "first" in near:
        assert near["first"] in findings[0].catalogue
