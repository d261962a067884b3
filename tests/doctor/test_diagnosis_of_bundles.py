"""Every bundle of evidence gives the cause it was made for, no surer than it may be, and none that it must not."""

import tomllib
from pathlib import Path

import pytest

from gatepost.doctor.diagnosis import Diagnosis, diagnose
from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.reading import read_files
from gatepost.doctor.redaction import redacted
from gatepost.doctor.rules import all_rules

BUNDLES = sorted(each for each in (Path(__file__).parent / "bundles").iterdir() if each.is_dir())
SURENESS = ("low", "medium", "high")


def evidence_of(folder: Path) -> EvidenceBundle:
    return read_files([each for each in sorted(folder.iterdir()) if each.name != "expect.toml"])


def first_catalogue(diagnosis: Diagnosis) -> tuple[str, ...]:
    return diagnosis.findings[0].catalogue if diagnosis.findings else ()


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda each: each.name)
def test_evidence_gives_its_cause_first(folder: Path) -> None:
    expected = tomllib.loads((folder / "expect.toml").read_text("utf-8"))
    diagnosis = diagnose(evidence_of(folder))
    accepted = {expected["first"], *expected.get("accept", ())}
    assert accepted & set(first_catalogue(diagnosis)) or ("none" in accepted and not first_catalogue(diagnosis))
    if diagnosis.findings:
        ceiling = SURENESS.index(expected.get("confidence_at_most", "high"))
        assert SURENESS.index(diagnosis.findings[0].confidence) <= ceiling
    named = {each.rule for each in diagnosis.findings}
    assert named.isdisjoint(expected.get("must_not", ()))


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda each: each.name)
def test_redacted_evidence_gives_the_same_cause(folder: Path) -> None:
    bundle = evidence_of(folder)
    plain, hidden = diagnose(bundle), diagnose(redacted(bundle, b"a key of the test"))
    assert [each.rule for each in hidden.findings[:1]] == [each.rule for each in plain.findings[:1]]


def test_bundles_name_rules_that_exist() -> None:
    known = {each.id for each in all_rules()}
    named = {
        name
        for folder in BUNDLES
        for name in tomllib.loads((folder / "expect.toml").read_text("utf-8")).get("must_not", ())
    }
    assert named - known == set()
