"""Get-ExchangeCertificate's output is a certificate; a connector's stays what it is."""

from gatepost.doctor.evidence import CertificateSeen
from gatepost.doctor.readers.exported import exported, purpose
from gatepost.exchange.cmdlet_output import property_of
from gatepost.exchange.objects import InboundConnector
from gatepost.exchange.source import Source

HERE = Source("export.txt", 2)


def properties(**values: str):
    return tuple(property_of(name, value, HERE) for name, value in values.items())


def test_a_stored_certificate_becomes_one() -> None:
    found = exported(
        properties(
            Thumbprint="0A1B 2C3D",
            CertificateDomains="{mail.contoso.com}",
            Subject="CN=mail.contoso.com",
            Services="SMTP",
        ),
        HERE,
    )
    assert isinstance(found, CertificateSeen)
    assert (found.role, found.thumbprint, found.names) == ("stored", "0A1B2C3D", ("mail.contoso.com",))


def test_a_connector_stays_a_connector() -> None:
    assert isinstance(exported(properties(Name="HQ", SenderIPAddresses="{192.0.2.1}"), HERE), InboundConnector)
    assert exported(properties(Colour="blue"), HERE) is None


def test_a_purpose_is_known_in_any_language_and_by_number() -> None:
    assert purpose("Clientauthentifizierung (1.3.6.1.5.5.7.3.2)") == "clientAuth"
    assert purpose("Code Signing") == "Code Signing"


def test_what_an_issuer_wider_than_its_column_leaves_stands_before_no_subject() -> None:
    found = exported(
        properties(
            Thumbprint="0A1B", Issuer="CN=Wide CA, O=Wide", Subject="CA, C=GR CN=mail.tern.example, O=Tern, C=FR"
        ),
        HERE,
    )
    assert isinstance(found, CertificateSeen) and found.issuer and found.subject
    assert found.issuer.text == "CN=Wide CA, O=Wide CA, C=GR"
    assert found.subject.text == "CN=mail.tern.example, O=Tern, C=FR"
