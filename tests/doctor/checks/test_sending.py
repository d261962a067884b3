"""Send connectors: state that speaks without a refusal."""

# ruff: noqa: E501 - evidence is as long as it is

from gatepost.doctor.checks.sending import (
    connector_asks_for_tls,
    connector_names_what_the_tenant_expects,
    sender_goes_by_a_name_on_its_certificate,
)
from gatepost.doctor.path.joining import mail_path
from gatepost.doctor.reading import Collection, read_octets, read_text

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


INBOUND = (
    "Name : From on-premises\nConnectorType : OnPremises\nEnabled : True\nTlsSenderCertificateName : {expects}\n\n"
)
NAMES_WEB = "Name : To cloud\nFqdn : hybrid.tern.example\nTlsCertificateName : <I>CN=Public CA<S>CN=web.tern.example\nSmartHosts : {tern-example.mail.protection.outlook.com}\n\n"
BOTH = (
    "Thumbprint : 8DD1A6A8C7151C6E7D8079030334B4C8353CE67C\nServices : IIS\nIssuer : CN=Public CA\nSubject : CN=web.tern.example\n\n"
    "Thumbprint : 9EE1A6A8C7151C6E7D8079030334B4C8353CE67D\nServices : SMTP\nIssuer : CN=Public CA\nSubject : CN=hybrid.tern.example\n"
)


def named(expects: str):
    text = NAMES_WEB + BOTH
    both = Collection()
    read_octets("server.txt", text.encode(), both)
    read_octets("tenant.txt", INBOUND.format(expects=expects).encode(), both)
    return list(connector_names_what_the_tenant_expects(mail_path(both.bundle(), ())))


def test_a_connector_that_names_another_certificate_than_the_tenant_expects_needs_no_refusal():
    (broken,) = named("hybrid.tern.example")
    assert broken.cause == "wrong-certificate-presented"
    assert "9EE1A6A8C7151C6E7D8079030334B4C8353CE67D" in broken.edits[0].commands()[0].command


def test_a_connector_that_names_what_the_tenant_expects_is_left_alone():
    assert named("web.tern.example") == []


def test_a_name_that_no_stored_certificate_has_is_another_story():
    assert named("other.tern.example") == []
