"""A gap in a command is filled where one object can be meant, and stays a gap where several can."""

from gatepost.doctor.explanation import explained
from gatepost.doctor.finding import Finding, Fix
from gatepost.doctor.gaps import filled
from gatepost.doctor.reading import read_text


def commands(text: str, command: str) -> list[str]:
    finding = Finding(confidence="medium", specificity=70, summary="", fix=(Fix("Exchange", command),))
    (done,) = filled([finding], explained(read_text(text, "evidence.txt")).path)
    return [each.command for each in done.fix]


def test_the_only_send_connector_is_named():
    shown = (
        "Name : O'Hare to cloud\nSmartHosts : {tern-example.mail.protection.outlook.com}\nFqdn : mail.tern.example\n"
    )
    given = commands(shown, "Set-SendConnector -Identity '<connector>' -RequireTLS $true")
    assert given == ["Set-SendConnector -Identity 'O''Hare to cloud' -RequireTLS $true"]


def test_one_of_two_is_not_guessed():
    shown = "Name : A\nSmartHosts : {a.example}\n\nName : B\nSmartHosts : {b.example}\n"
    command = "Set-SendConnector -Identity '<connector>' -RequireTLS $true"
    (given,) = commands(shown, command)
    assert given.startswith(f"{command}   # <connector>: Get-SendConnector")


def test_an_address_that_was_seen_needs_no_quotes():
    shown = (
        "220 mx.example\nEHLO relay.tern.example\n250-tern-example.mail.protection.outlook.com Hello [198.51.100.7]\n"
        "MAIL FROM:<a@tern.example>\nRCPT TO:<b@gull.example>\n550 5.7.64 TenantAttribution; Relay Access Denied\n"
    )
    command = "New-InboundConnector -Name Direct -SenderIPAddresses '<address of the source>'"
    assert commands(shown, command) == ["New-InboundConnector -Name Direct -SenderIPAddresses 198.51.100.7"]
