"""Values in PowerShell commands, and the object that a command is about."""

import pytest

from gatepost.exchange.powershell import object_of, quoted


def test_text_in_a_command_is_one_literal() -> None:
    assert quoted("it's so") == "'it''s so'"
    assert quoted("it\u2019s; so") == "'it\u2019\u2019s; so'"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("Set-InboundConnector -Identity 'From HQ' -Enabled $true", "From HQ"),
        ('New-InboundConnector -RequireTls $true -Name "From HQ"', "From HQ"),
        ("Set-SendConnector Outbound -Fqdn mail.contoso.com", "Outbound"),
        ("Get-InboundConnector | fl", "|"),
    ],
)
def test_a_command_names_its_object(command: str, name: str) -> None:
    assert object_of(command) == name
