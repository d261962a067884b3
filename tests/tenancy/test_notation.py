"""How administrators write names, fingerprints, networks and hosts. The cases are in notation.toml."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.errors import BadRequest
from gatepost.tenancy import notation

READERS: dict[str, Callable[[str], object]] = {
    "certificate_name": notation.certificate_name,
    "accepted_domain": notation.accepted_domain,
    "sha256": lambda text: notation.sha256(text, "certificate"),
    "network": notation.network,
    "domain_pattern": notation.domain_pattern,
    "address_space": notation.address_space,
    "smart_host": notation.smart_host,
}
CASES = [
    pytest.param(kind, case, id=f"{kind} {case['text']}")
    for kind, cases in tomllib.loads(Path(__file__).with_name("notation.toml").read_text("utf-8")).items()
    for case in cases
]


@pytest.mark.parametrize(("kind", "case"), CASES)
def test_what_an_administrator_writes_is_read_or_explained(kind: str, case: dict[str, object]) -> None:
    if "reads" in case:
        assert str(READERS[kind](str(case["text"]))) == case["reads"]
        return
    with pytest.raises(BadRequest) as refused:
        READERS[kind](str(case["text"]))
    said = str(refused.value)
    assert "\n" not in said
    for words in case["says"]:
        assert words in said


@pytest.mark.parametrize("kind", READERS)
@given(text=st.text(st.sampled_from("aA1.*:/-[]%;@<>= ü\n"), max_size=30))
def test_nothing_an_administrator_writes_is_an_error_of_ours(kind: str, text: str) -> None:
    try:
        READERS[kind](text)
    except BadRequest as refused:
        assert str(refused)


@pytest.mark.parametrize("name", ["contoso", "Contoso Ltd", "Inbound from 5d8f2e", "bücher", "a" * 64])
def test_any_name_people_can_read_can_be_given(name: str) -> None:
    assert notation.object_name(name, "tenant") == name


@pytest.mark.parametrize("name", ["", " contoso", "con/toso", "-contoso", "con\ttoso", "a" * 65])
def test_a_name_that_cannot_be_shown_or_typed_is_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        notation.object_name(name, "tenant")


def test_a_size_is_shown_as_it_would_be_written() -> None:
    for text in ("25MiB", "1GiB", "64KiB", "0", "1000"):
        size = notation.limit_size(text)
        assert size is not None and notation.size_text(size) == text
    assert notation.size_text(1536 * 1024) == "1536KiB"
