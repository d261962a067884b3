"""What is proposed identifies the server as narrowly as what was presented allows."""

from datetime import datetime
from ipaddress import ip_address
from typing import Any

from gatepost.admin.directory import domains
from gatepost.admin.repair.likely_tenants import Likely, Presented
from gatepost.admin.repair.proposal import proposal
from gatepost.tenancy.tenant import InboundConnector

PIN = "ab" * 32
MAIL = InboundConnector(tenant="contoso", name="mail")


def proposed(editor: Any, presented: Presented, reason: str, sha256: str | None = None, tenant: str = "contoso") -> Any:
    return proposal(editor, Likely(tenant=tenant, clues=(), connectors=[MAIL]), presented, reason, sha256)


def test_a_verified_name_that_the_tenant_owns_goes_before_all(editor: Any, at: datetime) -> None:
    domains.add(editor, "contoso", "contoso.com", match_subdomains=False, verified=True, at=at)
    domains.add(editor, "fabrikam", "fabrikam.com", match_subdomains=False, verified=True, at=at)
    presented = Presented(
        names=["mail.fabrikam.com", "a.contoso.com", "b.contoso.com"],
        verified=True,
        address=ip_address("192.0.2.1"),
        ehlo="b.contoso.com",
    )
    found = proposed(editor, presented, "certificate-name-matches-no-connector", PIN)
    assert (found.connector, found.adds, found.beside) == (MAIL, {"certificate_names": ["b.contoso.com"]}, [])
    of_other = proposed(editor, presented, "certificate-name-matches-no-connector", PIN, "fabrikam")
    assert of_other.adds == {"certificate_names": ["mail.fabrikam.com"]}


def test_a_name_that_did_not_verify_is_not_proposed(editor: Any, at: datetime) -> None:
    domains.add(editor, "contoso", "contoso.com", match_subdomains=False, verified=True, at=at)
    presented = Presented(
        names=["a.contoso.com"], verified=False, address=ip_address("192.0.2.1"), sender_domain="contoso.com"
    )
    pinned = proposed(editor, presented, "certificate-self-signed", PIN)
    assert pinned.adds == {"certificate_sha256": [PIN]} and "public authority" in pinned.beside[0]
    expired = proposed(editor, presented, "certificate-expired", PIN)
    assert expired.adds == {"addresses": ["192.0.2.1"]} and "has not expired" in expired.beside[0]


def test_a_reverse_path_that_nobody_owns_is_said(editor: Any) -> None:
    presented = Presented(address=ip_address("2001:db8::1"), sender_domain="elsewhere.example")
    found = proposed(editor, presented, "recipient-not-hosted")
    assert found.adds == {"addresses": ["2001:db8::1"]}
    assert "in no verified domain" in found.beside[0]


def test_where_nothing_identifies_nothing_is_proposed(editor: Any) -> None:
    assert proposed(editor, Presented(), "recipient-not-hosted") is None
