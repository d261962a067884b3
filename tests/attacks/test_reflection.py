"""evil makes the relay its own smart host: mail comes back from the relay's own address, which it and contoso list."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside
from end_to_end.scene import MESSAGE
from end_to_end.smtp_client import SmtpClient
from sink import Sink

EVIL = "127.0.66.1"
MESSAGES = 5


@pytest.fixture
def internet(outside: Outside) -> Sink:
    return outside.sink()


@pytest.fixture
def relay(tmp_path: Path, internet: Sink) -> Iterator[Installation]:
    relay = Installation(tmp_path / "relay", workers=1)
    relay.init()
    for tenant, domain in (("contoso", "contoso.com"), ("evil", "evil.example")):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, domain, "--verified")
    relay("inbound-connector", "add", "contoso", "local", "--address", "127.0.0.1/32")
    relay("inbound-connector", "add", "evil", "own", "--address", f"{EVIL}/32", "--address", "127.0.0.1/32")
    relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{internet.port}")
    relay(
        *("send-connector", "add", "round", "--tenant", "evil", "--address-space", "*"),
        *("--smart-host", f"127.0.0.1:{relay.port}", "--allow-internal", "on"),
    )
    with relay.serving():
        yield relay


def test_mail_never_comes_back_from_the_relays_own_address(relay: Installation, internet: Sink) -> None:
    with SmtpClient(relay.port, source=EVIL) as smtp:
        smtp.ehlo()
        for number in range(MESSAGES):
            assert smtp.message("me@evil.example", f"x{number}@outside.example", MESSAGE).code == 250
    wait_until(lambda: relay.output.count(" deferred ") >= MESSAGES, "what evil's mail became")
    with SmtpClient(relay.port) as smtp:
        smtp.ehlo()
        assert smtp.message("ann@contoso.com", "bob@outside.example", MESSAGE).code == 250
    relay.wait_for_output(" delivered ")
    assert [message.recipients for message in internet.messages] == [("bob@outside.example",)]
    assert relay.output.count(" accepted ") == MESSAGES + 1
    waiting = relay.told("queue", "list", "--tenant", "evil")["messages"]
    assert len(waiting) == MESSAGES
    assert "next-hop-is-this-relay: 127.0.0.1 port " in relay("queue", "show", waiting[0]["id"], "--json")
