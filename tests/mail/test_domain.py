"""Domain keys, and what lies below or is covered by what."""

import pytest

from gatepost.mail.domain import DomainError, domain_key, is_at_or_below, is_below, parents, pattern_covers


def test_a_key_is_lower_case_ascii_without_the_last_dot() -> None:
    assert domain_key("Mail.Contoso.COM.") == "mail.contoso.com"
    assert domain_key("bücher.example") == "xn--bcher-kva.example"


@pytest.mark.parametrize("text", ["", "a b.example", "a..example", f"{'a' * 64}.example", ".".join(["a" * 60] * 5)])
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(DomainError):
        domain_key(text)


def test_parents_are_given_nearest_first() -> None:
    assert list(parents("a.b.example")) == ["b.example", "example"]
    assert is_below("a.b.example", "b.example") and not is_below("b.example", "b.example")
    assert is_at_or_below("b.example", "b.example") and not is_at_or_below("ab.example", "b.example")


@pytest.mark.parametrize(
    ("pattern", "covered", "not_covered"),
    [
        ("*", ["contoso.com", "com"], []),
        ("contoso.com", ["contoso.com"], ["mail.contoso.com", "com"]),
        ("*.contoso.com", ["contoso.com", "mail.contoso.com", "a.b.contoso.com"], ["acontoso.com", "com"]),
    ],
)
def test_a_pattern_covers_a_domain_or_what_lies_below(pattern: str, covered: list[str], not_covered: list[str]) -> None:
    assert all(pattern_covers(pattern, each) for each in covered)
    assert not any(pattern_covers(pattern, each) for each in not_covered)
