"""The model beside the rules, on the same evidence: it may say more from commit to commit, and contradict less.

`path_against_rules.toml` holds the table: how many of the bundles both see alike, only the rules, only the model, and
in how many they contradict each other. What the model says of what happens, with the cause left open, is no cause: it
never goes before a rule's.
"""

import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from doctor.field_score import FIELD, cases_of, evidence_of
from gatepost.doctor.diagnosis import by_rules
from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.explanation import explained
from gatepost.doctor.reading import read_files, read_text

HERE = Path(__file__).parent
TABLE = tomllib.loads((HERE / "path_against_rules.toml").read_text("utf-8"))
SURE = ("medium", "high")


def evidence() -> Iterator[tuple[str, set[str], EvidenceBundle]]:
    """Name, the causes that are right (empty: none is), and the evidence."""
    for folder in sorted(each for each in (HERE / "bundles").iterdir() if each.is_dir()):
        expected = tomllib.loads((folder / "expect.toml").read_text("utf-8"))
        files = [each for each in sorted(folder.iterdir()) if each.name != "expect.toml"]
        yield folder.name, {expected["first"], *expected.get("accept", ())}, read_files(files)
    for case in cases_of(FIELD / "first"):
        yield case.name, set(), evidence_of(case)


def test_the_table_only_improves():
    counted: Counter[str] = Counter()
    wrong = []
    for name, right, bundle in evidence():
        rules, model = by_rules(bundle), explained(bundle).findings
        rule = set(rules[0].catalogue) if rules and rules[0].confidence in SURE else set()
        path = set(model[0].catalogue) if model and model[0].confidence in SURE and not model[0].symptom else set()
        counted[said(rule, path, right)] += 1
        if model and model[0].confidence == "high" and right and not right & path:
            wrong.append((name, model[0].rule))
    assert wrong == TABLE["wrongly_high"]
    assert counted["same"] + counted["only-model"] >= TABLE["same"] + TABLE["only-model"], counted
    assert counted["contradict"] <= TABLE["contradict"], counted


def said(rule: set[str], path: set[str], right: set[str]) -> str:
    """Where the model is right, a rule that names another cause knows nothing: the one that was for it may be gone."""
    if path & right and rule and not rule & right:
        return "only-model"
    if not rule and not path:
        return "neither"
    if rule and path:
        return "same" if rule & path else "contradict"
    return "only-rules" if rule else "only-model"


def test_no_near_miss_gives_the_model_the_cause_that_it_must_not():
    near_misses = tomllib.loads((HERE / "near_misses.toml").read_text("utf-8"))
    wrong = [
        cause
        for cause, near in near_misses.items()
        for each in explained(read_text(near["evidence"].strip() + "\n", "evidence.txt")).findings
        if each.catalogue[:1] == (cause,)
    ]
    assert wrong == []
