"""Values in PowerShell commands, and the object that a command is about."""

import pytest

from gatepost.exchange.powershell import argument, object_of, quoted


def test_text_in_a_command_is_one_literal() -> None:
    assert quoted("it's so") == "'it''s so'"
    assert quoted("it\u2019s; so") == "'it\u2019\u2019s; so'"


@pytest.mark.parametrize(
    "text", ["mail.contoso.com", "*.contoso.com", "scan@contoso.com", "198.51.100.0/24", "8E51904A7A55D2BE"]
)
def test_an_argument_that_needs_no_quotes_has_none(text: str) -> None:
    assert argument(text) == text


@pytest.mark.parametrize("text", ["From HQ", "it's", "$null", "12E5", "0x12", "-Name", "@x", "a;b", "<name>", ""])
def test_an_argument_that_means_something_else_bare_is_quoted(text: str) -> None:
    assert argument(text) == quoted(text)


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
