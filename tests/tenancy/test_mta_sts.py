"""MTA-STS records and policies as texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.tenancy.mta_sts import LONGEST_AGE_S, StsMode, StsPolicy, policy_id, read_policy

GOOD = "version: STSv1\nmode: enforce\nmx: mx.fabrikam.example\nmx: *.mail.example\nmax_age: 604800\n"


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (["v=STSv1; id=20261201T120000;"], "20261201T120000"),
        (["v=STSv1;id=1"], "1"),
        (["v=STSv1 ; other=x; id = a1 ;"], "a1"),
        (["v=STSv1; id=with-dash"], None),
        (["v=STSv1; id=" + "a" * 33], None),
        (["v=STSv1"], None),
        (["v=STSv10; id=1"], None),
        (["v=STSv1; id=1", "v=STSv1; id=1"], None),
        ([], None),
    ],
)
def test_one_record_with_an_id_announces_a_policy(records: list[str], expected: str | None) -> None:
    assert policy_id(records) == expected


def test_a_policy_is_read_whole() -> None:
    policy = StsPolicy("1", StsMode.ENFORCE, 604_800, ("mx.fabrikam.example", "*.mail.example"))
    assert read_policy(GOOD, "1") == policy
    assert read_policy(GOOD.replace("\n", "\r\n"), "1") == policy


def test_a_name_in_letters_of_any_script_is_the_same_name() -> None:
    policy = read_policy(GOOD.replace("mx.fabrikam", "mx.bücher"), "1")
    assert isinstance(policy, StsPolicy)
    assert policy.covers("mx.xn--bcher-kva.example")
    assert policy.covers("a.mail.example")
    assert not policy.covers("a.b.mail.example")
    assert not policy.covers("mail.example")


@pytest.mark.parametrize(
    ("max_age", "expected"), [("99999999999", None), ("-1", None), ("\u0664", None), ("4000000000", LONGEST_AGE_S)]
)
def test_an_age_is_a_number_of_seconds_and_at_most_a_year(max_age: str, expected: int | None) -> None:
    policy = read_policy(GOOD.replace("604800", max_age), "1")
    assert (policy.max_age_s if isinstance(policy, StsPolicy) else None) == expected


@given(st.text(max_size=300), st.lists(st.text(max_size=80), max_size=3))
def test_nothing_that_a_stranger_wrote_throws(text: str, records: list[str]) -> None:
    policy_id(records)
    read = read_policy(text, "1")
    assert isinstance(read, StsPolicy) or read.startswith("it")
