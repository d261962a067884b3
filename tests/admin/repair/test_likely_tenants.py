"""Who a refused session could be of: what is proof, what is a clue, and what a tenant is shown."""

from datetime import datetime
from ipaddress import ip_address
from typing import Any

from gatepost.admin.directory import domains, inbound_connectors
from gatepost.admin.repair.likely_tenants import Earlier, Presented, likely_tenants, presented_in
from gatepost.admin.sessions.own_directory import OwnDirectory
from gatepost.tenancy.proof import Proof


def furnish(editor: Any, at: datetime) -> None:
    for tenant in ("contoso", "fabrikam"):
        domains.add(editor, tenant, f"{tenant}.com", match_subdomains=False, verified=True, at=at)
        names = {"certificate_names": [f"mail.{tenant}.com"], "addresses": ["192.0.2.1"]}
        inbound_connectors.add(editor, tenant, "mail", names)


def test_a_verified_name_in_a_verified_domain_is_proof_and_any_other_is_not(editor: Any, at: datetime) -> None:
    furnish(editor, at)
    for verified in (True, False):
        presented = Presented(names=["smtp.contoso.com"], verified=verified, sender_domain="fabrikam.com")
        first, second = likely_tenants(editor, presented, (), at)
        assert (first.tenant, first.is_proven) == ("contoso", verified)
        assert ("did not verify" in first.clues[0].says) is not verified
        assert (second.tenant, second.is_proven) == ("fabrikam", False)
        assert "anybody can write a reverse-path" in second.clues[0].says
        assert [each.name for each in first.connectors] == ["mail"]


def test_a_proven_key_is_proof(editor: Any, at: datetime) -> None:
    furnish(editor, at)
    pin = "ab" * 32
    proof = Proof(
        tenant="fabrikam", certificate_sha256=pin, public_key_sha256="", at=at, session_id="0" * 16, address="192.0.2.9"
    )
    editor.put_proof(proof)
    (found,) = likely_tenants(editor, Presented(pins=[pin]), (), at)
    assert (found.tenant, found.is_proven) == ("fabrikam", True)


def test_an_address_a_neighbour_and_earlier_mail_are_clues(editor: Any, at: datetime) -> None:
    furnish(editor, at)
    inbound_connectors.change(editor, "fabrikam", "mail", {"addresses": ["192.0.2.9"]})
    presented = Presented(address=ip_address("192.0.2.1"), ehlo="x.fabrikam.com")
    earlier = [Earlier("fabrikam", "mail", "2026-01-01 UTC", "mail from the same address")]
    first, second = likely_tenants(editor, presented, earlier, at)
    assert (first.tenant, second.tenant) == ("fabrikam", "contoso")
    assert not first.is_proven and not second.is_proven
    said = " / ".join(clue.says for clue in first.clues)
    assert "attributed to it by connector mail, last 2026-01-01" in said
    assert "lists 192.0.2.9/32, in the same /24" in said and "EHLO name x.fabrikam.com" in said
    assert "an address alone identifies nobody" in second.clues[0].says


def test_a_disabled_connector_with_the_name_is_found(editor: Any, at: datetime) -> None:
    furnish(editor, at)
    inbound_connectors.add(editor, "contoso", "old", {"certificate_names": ["old.contoso.com"]}, enabled=False)
    (found,) = likely_tenants(editor, Presented(names=["old.contoso.com"], verified=True), (), at)
    assert any("old has the certificate's name, and is disabled" in clue.says for clue in found.clues)
    assert found.connectors[0].name == "old"


def test_a_tenant_is_shown_clues_to_itself_alone(editor: Any, at: datetime) -> None:
    furnish(editor, at)
    presented = Presented(
        names=["smtp.contoso.com"], verified=True, sender_domain="fabrikam.com", address=ip_address("192.0.2.1")
    )
    found = likely_tenants(OwnDirectory(editor, "fabrikam"), presented, (), at)
    assert [each.tenant for each in found] == ["fabrikam"]
    assert "contoso" not in repr(found)


def test_nothing_presented_points_to_nobody(editor: Any, at: datetime) -> None:
    furnish(editor, at)
    assert likely_tenants(editor, Presented(), (), at) == []


def test_hostile_text_is_no_name() -> None:
    certificate = {"names": ["<script>", "a b", "*.contoso.com"], "verified": True, "sha256": "aa"}
    item = {"certificate": certificate, "address": None, "mail_from": "x@<script>"}
    assert presented_in(item, None) == Presented(names=["*.contoso.com"], verified=True, pins=["aa"])
