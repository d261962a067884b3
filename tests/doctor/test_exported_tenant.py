"""Exports in every form become one directory; what they lost is said, and what they do not hold is not guessed."""

# ruff: noqa: E501 - evidence is as long as it is

from ipaddress import ip_address

import pytest

from gatepost.doctor.exported_tenant import NotEnoughExported, exported_tenant, told_session
from gatepost.doctor.reading import read_text
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


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_export_gives_the_same_connector(form):
    tenant = exported_tenant(read_text(FORMS[form] + "\n" + DOMAINS))
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
        exported_tenant(read_text(FORMS["JSON"]))


def test_without_connectors_they_are_asked_for_unless_there_are_none():
    with pytest.raises(NotEnoughExported, match="Get-InboundConnector"):
        exported_tenant(read_text(DOMAINS))
    listed = "[PS] C:\\>Get-InboundConnector\n[PS] C:\\>Get-AcceptedDomain | ft\n\nName  DomainName\n----  ----------\nx     contoso.com\n"
    tenant = exported_tenant(read_text(listed))
    assert tenant.directory.connectors_of(tenant.name) == ()


def test_what_the_export_lost_is_said():
    tenant = exported_tenant(
        read_text(
            "Name              : Cut\nSenderIPAddresses : {198.51.100.7, 2001:db8::1, somewhere...}\n"
            "TlsSenderCertificateName : <I>CN=a<S>CN=b\n" + DOMAINS
        )
    )
    said = "\n".join(tenant.not_known)
    for each in ("ConnectorType of 'Cut'", "Enabled of 'Cut'", "cut off", "no domain name", "IPv4 only", "no address"):
        assert each in said


def test_the_initial_domain_names_the_tenant_and_a_connector_exported_twice_is_one():
    text = '[{"DomainName": "contoso.mail.onmicrosoft.com"}, {"DomainName": "contoso.onmicrosoft.com"}]'
    tenant = exported_tenant(read_text(f"{FORMS['JSON']}\n{FORMS['Format-List']}\n\n{text}"))
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
    assert exported_tenant(read_text(f"{FORMS['JSON']}\n{domains}")).name == name


def row(number: int, rest: str, session: str = "08DE0001A2B3C4D5") -> str:
    return f"2026-03-02T08:00:01.{number:03d}Z,Out,{session},{number},10.0.0.4:5011,203.0.113.36:25,{rest}\n"


def session(address: str, name: str) -> str:
    certificate = f'*," CN={name} CN=Some CA, O=CA 0A1B 6F1B2C3D4E5F60718293A4B5C6D7E8F901234567 {name}"'
    labels = "Sending certificate Certificate subject Certificate issuer name Certificate serial number Certificate thumbprint Certificate subject alternate names"
    return (
        row(0, "+,,", address)
        + row(1, f"<,250  AM.mail.protection.outlook.com Hello [{address}] SIZE 157286400 STARTTLS,", address)
        + row(2, f"{certificate},{labels}", address)
    )


def test_a_send_log_tells_the_session():
    told = told_session(read_text(session("198.51.100.7", "mail.contoso.com")))
    assert told.address == ip_address("198.51.100.7")
    assert told.certificate.names == ("mail.contoso.com",)
    assert told_session(read_text("nothing of that kind")) is None


def test_sessions_that_differ_are_not_chosen_among():
    text = session("198.51.100.7", "mail.contoso.com") + session("198.51.100.8", "mail.contoso.com")
    with pytest.raises(NotEnoughExported, match="--address"):
        told_session(read_text(text))
