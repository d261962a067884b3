"""The address that mail leaves from, and what a connector can list."""

# ruff: noqa: E501 - evidence is as long as it is

from doctor.pasted import commands, first

CONNECTOR = """
    Name                     : Docks
    Enabled                  : True
    ConnectorType            : OnPremises
    SenderIPAddresses        : {198.51.100.76}
    TlsSenderCertificateName :
"""
LINE = '''Aug  4 09:12:32 gw smtpd[40217]: 8afeb1d4fe8f7bb9 mta delivery evpid=5cb1c3b7a1d1e0aa from=<dock@own.example> to=<b@m.example> rcpt=<-> source="{source}" relay="[2001:db8:f400::10] (own-example.mail.protection.outlook.com)" delay=1s result="PermFail" stat="550 5.7.64 TenantAttribution; Relay Access Denied [BN8NAM12FT061.eop-nam12.prod.protection.outlook.com]"'''


def test_mail_that_leaves_by_ipv6_is_nobodys_to_a_connector_by_address():
    found = first(log=LINE.format(source="2001:db8:6f63::76"), connector=CONNECTOR)
    assert found and found.rule == "ipv6-egress"
    assert "src 198.51.100.76" in commands(found) and "postconf" not in commands(found)


def test_mail_that_leaves_by_ipv4_is_another_story():
    found = first(log=LINE.format(source="198.51.100.76"), connector=CONNECTOR)
    assert found is None or found.rule != "ipv6-egress"
