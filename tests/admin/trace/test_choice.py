"""What somebody wrote becomes a filter, or one line about the option that is wrong."""

import pytest

from gatepost.admin.trace.choice import Words, choice
from gatepost.errors import BadRequest
from gatepost.trace.story import Outcome

NOW = 1_796_126_400.0


def test_each_word_is_read_as_people_write_it() -> None:
    found = choice(
        Words(
            mail_from="<ann@contoso.com>",
            rcpt_to="bob@x.example",
            domain="Contoso.COM",
            message_id=" <1@contoso.com> ",
            address="2001:DB8:0::1",
            certificate="AB:" * 31 + "AB",
            outcome="accepted",
            since="2026-12-01T10:00",
            until="2h",
        ),
        NOW,
    )
    assert (found.mail_from, found.rcpt_to, found.domain) == ("ann@contoso.com", "bob@x.example", "contoso.com")
    assert (found.message_id, found.address, found.certificate) == ("1@contoso.com", "2001:db8::1", "ab" * 32)
    assert found.outcomes == frozenset(Outcome) - {Outcome.REFUSED}
    assert (found.since, found.until) == (NOW - 7200, NOW - 7200)
    assert choice(Words(mail_from="<>"), NOW).mail_from == ""


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (Words(mail_from="ann"), "from"),
        (Words(rcpt_to="@x"), "to"),
        (Words(domain="a..b"), "domain"),
        (Words(address="10.0.0"), "address"),
        (Words(outcome="lost"), "outcome"),
        (Words(since="yesterday"), "since"),
        (Words(until="2026-13-01"), "until"),
        (Words(subject="x" * 2000), "subject"),
    ],
)
def test_a_wrong_word_is_refused_by_the_name_of_its_field(words: Words, field: str) -> None:
    with pytest.raises(BadRequest) as refused:
        choice(words, NOW)
    assert refused.value.field and refused.value.field.name == field
    assert "\n" not in str(refused.value)


def test_lists_of_different_words_are_different_lists() -> None:
    assert Words(mail_from="a@b").list_ != Words(rcpt_to="a@b").list_ != Words().list_
