"""Programs other than Exchange and Postfix: whether they have a certificate to present."""

from doctor.pasted import commands, first

CONNECTOR = """
    Name                     : Office
    Enabled                  : True
    ConnectorType            : OnPremises
    SenderIPAddresses        : {}
    TlsSenderCertificateName : gw.own.example
"""
REFUSAL = "550 5.7.64 TenantAttribution; Relay Access Denied [AM5EUR03FT019.eop-EUR03.prod.protection.outlook.com]"
SENDMAIL = """
define(`SMART_HOST', `own-example.mail.protection.outlook.com')dnl
define(`confSERVER_CERT', `/etc/mail/gw.pem')dnl
define(`confSERVER_KEY', `/etc/mail/gw.key')dnl
{more}
"""


def test_sendmail_with_a_certificate_for_receiving_only_has_none_to_present():
    found = first(reply=REFUSAL, connector=CONNECTOR, mc=SENDMAIL.format(more=""))
    assert found and "B13" in found.catalogue
    assert "confCLIENT_CERT', `/etc/mail/gw.pem'" in commands(found)


def test_sendmail_with_a_client_certificate_lacks_nothing():
    more = "define(`confCLIENT_CERT', `/etc/mail/gw.pem')dnl"
    found = first(reply=REFUSAL, connector=CONNECTOR, mc=SENDMAIL.format(more=more))
    assert found is None or "B13" not in found.catalogue
