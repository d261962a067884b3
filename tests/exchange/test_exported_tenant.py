"""Exports in every form become one directory; what they lost is said, and what they do not hold is not guessed."""

# ruff: noqa: E501 - evidence is as long as it is

from ipaddress import ip_address

import pytest

from gatepost.doctor.reading import read_text
from gatepost.exchange import exported_tenant as exports_of
from gatepost.exchange.exported_tenant import ExportedTenant, NotEnoughExported
from gatepost.tenancy.tenant import ConnectorType

DOMAINS = '\n[{"DomainName": "contoso.com", "DomainType": "Authoritative", "MatchSubDomains": false}]\n'
FORMS = {
    "JSON": """[{"Name": "From HQ", "ConnectorType": "OnPremises", "Enabled": true, "RequireTls": true,
        "SenderDomains": ["smtp:*;1"], "SenderIPAddresses": ["198.51.100.10", "203.0.113.0/24"],
        "TlsSenderCertificateName": "*.Contoso.com"}]""",
    "CSV": """"Name","ConnectorType","Enabled","RequireTls","SenderDomains","SenderIPAddresses","TlsSenderCertificateName"
"From HQ","OnPremises","True","True","smtp:*;1","198.51.100.10 203.0.113.0/24","*.Contoso.com\"""",
    "Format-List": """Name                     : From HQ
ConnectorType            : OnPremises
Enabled                  : True
RequireTls               : True
SenderDomains            : {smtp:*;1}
SenderIPAddresses        : {198.51.100.10, 203.0.113.0/24}
TlsSenderCertificateName : *.Contoso.com""",
    "CLIXML": """<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj RefId="0">
<TN RefId="0"><T>Deserialized.TenantInboundConnector</T></TN><ToString>From HQ</ToString><Props>
<S N="Name">From HQ</S><S N="ConnectorType">OnPremises</S><B N="Enabled">true</B><B N="RequireTls">true</B>
<Obj N="SenderDomains" RefId="1"><LST><S>smtp:*;1</S></LST></Obj>
<Obj N="SenderIPAddresses" RefId="2"><LST><S>198.51.100.10</S><S>203.0.113.0/24</S></LST></Obj>
<S N="TlsSenderCertificateName">*.Contoso.com</S></Props></Obj></Objs>""",
}


def exported_tenant(text: str) -> ExportedTenant:
    return exports_of.exported_tenant(read_text(text).exports)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_export_gives_the_same_connector(form):
    tenant = exported_tenant(FORMS[form] + "\n" + DOMAINS)
    (connector,) = tenant.directory.connectors_of(tenant.name)
    assert (connector.name, connector.type, connector.enabled) == ("From HQ", ConnectorType.ON_PREMISES, True)
    assert connector.certificate_names == ("*.contoso.com",)
    assert [str(each) for each in connector.addresses] == ["198.51.100.10/32", "203.0.113.0/24"]
    assert connector.sender_domains == ("*",)
    assert connector.require_tls
    assert tenant.not_known == ()
    assert tenant.directory.connectors_listing(ip_address("203.0.113.9")) == (connector,)
    assert tenant.directory.connectors_naming(["mx.contoso.com"]) == (connector,)
    assert tenant.directory.connectors_naming(["mx.fabrikam.com"]) == ()


def test_without_accepted_domains_the_export_is_asked_for():
    with pytest.raises(NotEnoughExported, match="Get-AcceptedDomain"):
        exported_tenant(FORMS["JSON"])


def test_without_connectors_they_are_asked_for_unless_there_are_none():
    with pytest.raises(NotEnoughExported, match="Get-InboundConnector"):
        exported_tenant(DOMAINS)
    listed = "[PS] C:\\>Get-InboundConnector\n[PS] C:\\>Get-AcceptedDomain | ft\n\nName  DomainName\n----  ----------\nx     contoso.com\n"
    tenant = exported_tenant(listed)
    assert tenant.directory.connectors_of(tenant.name) == ()


def test_what_the_export_lost_is_said():
    tenant = exported_tenant(
        "Name              : Cut\nSenderIPAddresses : {198.51.100.7, 2001:db8::1, somewhere...}\n"
        "TlsSenderCertificateName : <I>CN=a<S>CN=b\n" + DOMAINS
    )
    said = "\n".join(tenant.not_known)
    for each in (
        "ConnectorType of 'Cut'",
        "Enabled of 'Cut'",
        "cut off",
        "not a domain name",
        "IPv4 only",
        "invalid address",
    ):
        assert each in said


def test_the_initial_domain_names_the_tenant_and_a_connector_exported_twice_is_one():
    text = '[{"DomainName": "contoso.mail.onmicrosoft.com"}, {"DomainName": "contoso.onmicrosoft.com"}]'
    tenant = exported_tenant(f"{FORMS['JSON']}\n{FORMS['Format-List']}\n\n{text}")
    assert tenant.name == "contoso"
    assert len(tenant.directory.connectors_of("contoso")) == 1


@pytest.mark.parametrize(
    ("domains", "name"),
    [
        ('[{"DomainName": "a.example"}, {"DomainName": "contoso.onmicrosoft.com"}]', "contoso"),
        ('[{"DomainName": "a.example"}, {"DomainName": "b.example", "Default": true}]', "b.example"),
        ('[{"DomainName": "a.example", "DomainType": "Authoritative"}]', "a.example"),
    ],
)
def test_a_tenant_is_called_by_what_its_domains_tell(domains, name):
    assert exported_tenant(f"{FORMS['JSON']}\n{domains}").name == name
