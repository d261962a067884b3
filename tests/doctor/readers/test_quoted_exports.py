"""What people quote of an export: a value below its expression, a property in a sentence."""

from gatepost.doctor.reading import read_text


def test_the_value_below_an_expression_is_its_property() -> None:
    text = (
        '[PS] C:\\>(Get-SendConnector "Outbound to Office 365").TlsCertificateName\n<I>CN=A CA<S>CN=mail.contoso.com\n'
    )
    (connector,) = read_text(text).send_connectors
    assert connector.name == "Outbound to Office 365"
    assert connector.certificate_name == "<I>CN=A CA<S>CN=mail.contoso.com"


def test_properties_and_domains_within_a_sentence_are_read() -> None:
    bundle = read_text(
        "The connector has TlsSenderCertificateName = mail.contoso.com and ConnectorType=OnPremises.\n"
        "Our accepted domains are contoso.com, fabrikam.com\n"
    )
    assert [each.certificate_name for each in bundle.inbound_connectors] == ["mail.contoso.com"]
    assert {each.domain for each in bundle.accepted_domains} == {"contoso.com", "fabrikam.com"}


def test_names_alone_below_the_command_that_lists_them():
    text = "Get-AcceptedDomain | select DomainName\ntern.example\ntern.onmicrosoft.com\n"
    assert [each.text("DomainName") for each in read_text(text).accepted_domains] == [
        "tern.example",
        "tern.onmicrosoft.com",
    ]
