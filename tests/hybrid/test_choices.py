"""Certificates side by side."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gatepost.hybrid.choices import Candidate, Choice, compared
from gatepost.net.certificates import read_chain
from gatepost.net.judgement import Judge
from pki import Issued, Pki

NOW = datetime.now(UTC)
CONNECTORS = {"exact": ["mail.contoso.com"], "wide": ["*.contoso.com"], "other": ["mail.fabrikam.com"]}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"), organisation="Test Authority")


def candidate(pki: Pki, issued: Issued, *, alone: bool = False, **more: Any) -> Candidate:
    chain = read_chain(issued.certificate_file if alone else issued.chain_file)
    judged = Judge(pki.roots_file)(chain, (), NOW)
    return Candidate(**{"file": issued.name, "chain": chain, "judged": judged, "key_file": "key.pem", **more})


def only(pki: Pki, issued: Issued, **more: Any) -> Choice:
    (choice,) = compared([candidate(pki, issued, **more)], CONNECTORS, ["contoso.com"], NOW)
    return choice


def test_a_good_one_is_told_with_the_connectors_that_recognise_it(pki: Pki) -> None:
    choice = only(pki, pki.leaf("mail.contoso.com"))
    assert (choice.usable, choice.satisfies, choice.warnings) == (True, ("exact", "wide"), ())


def test_what_does_not_verify_satisfies_nothing(pki: Pki) -> None:
    choice = only(pki, pki.leaf("mail.contoso.com"), alone=True)
    assert (choice.usable, choice.satisfies, choice.chain_complete) == (False, (), False)
    assert any("put it behind the certificate" in each for each in choice.warnings)
    assert "it is self-signed" in only(pki, pki.self_signed("mail.contoso.com")).warnings[0]


@pytest.mark.parametrize(
    ("leaf", "says"),
    [
        ({"common_name": "mail.contoso.com", "purposes": ("serverAuth",)}, "serverAuth only"),
        ({"common_name": "mail.litware.com"}, "no verified domain of yours covers mail.litware.com"),
        ({"common_name": "mail.contoso.com", "not_after": NOW + timedelta(days=9, hours=1)}, "ends in 9 days"),
    ],
)
def test_what_speaks_against_one_is_told(pki: Pki, leaf: dict[str, Any], says: str) -> None:
    name = leaf.pop("common_name")
    choice = only(pki, pki.leaf(name, **leaf))
    assert choice.usable
    assert any(says in each for each in choice.warnings)


def test_an_empty_subject_and_no_name_are_told(pki: Pki) -> None:
    named = only(pki, pki.leaf(None, common_name=None, names=("mail.contoso.com",)))
    assert any("subject is empty" in each for each in named.warnings)
    nameless = only(pki, pki.leaf(None, common_name=None))
    assert not nameless.usable
    assert any("no name at all" in each for each in nameless.warnings)


def test_a_missing_or_foreign_key_makes_it_useless(pki: Pki) -> None:
    issued = pki.leaf("mail.contoso.com")
    assert not only(pki, issued, key_file=None).usable
    choice = only(pki, issued, key_file=None, key_problem="x.key does not belong to it")
    assert choice.warnings[0] == "x.key does not belong to it"


def test_two_of_the_same_names_are_told_and_the_better_comes_first(pki: Pki) -> None:
    old, new = pki.leaf("mail.contoso.com"), pki.leaf("mail.contoso.com")
    found = compared(
        [candidate(pki, old, alone=True, file="a"), candidate(pki, new, file="b")], CONNECTORS, ["contoso.com"], NOW
    )
    assert [choice.file for choice in found] == ["b", "a"]
    assert all(any("same names" in each for each in choice.warnings) for choice in found)


def test_nothing_here_reads_files(tmp_path: Path, pki: Pki) -> None:
    assert only(pki, pki.leaf("mail.contoso.com"), file=str(tmp_path / "gone")).usable
