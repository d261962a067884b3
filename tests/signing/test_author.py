"""Whose a message is: read only where nobody could read it in another way."""

import pytest

from gatepost.signing.author import Author, NoAuthor, author_of


@pytest.mark.parametrize(
    "field",
    [
        b" ann@contoso.com",
        b" <ann@contoso.com>",
        b" Ann <ann@contoso.com>",
        b' "Ann, of Contoso" <ann@contoso.com>',
        b" Ann (in the office) <ann@Contoso.COM>",
        b" ann@contoso.com (Ann (and others))",
        b"\r\n\tAnn\r\n <ann@contoso.com>",
        b' "ann@fabrikam.com" <ann@contoso.com>',
        b" =?utf-8?q?Ann?= <ann@contoso.com> ",
        "Ann Ångström <ånn@contoso.com>".encode(),
    ],
)
def test_one_plain_mailbox_has_a_domain(field: bytes) -> None:
    assert author_of([field]) == Author("contoso.com")


def test_an_international_domain_is_compared_by_its_key() -> None:
    assert author_of(["a@bücher.example".encode()]) == Author("xn--bcher-kva.example")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ([], "no From field"),
        ([b"a@contoso.com", b"b@contoso.com"], "2 From fields"),
        ([b"a@contoso.com, b@fabrikam.com"], "not one plain mailbox"),
        ([b"<a@contoso.com> <b@fabrikam.com>"], "not one plain mailbox"),
        ([b"a@contoso.com <b@fabrikam.com> c"], "not one plain mailbox"),
        ([b"team: a@contoso.com;"], "not one plain mailbox"),
        ([b"a@[192.0.2.1]"], "not one plain mailbox"),
        ([b"<a@contoso.com"], "not one plain mailbox"),
        ([b'"unclosed <a@contoso.com>'], "does not end"),
        ([b'"unclosed \\" <a@contoso.com>'], "does not end"),
        ([b"(" * 9 + b"a@contoso.com" + b")" * 9], "does not end"),
        ([b"a@contoso.com ("], "does not end"),
        ([b"a@contoso.com (\\)"], "does not end"),
        ([b"a@contoso.com )"], "does not end"),
        ([b"a@fabrikam.com\\ <a@contoso.com>"], "not one plain mailbox"),
        ([b"a@conto so.com"], "not one plain mailbox"),
        ([b"a@b@contoso.com"], "not one plain mailbox"),
        ([b"a@\xff.com"], "no valid domain"),
        ([b"x" * 5000 + b"@contoso.com"], "too long"),
        ([b"Ann"], "not one plain mailbox"),
        ([b""], "not one plain mailbox"),
    ],
)
def test_what_could_be_read_in_two_ways_is_nobodys(fields: list[bytes], why: str) -> None:
    found = author_of(fields)
    assert isinstance(found, NoAuthor) and why in found.why
