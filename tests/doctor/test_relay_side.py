"""The relay's verdict is attribution's, and the repair is the single edit that turns it."""

# ruff: noqa: E501 - evidence is as long as it is

from datetime import UTC, datetime
from textwrap import dedent

import pytest

from gatepost.admin.sessions.explain import Question
from gatepost.admin.sessions.explain_exchange_online import explain_exchange_online
from gatepost.doctor.logged_session import logged_session
from gatepost.doctor.path.joining import mail_path
from gatepost.doctor.reading import Collection, read_octets
from gatepost.doctor.relay_side import turning_edits, world_of
from gatepost.doctor.symptoms import symptoms
from gatepost.exchange.exported_tenant import exported_tenant, judge_as_told
from gatepost.mail.address import Mailbox

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


# --- how deep a wildcard reaches -------------------------------------------------------------------------------------

PRESENTED = '2026-03-03T10:00:00.500Z,To cloud,08DE7A0000000001,6,10.0.0.5:4000,203.0.113.20:25,*," CN={name} CN=R11, O=Let\'s Encrypt, C=US 0ABC AAAA1111AAAA1111AAAA1111AAAA1111AAAA1111 2025-10-01T00:00:00.000Z 2026-10-01T00:00:00.000Z {name}",Sending certificate Subject Issuer name Serial number Thumbprint Not before Not after Subject alternate names\n'


def both_answers(name: str, pattern: str) -> tuple[set[str], list[str]]:
    """The causes that the doctor sees, and what explain --exchange-online says is not settled, of one folder."""
    connector = f"Name : Relay\nEnabled : True\nConnectorType : OnPremises\nTlsSenderCertificateName : {pattern}\n"
    collection = Collection()
    texts = {
        "log": PRESENTED.format(name=name) + dedent(REFUSED).lstrip().format(sender="a@lemon.example"),
        "domains.json": DOMAINS,
        "c": connector,
    }
    for file, content in texts.items():
        read_octets(file, content.encode(), collection)
    bundle = collection.bundle()
    tenant, told = exported_tenant(bundle.exports), logged_session(bundle)
    question = Question(
        address=told.address,
        chain=(told.certificate,),
        tls=True,
        ehlo="x",
        reverse_path=Mailbox("a", "lemon.example", "a@lemon.example"),
        forward_paths=(Mailbox("b", "outside.invalid", "b@outside.invalid"),),
    )
    (answer,) = explain_exchange_online(tenant, question, judge_as_told, datetime(2026, 3, 3, tzinfo=UTC))
    doubts = [each for each in answer.not_public if "one label" in each]
    world = world_of(mail_path(bundle, symptoms(bundle)))
    return ({each.cause for each in turning_edits(world)}, doubts)


@pytest.mark.parametrize("labels", range(4))
@pytest.mark.parametrize("wild", [True, False])
def test_doctor_and_explain_agree_on_how_deep_a_wildcard_reaches(labels, wild):
    name = ".".join([*"abc"[:labels], "lemon.example"])
    pattern = "*.lemon.example" if wild else name
    causes, doubts = both_answers(name, pattern)
    deep = wild and labels > 1
    assert ("name-deeper-than-wildcard" in causes) == deep
    assert bool(doubts) == deep


def test_where_connector_and_sender_are_both_wrong_both_are_repaired():
    (command,) = edits("x@stranger.example", SenderIPAddresses="{198.51.100.77}").values()
    assert "@{Add='198.51.100.19'}" in command
    assert "envelope sender" in command
