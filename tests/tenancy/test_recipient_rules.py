"""Mail for a hosted domain: its route, and the partner connectors of its tenant."""

from typing import Any

from gatepost.tenancy.case import Case, Outcome
from gatepost.tenancy.recipient_rules import by_recipient, refused_by_recipient
from tenancy.case_scenes import case_of, codes

ROUTES = ("contoso.com", "fabrikam.com")


def partner(**fields: Any) -> dict[str, Any]:
    return {"tenant": "contoso", "type": "partner", **fields}


def to_contoso(*connectors: dict[str, Any], mail_from: str = "a@litware.com", **more: Any) -> Case:
    return case_of(*connectors, mail_from=mail_from, to="b@contoso.com", routes=ROUTES, **more)


def test_a_domain_that_nobody_hosts_has_no_rules() -> None:
    case = case_of(mail_from="a@litware.com")
    assert by_recipient(case) is None is refused_by_recipient(case)
    assert codes(case) == []


def test_without_a_route_a_hosted_domain_takes_nothing_and_the_operator_reads_why() -> None:
    case = case_of(to="b@contoso.com")
    assert by_recipient(case) is None
    assert codes(case) == [("recipient-has-no-route", None)]


def test_with_a_route_a_strangers_mail_is_incoming() -> None:
    verdict = by_recipient(to_contoso())
    assert verdict and verdict.outcome is Outcome.INCOMING
    assert (verdict.tenant, verdict.connector) == ("contoso", None)


def test_the_partner_that_knows_more_of_the_session_labels_it() -> None:
    everybody = partner(sender_domains=["*"])
    by_address = partner(sender_domains=["litware.com"], addresses=["203.0.113.0/24"])
    verdict = by_recipient(to_contoso(everybody, by_address))
    assert verdict and verdict.connector == "c1"
    assert [reason.code.value for reason in verdict.reasons][:2] == ["recipient-hosted", "partner-matched"]


def test_another_tenants_partner_connector_changes_nothing() -> None:
    restricting = {**partner(sender_domains=["*"], restrict_to_certificate=True), "tenant": "fabrikam"}
    verdict = by_recipient(to_contoso({**restricting, "certificate_names": ["mail.litware.com"]}))
    assert verdict and verdict.outcome is Outcome.INCOMING


def test_a_restricting_partner_refuses_whoever_sends_a_tenants_server_too() -> None:
    restricting = partner(
        sender_domains=["litware.com"], restrict_to_address=True, addresses=["198.51.100.0/24"], require_tls=True
    )
    for decide in (by_recipient, refused_by_recipient):
        verdict = decide(to_contoso(restricting))
        assert verdict and verdict.refusal and verdict.refusal.reason == "partner-restricted-to-address"
        assert decide(to_contoso(restricting, mail_from="a@elsewhere.example")) != verdict


def test_a_partner_that_demands_tls_refuses_plain_text() -> None:
    demanding = partner(sender_domains=["litware.com"], require_tls=True)
    plain, encrypted = by_recipient(to_contoso(demanding)), by_recipient(to_contoso(demanding, encrypted=True))
    assert plain and plain.refusal and plain.refusal.reason == "tls-required"
    assert encrypted and encrypted.refusal is None
