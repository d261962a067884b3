"""Which connectors answer to a session, and how strongly."""

import pytest

from gatepost.tenancy.case import Basis, Case, Claim
from gatepost.tenancy.claims import strong_claims, undisputed
from tenancy.case_scenes import case_of, codes

MAIL = {"names": ["mail.contoso.com"]}
PIN = "ab" * 32


def said(claims: list[Claim]) -> list[tuple[str, Basis]]:
    return [(claim.connector.label, claim.basis) for claim in claims]


def found(case: Case) -> list[tuple[str, Basis]]:
    return said(undisputed(case, strong_claims(case)))


def test_an_owned_name_identifies_its_tenant_by_itself() -> None:
    exact = {"tenant": "contoso", "certificate_names": ["mail.contoso.com"]}
    wide = {"tenant": "contoso", "certificate_names": ["*.contoso.com"]}
    case = case_of(exact, wide, certificate=MAIL)
    assert found(case) == [("contoso/c0", Basis.CERTIFICATE), ("contoso/c1", Basis.CERTIFICATE)]
    assert case.weak == []


def test_a_name_that_is_not_owned_is_noted_and_nothing_else() -> None:
    case = case_of(
        {"tenant": "contoso", "certificate_names": ["mail.contoso.com"]}, certificate=MAIL, unverified=("contoso",)
    )
    assert found(case) == [] == case.weak
    case = case_of(
        {"tenant": "fabrikam", "certificate_names": ["mail.contoso.com"]}, mail_from="a@fabrikam.com", certificate=MAIL
    )
    assert found(case) == []
    assert codes(case) == [("certificate-name-not-owned", "fabrikam/c0")]


def test_a_certificate_that_did_not_verify_gives_no_claim_by_name() -> None:
    named = {"tenant": "contoso", "certificate_names": ["mail.contoso.com"]}
    case = case_of(named, certificate={**MAIL, "state": "expired"})
    assert found(case) == []
    assert codes(case) == [("certificate-expired", "contoso/c0")]


def test_a_wildcard_certificate_nearly_answers_to_an_exact_name() -> None:
    case = case_of(
        {"tenant": "contoso", "certificate_names": ["mail.contoso.com"]}, certificate={"names": ["*.contoso.com"]}
    )
    assert found(case) == []
    assert codes(case) == [("wildcard-certificate-for-exact-name", "contoso/c0")]
    assert list(case.unfit.values()) == ["*.contoso.com"]


def test_a_disabled_connector_claims_nothing_and_is_remembered() -> None:
    named = {"tenant": "contoso", "certificate_names": ["mail.contoso.com"], "enabled": False}
    case = case_of(named, certificate=MAIL, mail_from="a@contoso.com")
    assert found(case) == []
    assert said(case.disabled) == [("contoso/c0", Basis.CERTIFICATE)]


def test_an_address_needs_the_reverse_path_beside_it() -> None:
    case = case_of({"tenant": "contoso", "addresses": ["203.0.113.0/24"]}, mail_from="a@contoso.com")
    assert found(case) == []
    assert said(case.weak) == [("contoso/c0", Basis.ADDRESS)]


PINNED = {"certificate_sha256": [PIN], "proven_pins": [PIN]}
SHOWN = {"names": ["server.internal"], "sha256": PIN}


def test_of_two_proofs_of_one_certificate_the_earlier_counts() -> None:
    earlier = {"tenant": "fabrikam", **PINNED, "proven_at": "2026-01-01T00:00:00Z"}
    later = {"tenant": "contoso", **PINNED, "proven_at": "2026-02-01T00:00:00Z"}
    case = case_of(later, earlier, certificate=SHOWN)
    assert found(case) == [("fabrikam/c1", Basis.PIN)]


@pytest.mark.parametrize("where", ["mail_from", "to"])
def test_a_proven_pin_gives_way_to_the_owner_of_a_path(where: str) -> None:
    paths = {where: "a@contoso.com"}
    case = case_of({"tenant": "fabrikam", **PINNED}, certificate=SHOWN, **paths)  # type: ignore[arg-type]
    assert found(case) == []
    assert ("pin-yields-to-domain", "fabrikam/c0") in codes(case)
    assert said(case.weak) == [("fabrikam/c0", Basis.PIN)]
