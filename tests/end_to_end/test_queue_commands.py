"""The queue commands on a relay that is running: what an operator asks for happens at once, and to that mail only.

Retry intervals are the defaults, minutes, so that nothing here is delivered by itself.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.scene import Certificates
from end_to_end.smtp_client import SmtpClient
from gatepost.app import open_queue_admin
from gatepost.queue.store import QueueFilter
from sink import Sink

MESSAGE = b"From: ann\r\nSubject: waiting\r\n\r\nHello.\r\n"
BUSY = b"451 4.3.2 busy, come back later\r\n"


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with Outside() as outside:
        yield outside


@pytest.fixture(scope="module")
def internet(outside: Outside) -> Sink:
    return outside.sink()


@pytest.fixture(scope="module")
def home(outside: Outside) -> Sink:
    """Both tenants' own server."""
    return outside.sink()


@pytest.fixture(scope="module")
def relay(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates, internet: Sink, home: Sink
) -> Iterator[Installation]:
    relay = Installation(tmp_path_factory.mktemp("relay"), client_roots=certificates.pki.roots_file)
    relay.init()
    for tenant, address in (("contoso", "127.0.1.1"), ("fabrikam", "127.0.2.1")):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        relay("inbound-connector", "add", tenant, "mail", "--address", address)
    relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{internet.port}")
    domains = ("--address-space", "contoso.com", "--address-space", "fabrikam.com")
    relay("send-connector", "add", "home", *domains, "--smart-host", f"127.0.0.1:{home.port}")
    with relay.serving():
        yield relay


@pytest.fixture(autouse=True)
def everybody_behaves(relay: Installation, internet: Sink, home: Sink) -> Iterator[None]:
    yield
    internet.behave()
    home.behave()
    open_queue_admin(relay.settings).remove(QueueFilter())


def send(relay: Installation, recipient: str, tenant: str = "contoso") -> str:
    """The queue id."""
    with SmtpClient(relay.port, source={"contoso": "127.0.1.1", "fabrikam": "127.0.2.1"}[tenant]) as smtp:
        smtp.ehlo()
        answer = smtp.message(f"ann@{tenant}.com", recipient, MESSAGE)
    assert answer.code == 250, answer.text
    return answer.text.split()[2]


def deferred(relay: Installation, sink: Sink, recipient: str, tenant: str = "contoso") -> str:
    """The id of a message that was attempted once, and waits."""
    sink.answer("RCPT", BUSY)
    message_id = send(relay, recipient, tenant)
    wait_until(lambda: recipient_of(relay, message_id)["attempts"] == 1, f"an attempt of {message_id}")
    return message_id


def recipient_of(relay: Installation, message_id: str) -> dict[str, Any]:
    (recipient,) = relay.told("queue", "show", message_id)["recipients"]
    assert isinstance(recipient, dict)
    return recipient


def is_gone(relay: Installation, message_id: str) -> bool:
    return not relay.told("queue", "list")["counts"] or message_id not in relay("queue", "list")


def arrived(sink: Sink, recipient: str) -> bool:
    return any(recipient in message.recipients for message in tuple(sink.messages))


def test_list_and_show_tell_what_waits_and_why(relay: Installation, internet: Sink) -> None:
    contoso = deferred(relay, internet, "seen@outside.example")
    deferred(relay, internet, "other@elsewhere.example", "fabrikam")
    counts = relay.told("queue", "list")["counts"]
    assert {(each["tenant"], each["domain"], each["state"], each["recipients"]) for each in counts} == {
        ("contoso", "outside.example", "queued", 1),
        ("fabrikam", "elsewhere.example", "queued", 1),
    }
    (only,) = relay.told("queue", "list", "--tenant", "contoso")["counts"]
    assert only["domain"] == "outside.example"
    shown = relay("queue", "show", contoso)
    for words in ("seen@outside.example", "ann@contoso.com", "451 4.3.2 busy, come back later", "Subject: waiting"):
        assert words in shown


def test_the_mail_of_one_sender_is_held_and_removed_and_that_of_nobody_else(
    relay: Installation, internet: Sink, home: Sink
) -> None:
    waiting = [deferred(relay, internet, "one@outside.example"), deferred(relay, internet, "two@outside.example")]
    other = deferred(relay, internet, "three@outside.example", tenant="fabrikam")
    text = relay("queue", "list", "--sender", "@contoso.com")
    assert "ann@contoso.com → one@outside.example" in text
    assert "451 4.3.2 busy, come back later" in text and "tried once, next in" in text
    assert "three@" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert relay("queue", "hold", "--sender", "ann@contoso.com").startswith("2 recipients held")
    # One order, though two workers have each a queue.
    orders = [each for each in relay("queue", "orders").splitlines() if "ann@contoso.com" in each]
    assert len(orders) == 1 and " 2 " in orders[0]
    assert relay("queue", "remove", "--sender", "ann@contoso.com", "--yes").startswith("2 recipients removed")
    for each in waiting:
        wait_until(lambda each=each: is_gone(relay, each), "the mail to be gone")  # type: ignore[misc]
    internet.behave()
    relay("queue", "retry", "--sender", "<>", expect=1)
    relay("queue", "retry", other)
    wait_until(lambda: arrived(internet, "three@outside.example"), "the neighbour's mail")
    assert not arrived(internet, "one@outside.example")


def test_retry_attempts_at_once_what_was_chosen(relay: Installation, internet: Sink) -> None:
    chosen = deferred(relay, internet, "chosen@outside.example")
    other = deferred(relay, internet, "other@elsewhere.example", "fabrikam")
    assert "1 recipient" in relay("queue", "retry", chosen)
    taken(internet, to="chosen@outside.example")
    wait_until(lambda: is_gone(relay, chosen), "the message to be gone from the queue")
    assert recipient_of(relay, other)["attempts"] == 1
    assert not arrived(internet, "other@elsewhere.example")


def test_what_is_held_waits_until_it_is_released(relay: Installation, internet: Sink) -> None:
    message_id = deferred(relay, internet, "held@outside.example")
    relay("queue", "hold", "--domain", "outside.example")
    assert recipient_of(relay, message_id)["state"] == "held"
    relay("queue", "retry", "--all", expect=1)
    # Later mail to the same place is not held, and its delivery shows that nothing stands in its way.
    send(relay, "after@outside.example")
    taken(internet, to="after@outside.example")
    assert recipient_of(relay, message_id)["state"] == "held"
    relay("queue", "release", "--state", "held")
    taken(internet, to="held@outside.example")


def test_what_is_removed_is_gone_without_a_word(relay: Installation, internet: Sink, home: Sink) -> None:
    message_id = deferred(relay, internet, "removed@outside.example")
    relay("queue", "remove", message_id, "--yes")
    relay("queue", "show", message_id, expect=1)
    send(relay, "later@outside.example")
    taken(internet, to="later@outside.example")
    assert not arrived(internet, "removed@outside.example")
    assert not any(b"removed@outside.example" in message.content for message in tuple(home.messages))


def test_what_is_bounced_is_told_to_its_sender(relay: Installation, internet: Sink, home: Sink) -> None:
    bounced = deferred(relay, internet, "bounced@outside.example", "fabrikam")
    relay("queue", "bounce", bounced)
    notice = taken(home, to="ann@fabrikam.com")
    assert notice.reverse_path == ""
    assert b"bounced@outside.example" in notice.content and b"Action: failed" in notice.content
    wait_until(lambda: is_gone(relay, bounced), "the message to be gone from the queue")
    assert not arrived(internet, "bounced@outside.example")


def test_what_waited_is_delivered_after_a_restart(relay: Installation, internet: Sink) -> None:
    message_id = deferred(relay, internet, "kept@outside.example")
    relay.stop()
    relay("queue", "retry", message_id)
    relay.start()
    taken(internet, to="kept@outside.example")


def test_a_changed_send_connector_takes_what_waits(relay: Installation, outside: Outside, internet: Sink) -> None:
    message_id = deferred(relay, internet, "moved@moving.example")
    other = outside.sink()
    relay(
        "send-connector",
        "add",
        "moving",
        "--address-space",
        "moving.example",
        "--smart-host",
        f"127.0.0.1:{other.port}",
    )
    relay("queue", "retry", message_id)
    taken(other, to="moved@moving.example")


def test_a_removed_tenant_leaves_word_of_what_still_waits(relay: Installation, internet: Sink) -> None:
    relay("tenant", "add", "leaving")
    relay("domain", "add", "leaving", "leaving.example", "--verified")
    relay("inbound-connector", "add", "leaving", "mail", "--address", "127.0.3.1")
    internet.always("RCPT", BUSY)

    def waits() -> bool:
        with SmtpClient(relay.port, source="127.0.3.1") as smtp:
            smtp.ehlo()
            return smtp.message("lea@leaving.example", "waiting@outside.example", MESSAGE).code == 250

    wait_until(waits, "the tenant to be known")
    done = relay.here("tenant", "remove", "leaving", "--yes")
    assert done.returncode == 0
    assert "1 recipient of its mail is still queued" in done.stderr
    assert "still waits" not in relay.here("tenant", "remove", "nobody", "--yes").stderr
    internet.behave()
    relay("queue", "retry", "--tenant", "leaving")
    wait_until(lambda: arrived(internet, "waiting@outside.example"), "the mail that waited")
    send(relay, "after@outside.example", "fabrikam")
    wait_until(lambda: arrived(internet, "after@outside.example"), "the neighbour's mail")
