"""Addresses that the grammar does not know and other servers take: of tenants' own servers, octet for octet."""

import re
from collections.abc import Iterator

import pytest

from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.scene import CONTOSO_ADDRESS, FABRIKAM_ADDRESS, MESSAGE, UNLISTED_ADDRESS
from end_to_end.smtp_client import SmtpClient
from sink import Sink

LONG = "IMCEAEX-" + "_O=CONTOSO_OU=EXCHANGE+20ADMINISTRATIVE+20GROUP" * 5
PATHS = ["a..b", "a.", ".a", LONG]


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with Outside() as outside:
        yield outside


@pytest.fixture(scope="module")
def sink(outside: Outside) -> Sink:
    return outside.sink()


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, sink: Sink) -> Iterator[Installation]:
    listeners = {"main": "", "all": 'irregular_paths = "all"', "none": 'irregular_paths = "none"'}
    relay = Installation(tmp_path_factory.mktemp("relay"), workers=1, listeners=listeners)
    relay.init()
    for tenant, address in (("contoso", CONTOSO_ADDRESS), ("fabrikam", FABRIKAM_ADDRESS)):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        relay("inbound-connector", "add", tenant, "mail", "--address", address)
    hop = ("--smart-host", f"127.0.0.1:{sink.port}")
    relay("send-connector", "add", "home", "--address-space", "contoso.com", *hop)
    relay("send-connector", "set", "internet", *hop)
    with relay.serving():
        yield relay


@pytest.fixture(autouse=True)
def neighbour_is_unaffected(relay: Installation) -> Iterator[None]:
    yield
    with SmtpClient(relay.port, source=FABRIKAM_ADDRESS) as smtp:
        smtp.ehlo()
        assert smtp.message("ben@fabrikam.com", "someone@outside.example", MESSAGE).code == 250


def _sends(relay: Installation, listener: str, source: str, mail: str, rcpt: str) -> str:
    """The reply that decided."""
    with SmtpClient(relay.port_of(listener), source=source) as smtp:
        smtp.ehlo()
        for command in (f"MAIL FROM:{mail}", f"RCPT TO:{rcpt}", "DATA"):
            answer = smtp.command(command)
            if answer.code >= 400:
                return answer.text
        smtp.send(MESSAGE + b".\r\n")
        return smtp.reply().text


@pytest.mark.parametrize("local_part", PATHS)
def test_an_own_server_sends_them_and_the_next_hop_gets_them_as_they_were(
    local_part: str, relay: Installation, sink: Sink
) -> None:
    mail, rcpt = f"{local_part}@contoso.com", f"{local_part}@outside.example"
    assert _sends(relay, "main", CONTOSO_ADDRESS, f"<{mail}>", f"<{rcpt}>").startswith("250 2.6.0 ")
    assert taken(sink, to=rcpt).reverse_path == mail


def test_brackets_may_be_left_out_and_parameters_follow(relay: Installation, sink: Sink) -> None:
    said = _sends(relay, "main", CONTOSO_ADDRESS, " ann@contoso.com SIZE=100", "bare@outside.example NOTIFY=NEVER")
    assert said.startswith("250 2.6.0 ")
    assert taken(sink, to="bare@outside.example").reverse_path == "ann@contoso.com"


def test_a_bounce_to_such_an_address_goes_there_and_names_the_recipient_as_it_was(
    relay: Installation, sink: Sink
) -> None:
    said = _sends(relay, "main", CONTOSO_ADDRESS, "<b..ann.@contoso.com>", "<refuse..d@outside.example>")
    assert said.startswith("250 2.6.0 ")
    bounce = taken(sink, to="b..ann.@contoso.com")
    assert b"Final-Recipient: rfc822;refuse..d@outside.example" in bounce.content.replace(b"; ", b";")


def test_a_stranger_hears_at_rcpt_what_is_wrong_with_its_address(relay: Installation, sink: Sink) -> None:
    for mail, rcpt, status in (
        ("<a..b@docomo.example>", "<ceo@contoso.com>", "501 5.1.7 Reverse-path: "),
        ("<ann@docomo.example>", "<c..eo@contoso.com>", "501 5.1.3 Forward-path: "),
        (" ann@docomo.example", "<ceo@contoso.com>", "501 5.1.7 Reverse-path: "),
    ):
        assert _sends(relay, "main", UNLISTED_ADDRESS, mail, rcpt).startswith(status)
        assert _sends(relay, "all", UNLISTED_ADDRESS, mail, rcpt).startswith("250 2.6.0 ")
        assert _sends(relay, "none", CONTOSO_ADDRESS, mail, rcpt).startswith("501 5.1.")
    taken(sink, to="c..eo@contoso.com")


def test_explain_and_why_know_them(relay: Installation) -> None:
    words = ("--address", CONTOSO_ADDRESS, "--mail-from", "a..b@contoso.com", "--rcpt-to", "c.@outside.example")
    assert relay.told("explain", *words)["outcome"] == "relay"
    with SmtpClient(relay.port, source=CONTOSO_ADDRESS) as smtp:
        smtp.ehlo()
        refused = smtp.mail("x..y@elsewhere.example", "z@outside.example")
        assert refused.code == 550
    found = wait_until(lambda: relay.told("why", refused.session_id), "the record")
    assert found["evidence"]["mail_from"] == "x..y@elsewhere.example"
    rows = relay("protocol-log", "show", refused.session_id)
    assert re.search(r"MAIL FROM:<x\.\.y@elsewhere\.example>", rows)
