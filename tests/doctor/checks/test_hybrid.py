"""The hybrid configuration, blocked connectors, what an outbound connector demands."""

# ruff: noqa: E501 - evidence is as long as it is

from gatepost.doctor.checks.hybrid import connectors_are_not_blocked, wizard_names_a_stored_certificate
from gatepost.doctor.path.joining import mail_path
from gatepost.doctor.reading import read_text


def path(text: str):
    return mail_path(read_text(text, "evidence.txt"), ())


def test_a_blocked_connector_is_freed_by_its_id():
    (broken,) = connectors_are_not_blocked(
        path(
            "PS> Get-BlockedConnector\n\nConnectorId : 159eb7c4-75d7\nReason : OutboundSpamLast24Hours=41922\nCreatedDatetime : 5/14/2024 9:31:44 AM\n"
        )
    )
    assert "Remove-BlockedConnector -ConnectorId 159eb7c4-75d7" in broken.edits[-1].commands()[0].command


def test_a_configuration_with_the_former_issuer_is_stale():
    (broken,) = wizard_names_a_stored_certificate(
        path(
            "TlsCertificateName : <I>CN=Old CA, O=Old, C=US<S>CN=hybrid.tern.example\nSendingTransportServers : {EX1}\n"
            "ReceivingTransportServers : {EX1}\n\nThumbprint : 3131A1B2C3D4E5F60718293A4B5C6D7E8F901234\n"
            "Services : IIS, SMTP\nIssuer : CN=New CA, O=New, C=US\nSubject : CN=hybrid.tern.example\n\n"
            "Thumbprint : 4131A1B2C3D4E5F60718293A4B5C6D7E8F901234\nServices : SMTP\nIssuer : CN=EX1\nSubject : CN=EX1\n"
        )
    )
    assert any("Set-HybridConfiguration" in fix.command for each in broken.edits for fix in each.commands())
