"""What the operator reads of a session that nobody recognised."""

from gatepost.tenancy.case import Case
from gatepost.tenancy.session_notes import note_session
from tenancy.case_scenes import case_of, codes

CONTOSOS = {"tenant": "contoso", "name": "in", "certificate_names": ["mail.contoso.com"], "addresses": ["192.0.2.1/32"]}
FABRIKAMS = {"tenant": "fabrikam", "name": "in", "certificate_names": ["mail.fabrikam.com"]}
NEAR_MISS = ("certificate-name-does-not-match", "contoso/in")


def noted(case: Case) -> list[tuple[str, str | None]]:
    note_session(case)
    return codes(case)


def test_the_connectors_of_the_reverse_paths_tenant_say_what_they_expected() -> None:
    case = case_of(CONTOSOS, FABRIKAMS, mail_from="a@contoso.com", certificate={"names": ["mx.contoso.com"]})
    found = noted(case)
    assert NEAR_MISS in found and ("address-not-in-range", "contoso/in") in found
    assert not any(connector == "fabrikam/in" for _, connector in found)
    says = next(reason.says for reason in case.reasons if reason.connector == "contoso/in")
    assert says == "Expected mail.contoso.com; the client presented mx.contoso.com."


def test_with_a_null_reverse_path_the_owner_of_the_certificates_name_says_it() -> None:
    """A bounce, or the second message of a Postfix that lost its way: the certificate still says whose server it is."""
    for mail_from in ("", "a@elsewhere.example"):
        found = noted(case_of(CONTOSOS, FABRIKAMS, mail_from=mail_from, certificate={"names": ["mx.contoso.com"]}))
        assert NEAR_MISS in found
        assert not any(connector == "fabrikam/in" for _, connector in found)


def test_a_certificate_of_two_tenants_or_of_nobody_points_at_no_connector() -> None:
    for names in (["mx.contoso.com", "mx.fabrikam.com"], ["mx.elsewhere.example"]):
        found = noted(case_of(CONTOSOS, FABRIKAMS, certificate={"names": names}))
        assert all(connector is None for _, connector in found)


def test_a_claim_that_nobody_proved_is_noted_under_its_own_connector() -> None:
    listing = {"tenant": "contoso", "name": "in", "addresses": ["203.0.113.0/24"]}
    case = case_of(listing, FABRIKAMS, mail_from="a@contoso.com", unverified=("contoso",))
    assert ("reverse-path-domain-not-verified", "contoso/in") in noted(case)
