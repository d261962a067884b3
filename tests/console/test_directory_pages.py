"""Tenants, domains, connectors: an operator sees all, a tenant itself."""

from ipaddress import ip_network
from typing import Any

import pytest

from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector


@pytest.fixture(autouse=True)
def furnished(console: Any) -> None:
    with console.editor() as editor:
        for tenant in ("contoso", "fabrikam"):
            editor.put_domain(AcceptedDomain(domain=f"{tenant}.com", tenant=tenant, token="t", verified=False), "add")
            editor.put_inbound_connector(
                InboundConnector(
                    tenant=tenant,
                    name=f"{tenant}-in",
                    certificate_names=(f"mail.{tenant}.com",),
                    addresses=(ip_network("192.0.2.0/24"),),
                ),
                "add",
            )


def test_an_operator_sees_every_tenant(console: Any) -> None:
    olga = console.person("olga")
    page = olga.get("/tenants").text
    assert "contoso.com" in page and "fabrikam.com" in page
    tenant = olga.get("/tenants/Contoso").text
    assert "not verified" in tenant and "mail.contoso.com, 192.0.2.0/24" in tenant
    connector = olga.get("/tenants/contoso/connectors/contoso-in").text
    assert "mail.contoso.com" in connector and "No session was attributed" in connector
    assert olga.get("/tenants/contoso/connectors/nothing").status_code == 404


def test_a_tenants_person_sees_its_tenant_and_no_other(console: Any) -> None:
    ann = console.person("ann", "contoso", "tenant-read")
    assert ann.get("/tenants").headers["location"] == "/tenants/contoso"
    assert "contoso.com" in ann.get("/tenants/CONTOSO").text
    for path in ("/tenants/fabrikam", "/tenants/fabrikam/connectors/fabrikam-in", "/tenants/nobody"):
        answer = ann.get(path)
        assert answer.status_code == 404 and "fabrikam.com" not in answer.text, path


def test_tenants_follow_by_name(console: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.console.directory_pages._ROWS", 1)
    olga = console.person("olga")
    assert 'rel="next" href="/tenants?after=contoso"' in olga.get("/tenants").text
    assert "fabrikam.com" in olga.get("/tenants?after=contoso").text
