"""What a tenant asks of the directory shows nothing of another's, whatever the question names."""

from datetime import datetime
from ipaddress import ip_address

import pytest

from gatepost.admin.directory import domains, inbound_connectors, send_connectors
from gatepost.admin.directory.send_connectors import CredentialVerdict
from gatepost.admin.sessions.own_directory import OwnDirectory
from gatepost.store.directory.editor import SqliteDirectoryEditor as Editor

SERVER, SHARED = ip_address("192.0.2.9"), ip_address("192.0.2.7")


@pytest.fixture
def own(editor: Editor, at: datetime) -> OwnDirectory:
    """Contoso's view; fabrikam has the same of everything, and the domain below contoso's."""
    for tenant in ("contoso", "fabrikam"):
        domains.add(editor, tenant, f"{tenant}.com", match_subdomains=True, verified=True, at=at)
        domains.add(editor, tenant, "claimed.example", match_subdomains=False, verified=False, at=at)
        said = {"certificate_names": [f"*.{tenant}.com"], "addresses": [f"{SHARED}"]}
        inbound_connectors.add(editor, tenant, "mail", said)
        inbound_connectors.add(editor, tenant, "friend", {"type": "partner", "sender_domains": ["litware.com"]})
        spaces = {"address_spaces": [f"{tenant}.com"], "smart_hosts": ["192.0.2.40"], "tenant": tenant}
        send_connectors.add(editor, f"{tenant}-out", spaces, lambda *_: CredentialVerdict())
    domains.add(editor, "fabrikam", "lab.contoso.com", match_subdomains=False, verified=True, at=at)
    inbound_connectors.add(editor, "fabrikam", "server", {"addresses": [str(SERVER)]})
    return OwnDirectory(editor, "contoso")


def test_what_is_its_own_is_there(own: OwnDirectory) -> None:
    assert [each.label for each in own.connectors_naming(["mx.contoso.com"], ())] == ["contoso/mail"]
    assert [each.label for each in own.connectors_listing(SHARED, ())] == ["contoso/mail"]
    assert own.tenants_listing(SHARED) == own.tenants_listing(SHARED, enabled=True) == ["contoso"]
    assert [each.name for each in own.partner_connectors("contoso")] == ["friend"]
    assert {each.name for each in own.connectors_of("contoso")} == {"friend", "mail"}
    assert [each.name for each in own.send_connectors("contoso", "contoso.com")] == ["contoso-out"]
    assert [each.tenant for each in own.claimants("claimed.example")] == ["contoso"]
    assert own.has_verified_domain("contoso") and own.tenant("contoso")
    covering = own.covering_domain("a.contoso.com")
    assert covering and covering.domain == "contoso.com"
    assert own.nearest_owner("a.contoso.com") == covering == own.verified_below("contoso", "com")


def test_nothing_of_another_tenant_is_there(own: OwnDirectory) -> None:
    assert own.tenant("fabrikam") is None and not own.has_verified_domain("fabrikam")
    assert list(own.connectors_naming(["mx.fabrikam.com"], ("fabrikam",))) == []
    assert list(own.bystanders(["mx.fabrikam.com"])) == []
    assert list(own.connectors_listing(SERVER, ("fabrikam",))) == own.tenants_listing(SERVER) == []
    assert own.nearest_owner("fabrikam.com") is own.covering_domain("fabrikam.com") is None
    assert own.accepted_domain("fabrikam.com", "fabrikam") is own.verified_below("fabrikam", "com") is None
    assert list(own.partner_connectors("fabrikam")) == list(own.connectors_of("fabrikam")) == []
    assert list(own.send_connectors("fabrikam", "fabrikam.com")) == []


def test_a_domain_below_its_own_counts_as_its_own_whoever_verified_it(own: OwnDirectory) -> None:
    nearest = own.nearest_owner("mx.lab.contoso.com")
    assert nearest and nearest.domain == "contoso.com"
