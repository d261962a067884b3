"""Certificate names against connector names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.mail.domain import is_at_or_below, pattern_covers
from gatepost.tenancy.evidence import VerifiedCertificate
from gatepost.tenancy.names import (
    MOST_NAMES,
    MatchKind,
    certificate_name_key,
    covers,
    name_matches,
    presented_names,
    without_wildcard,
)
from tenancy.attribution_cases import facts

LABELS = st.sampled_from(["a", "b", "mail", "contoso"])
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(lambda labels: ".".join([*labels, "com"]))
PATTERNS = st.one_of(NAMES, NAMES.map(lambda name: f"*.{name}"))


def verified(*names: str, common_names: tuple[str, ...] = ()) -> VerifiedCertificate:
    leaf = facts(*names, common_names=common_names)
    return VerifiedCertificate(leaf=leaf, chain=(leaf,), anchor="CN=Root")


@pytest.mark.parametrize(
    ("presented", "pattern", "kind"),
    [
        ("mail.contoso.com", "mail.contoso.com", MatchKind.EXACT),
        ("mail.contoso.com", "*.contoso.com", MatchKind.WILDCARD),
        ("a.b.contoso.com", "*.contoso.com", MatchKind.WILDCARD),
        ("contoso.com", "*.contoso.com", MatchKind.WILDCARD),
        ("*.contoso.com", "*.contoso.com", MatchKind.WILDCARD),
        ("*.contoso.com", "mail.contoso.com", MatchKind.WILDCARD_CERTIFICATE),
        ("*.contoso.com", "a.mail.contoso.com", None),
        ("*.contoso.com", "contoso.com", None),
        ("mail.contoso.com", "contoso.com", None),
        ("contoso.com", "mail.contoso.com", None),
        ("notcontoso.com", "*.contoso.com", None),
        ("*.com", "*.contoso.com", None),
    ],
)
def test_how_a_presented_name_answers_to_a_connector_name(presented: str, pattern: str, kind: MatchKind | None) -> None:
    matches = name_matches(verified(presented), [pattern])
    assert [match.kind for match in matches] == ([] if kind is None else [kind])


@given(presented=NAMES, pattern=PATTERNS)
def test_a_host_name_matches_exactly_what_the_pattern_covers(presented: str, pattern: str) -> None:
    assert bool(name_matches(verified(presented), [pattern])) == pattern_covers(pattern, presented)


@given(presented=PATTERNS, pattern=NAMES)
def test_no_match_reaches_outside_the_connectors_domain(presented: str, pattern: str) -> None:
    for match in name_matches(verified(presented), [f"*.{pattern}"]):
        assert is_at_or_below(without_wildcard(match.presented), pattern)


def test_exact_is_more_specific_than_wildcard_and_a_longer_suffix_than_a_shorter() -> None:
    patterns = ["*.com", "*.contoso.com", "*.east.contoso.com", "mail.east.contoso.com"]
    matches = name_matches(verified("mail.east.contoso.com"), patterns)
    assert [match.pattern for match in sorted(matches, key=lambda match: match.specificity)] == patterns


def test_unrelated_wildcards_of_equal_depth_are_equally_specific() -> None:
    matches = name_matches(verified("mail.contoso.com", "mail.litware.com"), ["*.contoso.com", "*.litware.com"])
    assert len({match.specificity for match in matches}) == 1


@pytest.mark.parametrize(
    "name", ["", "Exchange Server", "m*.contoso.com", "*", "*.", "a..b", "evil\r\nname", "*.*.com"]
)
def test_what_is_no_domain_name_is_no_name(name: str) -> None:
    assert certificate_name_key(name) is None


def test_a_name_outside_ascii_is_no_name_of_a_certificate() -> None:
    assert not name_matches(verified("mail.bücher.example"), ["mail.xn--bcher-kva.example"])


def test_the_common_name_is_marked_where_dns_names_stand_beside_it() -> None:
    assert [name.beside_san for name in presented_names(facts("a.example", common_names=("b.example",)))] == [
        False,
        True,
    ]
    assert [name.beside_san for name in presented_names(facts(common_names=("b.example",)))] == [False]


def test_the_common_name_that_is_among_the_dns_names_is_one_of_them() -> None:
    names = presented_names(facts("a.example", common_names=("A.example",)))
    assert [(name.key, name.beside_san) for name in names] == [("a.example", False)]


def test_a_certificate_with_thousands_of_names_costs_no_more_than_a_few_hundred() -> None:
    assert len(presented_names(facts(*(f"n{at}.example" for at in range(5000))))) == MOST_NAMES


@given(presented=PATTERNS, pattern=PATTERNS)
def test_a_pattern_covers_what_a_session_would_match(presented: str, pattern: str) -> None:
    """One answer for the relay, the wizard and whoever else asks; and a bare `*` is no certificate name."""
    kinds = {match.kind for match in name_matches(verified(presented), [pattern])}
    assert covers(pattern, presented) == bool(kinds & {MatchKind.EXACT, MatchKind.WILDCARD})
    assert not covers("*", presented)
