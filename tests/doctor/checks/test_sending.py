"""Send connectors: state that speaks without a refusal."""

# ruff: noqa: E501 - evidence is as long as it is

from gatepost.doctor.checks.sending import connector_asks_for_tls, sender_goes_by_a_name_on_its_certificate
from gatepost.doctor.path.joining import mail_path
from gatepost.doctor.reading import read_text

CONNECTOR = "Name : To cloud\nFqdn : {fqdn}\nTlsCertificateName :\nSmartHosts : {{tern-example.mail.protection.outlook.com}}\nIgnoreSTARTTLS : {off}\n\n"
STORE = (
    "Thumbprint : 8DD1A6A8C7151C6E7D8079030334B4C8353CE67C\nServices : IIS\nSubject : CN=mail.tern.example\n\n"
    "Thumbprint : 9EE1A6A8C7151C6E7D8079030334B4C8353CE67D\nServices : SMTP\nSubject : CN=EX1\n"
)


def path(fqdn: str, off: str = "False"):
    return mail_path(read_text(CONNECTOR.format(fqdn=fqdn, off=off) + STORE, "shell.txt"), ())


def test_a_connector_by_an_inside_name_presents_the_machines_own_certificate():
    (broken,) = sender_goes_by_a_name_on_its_certificate(path("EX1.corp.local"))
    assert broken.cause == "connector-selects-by-machine-name"
    assert "8DD1A6A8C7151C6E7D8079030334B4C8353CE67C" in broken.edits[0].commands()[0].command


def test_a_connector_by_a_name_of_a_certificate_is_left_alone():
    assert list(sender_goes_by_a_name_on_its_certificate(path("mail.tern.example"))) == []


def test_a_connector_that_ignores_starttls_is_named():
    (broken,) = connector_asks_for_tls(path("mail.tern.example", "True"))
    assert "Set-SendConnector -Identity 'To cloud' -IgnoreSTARTTLS $false" in broken.edits[0].commands()[0].command
