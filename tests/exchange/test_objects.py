"""What an exported object tells of itself, and what it leaves open."""

from gatepost.exchange.cmdlet_output import property_of
from gatepost.exchange.objects import AcceptedDomain, Exports, InboundConnector, SendConnector
from gatepost.exchange.source import Source

HERE = Source("export.txt", 7)


def properties(**values: str):
    return tuple(property_of(name, value, HERE) for name, value in values.items())


def test_names_are_found_in_any_case_and_what_is_missing_is_not_guessed() -> None:
    connector = InboundConnector(source=HERE, properties=properties(name="HQ", requiretls="$true"))
    assert (connector.name, connector.flag("RequireTls"), connector.enabled) == ("HQ", True, None)
    assert connector.connector_type == "" and connector.addresses == () and not connector.has("Enabled")


def test_a_send_connector_names_its_certificate_by_issuer_and_subject() -> None:
    connector = SendConnector(source=HERE, properties=properties(TlsCertificateName="<I>CN=A CA<S>CN=mail.contoso.com"))
    issuer, subject = connector.certificate_issuer_and_subject
    assert (issuer.common_name, subject.common_name) == ("A CA", "mail.contoso.com")
    assert SendConnector(source=HERE, properties=()).certificate_issuer_and_subject is None


def test_a_domain_is_known_by_whatever_names_it() -> None:
    assert AcceptedDomain(source=HERE, properties=properties(Identity="Contoso.com")).domain == "contoso.com"


def test_an_empty_list_is_not_a_missing_one() -> None:
    assert Exports(empty=("Get-InboundConnector | fl",)).lists_no("InboundConnector")
    assert not Exports().lists_no("InboundConnector")
