"""What the sending program or its host cannot do."""

from doctor.pasted import commands, first

REFUSAL = "550 5.7.64 TenantAttribution; Relay Access Denied [AM5EUR03FT019.eop-EUR03.prod.protection.outlook.com]"
RELAY = """
; smtprelay 1.11.1
local_cert = /etc/smtprelay/own.pem
remotes = starttls://own-example.mail.protection.outlook.com:25
"""
CONNECTOR = """
    Name                     : Office
    Enabled                  : True
    ConnectorType            : OnPremises
    SenderIPAddresses        : {addresses}
    TlsSenderCertificateName : {name}
"""
APP = """
$ az webapp show -g group-one -n app-one --query outboundIpAddresses
"203.0.113.4,203.0.113.9,203.0.113.77"
"""


def test_a_program_without_client_certificates_needs_another_between_or_an_address():
    connector = CONNECTOR.format(addresses="{}", name="relay.own.example")
    found = first(reply=REFUSAL, relay=RELAY, connector=connector)
    assert found and "B14" in found.catalogue
    assert "smtp_tls_cert_file = /etc/smtprelay/own.pem" in commands(found)
    assert "-SenderIPAddresses" in commands(found)


def test_a_program_without_client_certificates_is_fine_where_the_address_counts():
    connector = CONNECTOR.format(addresses="{203.0.113.4}", name="")
    found = first(reply=REFUSAL, relay=RELAY, connector=connector)
    assert found is None or "B14" not in found.catalogue


def test_an_app_in_a_pool_of_addresses_needs_one_of_its_own():
    found = first(reply=REFUSAL, app=APP, connector=CONNECTOR.format(addresses="{203.0.113.4, 203.0.113.9}", name=""))
    assert found and "E09" in found.catalogue
    assert "-g group-one -n app-one" in commands(found)


def test_an_app_that_shows_a_certificate_needs_no_address():
    connector = CONNECTOR.format(addresses="{}", name="relay.own.example")
    found = first(reply=REFUSAL, app=APP, connector=connector)
    assert found is None or "E09" not in found.catalogue
