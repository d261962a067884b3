"""Codes, their table and their pages say the same; and what is wrong with a certificate has one reason."""

import re
from pathlib import Path

import pytest

from gatepost.tenancy.attribution import EOP, GATEPOST
from gatepost.tenancy.evidence import PresentedCertificate, VerificationError
from gatepost.tenancy.reasons import MEANINGS, ReasonCode, ReasonKind, certificate_says, reason_for
from gatepost.tenancy.refusal import _FACTS
from tenancy.attribution_cases import all_cases, facts, presented

PAGES = Path(__file__).parents[2] / "docs" / "reasons"
REFUSALS = [code for code in ReasonCode if MEANINGS[code].kind is ReasonKind.REFUSAL]
SECTIONS = ["What it means", "What the peer sees", "How to see it", "How to fix it"]


def page(code: ReasonCode) -> str:
    return (PAGES / f"{code}.md").read_text("utf-8")


def test_every_code_has_a_meaning_in_kebab_case() -> None:
    assert set(MEANINGS) == set(ReasonCode)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in ReasonCode)
    assert all(code.name == code.value.upper().replace("-", "_") for code in ReasonCode)


def test_every_refusal_has_a_fact_to_tell() -> None:
    assert set(_FACTS) == set(REFUSALS)


def test_there_is_one_page_for_each_code_and_no_other() -> None:
    pages = {file.stem for file in PAGES.glob("*.md")} - {"index"}
    assert pages == {str(code) for code in ReasonCode}


@pytest.mark.parametrize("code", ReasonCode)
def test_a_page_opens_with_its_code_and_its_sentence_and_has_every_section(code: ReasonCode) -> None:
    text = page(code)
    assert text.startswith(f"# {code}\n\n{MEANINGS[code].sentence}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert f"Kind: {MEANINGS[code].kind}" in text
    for reader in ("The sender", "The tenant's administrator", "The operator"):
        assert f"**{reader}**" in text
    assert "gatepost why" in text
    assert "gatepost explain" in text


@pytest.mark.parametrize("code", ReasonCode)
def test_the_index_names_every_code_with_its_sentence(code: ReasonCode) -> None:
    index = (PAGES / "index.md").read_text("utf-8")
    assert f"| [{code}]({code}.md) | {MEANINGS[code].kind} | {MEANINGS[code].sentence} |\n" in index


@pytest.fixture(scope="module")
def replies() -> set[str]:
    return {case.reply(rules) for case in all_cases() for rules in (GATEPOST, EOP)}


@pytest.mark.parametrize("code", REFUSALS)
def test_the_reply_on_a_page_is_one_that_a_case_really_gets(code: ReasonCode, replies: set[str]) -> None:
    shown = re.search(r"^[45]\d\d [45]\.\d+\.\d+ .*$", page(code), re.MULTILINE)
    assert shown
    assert f"; {code} " in shown[0]
    assert shown[0] in replies


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (9, ReasonCode.CERTIFICATE_NOT_YET_VALID),
        (10, ReasonCode.CERTIFICATE_EXPIRED),
        (18, ReasonCode.CERTIFICATE_SELF_SIGNED),
        (19, ReasonCode.CERTIFICATE_ISSUER_UNKNOWN),
        (20, ReasonCode.CERTIFICATE_ISSUER_UNKNOWN),
        (21, ReasonCode.CERTIFICATE_ISSUER_UNKNOWN),
        (26, ReasonCode.CERTIFICATE_PURPOSE),
        (34, ReasonCode.CERTIFICATE_INVALID),
        (66, ReasonCode.CERTIFICATE_WEAK_KEY),
        (67, ReasonCode.CERTIFICATE_WEAK_KEY),
        (68, ReasonCode.CERTIFICATE_WEAK_KEY),
        (9999, ReasonCode.CERTIFICATE_INVALID),
    ],
)
def test_the_decisive_verification_error_gives_the_reason(code: int, reason: ReasonCode) -> None:
    leaf = facts("mail.contoso.com")
    errors = tuple(VerificationError(code=each, depth=0, text="t") for each in (code, 10, 18))
    assert reason_for(PresentedCertificate(leaf=leaf, chain=(leaf,), errors=errors)) is reason


def test_without_any_error_a_certificate_that_did_not_verify_is_invalid() -> None:
    leaf = facts("mail.contoso.com")
    assert reason_for(PresentedCertificate(leaf=leaf, chain=(leaf,), errors=())) is ReasonCode.CERTIFICATE_INVALID


def test_a_missing_intermediate_rests_on_the_judges_evidence() -> None:
    leaf = facts("mail.contoso.com")
    assert reason_for(presented(leaf, "intermediate-missing")) is ReasonCode.CERTIFICATE_INTERMEDIATE_MISSING
    assert reason_for(presented(leaf, "issuer-unknown")) is ReasonCode.CERTIFICATE_ISSUER_UNKNOWN


def test_where_the_chain_leaves_two_causes_open_the_operator_hears_of_both() -> None:
    says = certificate_says(presented(facts("mail.contoso.com"), "issuer-unknown"))
    assert "an intermediate certificate may be missing" in says
