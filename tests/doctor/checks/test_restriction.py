"""Inbound connectors that name nobody, or the same name in several tenants."""

# ruff: noqa: E501 - evidence is as long as it is

from doctor.pasted import commands, first

TENANT = """
    [{label}] Get-InboundConnector | fl
    Name : Gateway  TlsSenderCertificateName : {name}  SenderIPAddresses : {{}}  ConnectorType : OnPremises  Enabled : True
    [{label}] Get-AcceptedDomain : {domain}
"""
REFUSAL = "550 5.7.64 TenantAttribution; Relay Access Denied [AM5EUR03FT019.eop-EUR03.prod.protection.outlook.com]"


def test_two_tenants_with_one_certificate_name_get_one_each():
    one = TENANT.format(label="One", name="gw.host.example", domain="gull.example")
    two = TENANT.format(label="Two", name="gw.host.example", domain="tern.example")
    found = first(one=one, two=two)
    assert found and "G07" in found.catalogue
    assert "gw.gull.example" in commands(found)
    assert "gw.tern.example" in commands(found)


def test_two_tenants_with_names_of_their_own_are_told_apart():
    one = TENANT.format(label="One", name="gw.gull.example", domain="gull.example")
    two = TENANT.format(label="Two", name="gw.tern.example", domain="tern.example")
    assert first(one=one, two=two) is None


def test_a_connector_without_identity_gets_the_address_that_is_told():
    connector = """
        | Property | Value |
        |---|---|
        | Name | From the archive |
        | Enabled | True |
        | ConnectorType | OnPremises |
        | SenderIPAddresses | {} |
        | TlsSenderCertificateName | |
    """
    found = first(
        reply=REFUSAL, connector=connector, note="The gateway has a fixed address of its own, 203.0.113.180.\n"
    )
    assert found and "O04" in found.catalogue
    assert "-SenderIPAddresses 203.0.113.180" in commands(found)
