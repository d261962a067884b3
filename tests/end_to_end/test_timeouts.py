"""Half-open peers: who is gone without a word holds nothing for longer than the settings say."""

from collections.abc import Iterator

import pytest

from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.smtp_client import SmtpClient
from sink import SILENCE, Sink

MESSAGE = b"Subject: hello\r\n\r\nHello.\r\n"
SHORT = """
[delivery.timeouts]
connect = "1s"
tls_handshake = "1s"
greeting = "1s"
command = "1s"
data = "1s"
content_block = "1s"
content_reply = "1s"
"""


@pytest.fixture(scope="module")
def sinks(outside: Outside) -> tuple[Sink, Sink]:
    return outside.sink(), outside.sink()


@pytest.fixture(scope="module")
def silent_ones(outside: Outside) -> dict[str, tuple[str, Sink]]:
    """For each stage what is awaited there, and a next hop that is silent then."""
    awaited = {"GREETING": "the greeting", "EHLO": "the reply to EHLO", "END": "the reply to the content"}
    return {stage: (what, outside.sink()) for stage, what in awaited.items()}


@pytest.fixture(scope="module")
def relay(
    tmp_path_factory: pytest.TempPathFactory, sinks: tuple[Sink, Sink], silent_ones: dict[str, tuple[str, Sink]]
) -> Iterator[Installation]:
    relay = Installation(tmp_path_factory.mktemp("relay"), workers=1)
    relay.listeners["main"] = '[listener.limits]\ncommand_timeout = "1s"\ncontent_timeout = "1s"\n'
    relay.tables = SHORT
    relay.init()
    for tenant, address, sink in (("contoso", "127.0.1.1", sinks[0]), ("fabrikam", "127.0.2.1", sinks[1])):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        relay("inbound-connector", "add", tenant, "mail", "--address", address)
        out = ("--tenant", tenant, "--address-space", "*", "--smart-host", f"127.0.0.1:{sink.port}", "--tls", "none")
        relay("send-connector", "add", f"{tenant}-out", *out)
    with relay.serving():
        # A next hop of its own for each stage: a session that another test has left open is past it.
        for stage, (_, silent) in silent_ones.items():
            space = ("--address-space", f"{stage.lower()}.example", "--smart-host", f"127.0.0.1:{silent.port}")
            relay("send-connector", "add", f"to-{stage.lower()}", "--tenant", "contoso", *space, "--tls", "none")
        yield relay


def other_tenant_is_served(relay: Installation, sink: Sink, to: str) -> None:
    with SmtpClient(relay.port, source="127.0.2.1") as smtp:
        smtp.ehlo()
        assert smtp.message("ben@fabrikam.com", to, MESSAGE).code == 250
    taken(sink, to=to)


@pytest.mark.parametrize("stage", ["greeting", "ehlo", "mail", "data", "content", "half-a-line"])
def test_a_silent_client_is_told_and_let_go(stage: str, relay: Installation, sinks: tuple[Sink, Sink]) -> None:
    smtp = SmtpClient(relay.port, source="127.0.1.1")
    if stage != "greeting":
        smtp.ehlo()
    if stage in ("mail", "data", "content"):
        assert smtp.mail("ann@contoso.com", "never@outside.example").code == 250
    if stage in ("data", "content"):
        assert smtp.command("DATA").code == 354
    if stage == "content":
        smtp.send(b"Subject: half\r\n")
    if stage == "half-a-line":
        smtp.send(b"NO")
    other_tenant_is_served(relay, sinks[1], f"beside-{stage}@outside.example")
    assert smtp.reply().text.startswith("421 4.4.2 ")
    assert smtp.closed()
    assert not [each for each in sinks[0].messages if "never@outside.example" in each.recipients]


@pytest.mark.parametrize("stage", ["GREETING", "EHLO", "END"])
def test_a_silent_next_hop_defers_its_mail_only_and_the_queue_shows_why(
    stage: str, relay: Installation, sinks: tuple[Sink, Sink], silent_ones: dict[str, tuple[str, Sink]]
) -> None:
    awaited, silent = silent_ones[stage]
    says = f"did not send {awaited} in time"
    silent.always(stage, SILENCE)
    to = f"bob@{stage.lower()}.example"
    with SmtpClient(relay.port, source="127.0.1.1") as smtp:
        smtp.ehlo()
        assert smtp.message("ann@contoso.com", to, MESSAGE).code == 250
    other_tenant_is_served(relay, sinks[1], f"beside-silent-{stage}@outside.example")

    def last_reply() -> str:
        listed = relay.told("queue", "list")["messages"]
        return "".join(each["recipient"]["last_reply"] or "" for each in listed)

    wait_until(lambda: says in last_reply(), lambda: f"{says}; {last_reply()}")
    silent.behave()
    # `retry` forgets that the host was found dead.
    wait_until(lambda: relay.here("queue", "retry", "--all") and arrived(silent, to), f"mail to {to}", pause_s=0.3)


def arrived(sink: Sink, to: str) -> bool:
    return any(to in message.recipients for message in tuple(sink.messages))
