"""Of all that was noted, the peer is told the one reason that helps it, and nothing that others configured."""

import pytest

from gatepost.tenancy.case import Case
from gatepost.tenancy.claims import strong_claims
from gatepost.tenancy.refusal_reason import refused
from tenancy.case_scenes import case_of

HERE = ["203.0.113.0/24"]


def told(case: Case) -> str:
    """The reason code in the reply, after the claims were heard."""
    assert strong_claims(case) == []
    refusal = refused(case).refusal
    assert refusal
    return refusal.reason.value


@pytest.mark.parametrize(
    ("mail_from", "encrypted", "reason"),
    [
        ("a@outside.example", False, "recipient-not-hosted"),
        ("a@contoso.com", False, "address-matches-no-connector"),
        ("a@contoso.com", True, "no-certificate-presented"),
        ("", False, "null-reverse-path-by-address-only"),
    ],
)
def test_who_shows_nothing_is_told_by_the_reverse_path_alone(mail_from: str, encrypted: bool, reason: str) -> None:
    bystander = {"tenant": "fabrikam", "addresses": HERE}
    for connectors in ((), (bystander,)):
        assert told(case_of(*connectors, mail_from=mail_from, encrypted=encrypted)) == reason


def test_a_listed_address_is_told_to_the_tenant_that_the_reverse_path_speaks_of() -> None:
    listing = {"tenant": "contoso", "addresses": HERE}
    case = case_of(listing, mail_from="a@contoso.com", unverified=("contoso",))
    assert told(case) == "reverse-path-domain-not-verified"
    assert told(case_of(listing, mail_from="a@elsewhere.example")) == "recipient-not-hosted"


def test_a_disabled_connector_is_told_to_its_own_server_alone() -> None:
    disabled = {"tenant": "contoso", "addresses": HERE, "enabled": False}
    assert told(case_of(disabled, mail_from="a@contoso.com")) == "connector-disabled"
    assert told(case_of(disabled, mail_from="a@fabrikam.com")) == "address-matches-no-connector"


def test_what_is_wrong_with_the_certificate_comes_before_the_address() -> None:
    listing = {"tenant": "fabrikam", "addresses": HERE}
    for state, reason in (("expired", "certificate-expired"), ("self-signed", "certificate-self-signed")):
        shown = {"names": ["mail.contoso.com"], "state": state}
        assert told(case_of(listing, mail_from="a@contoso.com", certificate=shown)) == reason
    strange = {"names": ["mail.elsewhere.example"]}
    assert told(case_of(listing, certificate=strange)) == "certificate-name-matches-no-connector"
