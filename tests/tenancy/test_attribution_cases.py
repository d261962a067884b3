"""Every case of tests/attribution, under both rule sets."""

import re
from dataclasses import fields
from typing import Any

import pytest

from gatepost.tenancy.attribution import EOP, GATEPOST, Outcome, RuleSet
from gatepost.tenancy.reasons import MEANINGS, ReasonCode, ReasonKind
from tenancy.attribution_cases import FOLDER, HOST, SESSION, Case, all_cases

CASES = list(all_cases())
BOTH = [
    pytest.param(case, rules, expect, id=f"{case.file}: {case.name} [{rules.name}]")
    for case in CASES
    for rules, expect in ((GATEPOST, case.expect), (EOP, case.expect_eop))
]


@pytest.mark.parametrize(("case", "rules", "expect"), BOTH)
def test_case(case: Case, rules: RuleSet, expect: dict[str, Any]) -> None:
    attribution = case.attribution(rules)
    told = case.reply(rules)
    found = f"{attribution}\n{told}"
    codes = [str(reason.code) for reason in attribution.reasons]
    assert attribution.outcome == expect["outcome"], found
    assert attribution.tenant == expect.get("tenant"), found
    if "connector" in expect:
        assert (attribution.connector or "") == expect["connector"], found
    assert attribution.basis == expect.get("basis"), found
    assert told.startswith(expect.get("reply", "")), found
    assert set(expect.get("reasons", ())) <= set(codes), found
    assert not set(expect.get("not_reasons", ())) & set(codes), found
    assert len(attribution.warnings) >= len(expect.get("warnings", ()))
    for warning in expect.get("warnings", ()):
        assert any(warning in each for each in attribution.warnings), found
    assert attribution.directory_version == case.directory.version


@pytest.mark.parametrize(("case", "rules", "expect"), BOTH)
def test_the_peer_is_told_nothing_it_did_not_say(case: Case, rules: RuleSet, expect: dict[str, Any]) -> None:
    told = case.reply(rules).partition(f" [{HOST}")[0].lower()
    for secret in (*case.secrets, *expect.get("must_not_reveal", ())):
        assert secret.lower() not in told


@pytest.mark.parametrize(("case", "rules", "expect"), BOTH)
def test_a_refusal_leads_with_its_reason_and_carries_the_session_id(
    case: Case, rules: RuleSet, expect: dict[str, Any]
) -> None:
    attribution = case.attribution(rules)
    if attribution.outcome is not Outcome.REFUSED:
        assert attribution.refusal is None
        assert MEANINGS[attribution.reasons[0].code].kind is ReasonKind.MATCH
        return
    assert attribution.refusal is not None
    assert attribution.reasons[0].code is attribution.refusal.reason
    assert MEANINGS[attribution.refusal.reason].kind is ReasonKind.REFUSAL
    assert f"; {attribution.refusal.reason} " in case.reply(rules)
    assert case.reply(rules).endswith(f" [{HOST} 2026-11-23T21:00:00.123Z {SESSION}]")


def test_where_the_rule_sets_differ_the_data_says_why() -> None:
    for case in CASES:
        assert (case.expect != case.expect_eop) == bool(case.differs), case.name


def test_every_reason_code_is_reached_by_a_case() -> None:
    reached = {reason.code for case in CASES for rules in (GATEPOST, EOP) for reason in case.attribution(rules).reasons}
    assert set(ReasonCode) - reached == set()


def test_every_refusal_leads_in_a_case() -> None:
    refusals = [case.attribution(rules).refusal for case in CASES for rules in (GATEPOST, EOP)]
    leading = {refusal.reason for refusal in refusals if refusal}
    assert {code for code in ReasonCode if MEANINGS[code].kind is ReasonKind.REFUSAL} - leading == set()


def test_the_reference_tables_every_switch_of_the_rule_sets() -> None:
    text = (FOLDER.parents[1] / "docs" / "reference" / "attribution.md").read_text("utf-8")
    switches = {field.name for field in fields(RuleSet)} - {"name"}
    tabled = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert tabled == {switch for switch in switches if getattr(GATEPOST, switch) != getattr(EOP, switch)}
    assert all(f"`{switch}`" in text for switch in switches)
