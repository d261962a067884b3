"""Tables that are neither an export of connectors nor a queue."""

from gatepost.doctor.reading import read_text

GATEWAY = """
Name          Common Name                          Issued By             Status         Remaining
------------  -----------------------------------  --------------------  -------------  ---------
2025-gateway  smtpgw.gull.example                  Sectigo Public Serve  Active         364 days
2024-gateway  esa.gull.example                     Sectigo RSA Domain V  Expired        -3 days

deliveryconfig (Default): TLS Support: Preferred, Certificate: 2025-gateway
"""
MAILBOXES = """
Identity    SmtpClientAuthenticationDisabled
--------    --------------------------------
lab         False
"""


def test_a_gateways_list_says_which_certificate_it_presents():
    roles = {each.all_names[0]: each.role for each in read_text(GATEWAY, "gateway.txt").certificates}
    assert roles == {"smtpgw.gull.example": "sent", "esa.gull.example": "old"}


def test_a_mailboxs_login_is_a_setting_of_that_mailbox():
    (setting,) = read_text(MAILBOXES, "mailboxes.txt").settings
    assert (setting.section, setting.value) == ("lab", "False")
