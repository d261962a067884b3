"""One name in the notations of several programs is one name."""

import pytest

from gatepost.exchange.distinguished_names import distinguished_name, issuer_and_subject


@pytest.mark.parametrize(
    "text",
    [
        'CN=Contoso CA, O="Contoso, Ltd.", S=Bavaria, C=DE',
        "C = DE, ST = Bavaria, O = Contoso\\, Ltd., CN = Contoso CA",
        "/C=DE/ST=Bavaria/O=Contoso, Ltd./CN=Contoso CA",
        "2.5.4.3=Contoso CA, 2.5.4.10=Contoso\\, Ltd., 2.5.4.8=Bavaria, 2.5.4.6=DE",
    ],
)
def test_every_notation_gives_the_same_name(text: str) -> None:
    name = distinguished_name(text)
    assert (name.common_name, name.organization) == ("Contoso CA", "Contoso, Ltd.")
    assert name.key == distinguished_name('CN=Contoso CA, O="Contoso, Ltd.", ST=Bavaria, C=DE').key


def test_exchanges_pair_of_names_is_none_without_its_tags() -> None:
    assert issuer_and_subject("CN=A CA CN=mail.contoso.com") is None
    issuer, subject = issuer_and_subject("<I>CN=A CA<S>CN=mail.contoso.com")
    assert (issuer.text, subject.text) == ("CN=A CA", "CN=mail.contoso.com")
