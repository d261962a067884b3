"""Every bundle of evidence gives the cause it was made for, no surer than it may be, and none that it must not."""

import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from gatepost.doctor.causes import all_causes
from gatepost.doctor.diagnosis import Diagnosis, diagnose
from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.reading import read_files
from gatepost.doctor.redaction import redacted
from gatepost.doctor.report import lines

BUNDLES = sorted(each for each in (Path(__file__).parent / "bundles").iterdir() if each.is_dir())
SURENESS = ("low", "medium", "high")


@cache
def evidence_of(folder: Path) -> EvidenceBundle:
    return read_files([each for each in sorted(folder.iterdir()) if each.name != "expect.toml"])


@cache
def diagnosis_of(folder: Path) -> Diagnosis:
    return diagnose(evidence_of(folder))


def first_catalogue(diagnosis: Diagnosis) -> tuple[str, ...]:
    return diagnosis.findings[0].catalogue if diagnosis.findings else ()


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda each: each.name)
def test_evidence_gives_its_cause_first(folder: Path) -> None:
    expected = tomllib.loads((folder / "expect.toml").read_text("utf-8"))
    diagnosis = diagnosis_of(folder)
    accepted = {expected["first"], *expected.get("accept", ())}
    unsure = not diagnosis.findings or diagnosis.findings[0].confidence == "low"
    assert accepted & set(first_catalogue(diagnosis)) or ("none" in accepted and unsure)
    if diagnosis.findings:
        ceiling = SURENESS.index(expected.get("confidence_at_most", "high"))
        assert SURENESS.index(diagnosis.findings[0].confidence) <= ceiling
    named = {each.rule for each in diagnosis.findings}
    assert named.isdisjoint(expected.get("must_not", ()))
    others = [each for each in diagnosis.findings if not accepted & set(each.catalogue)]
    assert {cause for each in others for cause in each.catalogue}.isdisjoint(expected.get("never", ()))


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda each: each.name)
def test_fix_and_questions_are_about_the_evidence(folder: Path) -> None:
    """`fix_has`: names and values that the first finding's commands hold; `asks_for`: what is asked for next;
    `never_says`: patterns of sentences that the report must not hold."""
    expected = tomllib.loads((folder / "expect.toml").read_text("utf-8"))
    diagnosis = diagnosis_of(folder)
    commands = "\n".join(fix.command for each in diagnosis.findings[:1] for fix in each.fix)
    assert [each for each in expected.get("fix_has", ()) if each not in commands] == []
    asked = "\n".join(diagnosis.missing).casefold()
    assert [each for each in expected.get("asks_for", ()) if each.casefold() not in asked] == []
    report = " ".join(line.text.strip() for line in lines(diagnosis, 80))
    assert [each for each in expected.get("never_says", ()) if re.search(each, report)] == []


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda each: each.name)
def test_redacted_evidence_gives_the_same_cause(folder: Path) -> None:
    plain, hidden = diagnosis_of(folder), diagnose(redacted(evidence_of(folder), b"a key of the test"))
    assert [each.rule for each in hidden.findings[:1]] == [each.rule for each in plain.findings[:1]]


def test_bundles_name_rules_that_exist() -> None:
    known = set(all_causes())
    named = {
        name
        for folder in BUNDLES
        for name in tomllib.loads((folder / "expect.toml").read_text("utf-8")).get("must_not", ())
    }
    assert named - known == set()
