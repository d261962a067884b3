"""The relay's verdict is attribution's, and the repair is the single edit that turns it."""

# ruff: noqa: E501 - evidence is as long as it is

from textwrap import dedent

import pytest

from gatepost.doctor.path.joining import mail_path
from gatepost.doctor.reading import Collection, read_octets
from gatepost.doctor.relay_side import turning_edits, world_of
from gatepost.doctor.symptoms import symptoms

REFUSED = """
2026-03-03T10:00:00.100Z,To cloud,08DE7A0000000001,3,10.0.0.5:4000,203.0.113.20:25,<,250 X.mail.protection.outlook.com Hello [198.51.100.19] SIZE 1 STARTTLS,
2026-03-03T10:00:00.900Z,To cloud,08DE7A0000000001,9,10.0.0.5:4000,203.0.113.20:25,>,MAIL FROM:<{sender}>,
2026-03-03T10:00:01.000Z,To cloud,08DE7A0000000001,12,10.0.0.5:4000,203.0.113.20:25,<,550 5.7.64 TenantAttribution; Relay Access Denied [AM4PEPF0001.eop-EUR05.prod.protection.outlook.com],
"""
DOMAINS = '[{"DomainName":"lemon.example"},{"DomainName":"lemon.onmicrosoft.com"}]'


def edits(sender: str = "a@lemon.example", domains: str = DOMAINS, **connector: object) -> dict[str, str]:
    """Causes of the edits that turn the verdict, with the commands."""
    said = {"Name": "Relay", "Enabled": True, "ConnectorType": "OnPremises", "SenderDomains": ["smtp:*;1"], **connector}
    text = "\n".join(f"{name} : {value}" for name, value in said.items()).replace("[", "{").replace("]", "}")
    collection = Collection()
    for name, content in (("log", dedent(REFUSED).format(sender=sender)), ("domains.json", domains), ("c", text)):
        read_octets(name, content.encode(), collection)
    bundle = collection.bundle()
    world = world_of(mail_path(bundle, symptoms(bundle)))
    return {each.cause: "\n".join(fix.command for fix in each.fixes) for each in turning_edits(world)}


@pytest.mark.parametrize(
    ("connector", "cause", "command"),
    [
        ({"SenderIPAddresses": "{198.51.100.19}", "Enabled": False}, "connector-disabled", "-Enabled $true"),
        ({"SenderIPAddresses": "{198.51.100.19}", "ConnectorType": "Partner"}, "partner-type-connector", "-ConnectorType OnPremises"),
        ({"SenderIPAddresses": "{198.51.100.77}"}, "egress-address-changed", "@{Add='198.51.100.19'}"),
        ({"SenderIPAddresses": "{10.0.0.5}"}, "private-address-listed", "@{Add='198.51.100.19'}"),
    ],
)  # fmt: skip
def test_the_one_edit_that_turns_the_verdict_is_the_repair(connector, cause, command):
    assert list(edits(**connector)) == [cause]
    assert command in edits(**connector)[cause]


@pytest.mark.parametrize(
    ("sender", "cause"),
    [
        ("root@app.local", "application-envelope-domain"),
        ("x@stranger.example", "sender-domain-not-accepted"),
        ("", "null-sender-by-address"),
    ],
)
def test_a_sender_in_no_accepted_domain_is_exchanged(sender, cause):
    found = edits(sender, SenderIPAddresses="{198.51.100.19}")
    assert list(found) == [cause]
    assert "lemon.example" in found[cause]


def test_a_tenant_that_relays_the_session_needs_no_edit():
    assert edits(SenderIPAddresses="{198.51.100.19}") == {}


def test_without_connectors_shown_there_is_no_verdict():
    collection = Collection()
    read_octets("log", REFUSED.format(sender="a@lemon.example").encode(), collection)
    bundle = collection.bundle()
    assert world_of(mail_path(bundle, symptoms(bundle))) is None
