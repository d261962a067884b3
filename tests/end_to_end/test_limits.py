"""Limits, balancers, and peers that mean no good: each gets its reply, and the neighbour never notices."""

import re
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.scene import Certificates
from end_to_end.smtp_client import SmtpClient
from gatepost.app import open_queue_admin
from gatepost.queue.store import QueueFilter
from sink import Sink
from smtp.dialogue import Dialogue, all_dialogues, play


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


LISTENERS = {
    "main": "",
    "crowded": "[listener.limits]\nsessions = 5\nsessions_per_address = 3",
    "impatient": "[listener.limits]\nrefusals = 20",
    "small": '[listener.limits]\nmessage_size = "64KiB"\nrecipients = 100\nerrors = 3\ntransactions_per_session = 3',
    "balanced": 'proxy_from = ["127.0.7.0/24"]',
}
if has_ipv6():
    LISTENERS["six"] = ""
MESSAGE = b"Subject: hello\r\n\r\nHello.\r\n"
OUTSIDE = "someone@outside.example"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with Outside() as outside:
        yield outside


@pytest.fixture(scope="module")
def sink(outside: Outside) -> Sink:
    return outside.sink()


def prepare(relay: Installation, sink: Sink) -> None:
    relay.init()
    for tenant, address in (("contoso", "127.0.1.0/24"), ("fabrikam", "127.0.2.0/24")):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        names = ("--certificate-name", f"*.{tenant}.com", "--address", address)
        relay("inbound-connector", "add", tenant, "mail", *names)
    relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{sink.port}")


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates, sink: Sink) -> Iterator[Installation]:
    """One worker, since limits are counted by worker, and one connection outward, so that mail keeps its order."""
    relay = Installation(
        tmp_path_factory.mktemp("relay"),
        client_roots=certificates.pki.roots_file,
        workers=1,
        listeners=LISTENERS,
        tables="[delivery]\nper_destination = 1",
    )
    prepare(relay, sink)
    # What the dialogues speak of, as one tenant that may send everything from here.
    relay("tenant", "add", "dialogues")
    for domain in ("tenant.example", "partner.example", "bar.com", "foo.com", "münchen.example"):
        relay("domain", "add", "dialogues", domain, "--verified")
    relay("inbound-connector", "add", "dialogues", "here", "--address", "127.0.0.1")
    spaces = ("--address-space", "partner.example", "--address-space", "foo.com")
    relay("send-connector", "add", "home", *spaces, "--smart-host", f"127.0.0.1:{sink.port}")
    with relay.serving():
        yield relay


@pytest.fixture(autouse=True)
def neighbour_is_unaffected(relay: Installation) -> Iterator[None]:
    yield
    with SmtpClient(relay.port, source="127.0.2.1") as smtp:
        smtp.ehlo()
        assert smtp.message("ben@fabrikam.com", OUTSIDE, MESSAGE).code == 250


# Sessions


def test_sessions_of_one_address_are_limited_and_others_come_in(relay: Installation) -> None:
    port = relay.port_of("crowded")
    sessions = [SmtpClient(port, source="127.0.1.1") for _ in range(3)]
    one_more = SmtpClient(port, source="127.0.1.1")
    assert one_more.greeting.text.startswith("421 4.7.0 sessions-per-address ")
    assert one_more.closed()
    with SmtpClient(port, source="127.0.2.1") as neighbour:
        assert neighbour.greeting.code == 220
    sessions.pop().close()
    wait_until(lambda: _is_let_in(port, "127.0.1.1"), "room for another session")
    for session in sessions:
        session.close()


def test_all_sessions_together_are_limited(relay: Installation) -> None:
    port = relay.port_of("crowded")
    sources = ["127.0.1.2", "127.0.1.2", "127.0.1.2", "127.0.1.3", "127.0.1.3"]
    wait_until(lambda: all(_is_let_in(port, source) for source in set(sources)), "the sessions before to be over")
    sessions = [SmtpClient(port, source=source) for source in sources]
    turned_away = SmtpClient(port, source="127.0.2.1")
    assert turned_away.greeting.text.startswith("421 4.3.2 sessions-full ")
    assert turned_away.closed()
    for session in sessions:
        session.close()
    wait_until(lambda: _is_let_in(port, "127.0.2.1"), "room for another session")


def _is_let_in(port: int, source: str) -> bool:
    with SmtpClient(port, source=source) as smtp:
        return smtp.greeting.code == 220


def test_errors_end_the_session(relay: Installation) -> None:
    with SmtpClient(relay.port_of("small"), source="127.0.1.1") as smtp:
        assert [smtp.command("WHAT").code for _ in range(3)] == [500, 500, 500]
        assert smtp.command("WHAT").text.startswith("421 4.7.0 ")
        assert smtp.closed()


def test_refusals_by_attribution_are_no_errors_of_the_peer(relay: Installation) -> None:
    with SmtpClient(relay.port_of("small"), source="127.0.9.1") as smtp:
        smtp.ehlo()
        assert smtp.mail("joe@litware.com").code == 250
        for _ in range(10):
            assert smtp.command(f"RCPT TO:<{OUTSIDE}>").code == 550


def test_mail_transactions_of_a_session_are_limited(relay: Installation) -> None:
    with SmtpClient(relay.port_of("small"), source="127.0.1.1") as smtp:
        smtp.ehlo()
        for _ in range(3):
            assert smtp.message("ann@contoso.com", OUTSIDE, MESSAGE).code == 250
        assert smtp.mail("ann@contoso.com").text.startswith("421 4.7.0 ")
        assert smtp.closed()


# Transactions


def test_recipients_of_a_transaction_are_limited_and_those_taken_are_served(relay: Installation, sink: Sink) -> None:
    with SmtpClient(relay.port_of("small"), source="127.0.1.1") as smtp:
        smtp.ehlo()
        smtp.mail("ann@contoso.com")
        answers = [smtp.command(f"RCPT TO:<r{number}@outside.example>") for number in range(102)]
        assert [answer.code for answer in answers] == [250] * 100 + [452] * 2
        assert smtp.content(MESSAGE).code == 250
    assert len(taken(sink, to="r99@outside.example").recipients) == 100


def test_a_message_larger_than_the_limit_is_refused_whenever_that_shows(relay: Installation, sink: Sink) -> None:
    limit = 64 * 1024
    fits = b"Subject: fits\r\n\r\n".ljust(limit - 2, b"x") + b"\r\n"
    with SmtpClient(relay.port_of("small"), source="127.0.1.1") as smtp:
        assert f"SIZE {limit}" in smtp.ehlo().text
        assert smtp.mail("ann@contoso.com", parameters=f"SIZE={limit + 1}").text.startswith("552 5.3.4 ")
        assert smtp.message("ann@contoso.com", "fits@outside.example", fits).code == 250
        assert smtp.message("ann@contoso.com", "large@outside.example", b"y" + fits).text.startswith("552 5.3.4 ")
    with SmtpClient(relay.port_of("small"), source="127.0.1.1") as smtp:
        smtp.ehlo()
        smtp.mail("ann@contoso.com", "large@outside.example")
        smtp.send(b"BDAT %d LAST\r\n" % (len(fits) + 1) + b"y" + fits)
        assert smtp.reply().text.startswith("552 5.3.4 ")
        assert smtp.message("ann@contoso.com", "after@outside.example", MESSAGE).code == 250
    assert taken(sink, to="fits@outside.example").content.endswith(fits)
    taken(sink, to="after@outside.example")
    assert not any("large@outside.example" in message.recipients for message in tuple(sink.messages))


# Memory


def peak(relay: Installation) -> int:
    """The most memory the worker ever held, in octets."""
    (pid,) = relay.worker_pids()
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def test_a_message_of_a_hundred_mebibytes_never_sits_in_memory_whole(relay: Installation, sink: Sink) -> None:
    before = peak(relay)
    block = (b"0123456789abcdef" * 4)[:62] + b"\r\n"
    piece = block * 16_384
    with SmtpClient(relay.port, source="127.0.1.1", timeout_s=60) as smtp:
        smtp.ehlo()
        assert smtp.mail("ann@contoso.com", "huge@outside.example").code == 250
        assert smtp.command("DATA").code == 354
        for _ in range(100):
            smtp.send(piece)
        smtp.send(b".\r\n")
        assert smtp.reply().code == 250
    message = taken(sink, to="huge@outside.example")
    assert len(message.content) > 100 * len(piece)
    assert message.content[-len(piece) :] == piece
    grown = peak(relay) - before
    assert grown < 50 * MIB, f"the worker grew by {grown / MIB:.0f} MiB"
    sink.messages.remove(message)


def test_a_line_that_never_ends_is_refused_and_not_kept(relay: Installation) -> None:
    before = peak(relay)
    with SmtpClient(relay.port, source="127.0.1.1") as smtp:
        for _ in range(20):
            smtp.send(b"x" * MIB)
        assert smtp.reply().text.startswith("500 5.5.2 ")
        smtp.send(b"\r\n")
        smtp.ehlo()
    assert peak(relay) - before < 10 * MIB


@pytest.mark.parametrize("command", [b"NOOP\r\n", b"WHAT\r\n", b"RSET\r\n", b"MAIL FROM:<>\r\nRSET\r\n"])
def test_a_flood_of_commands_from_peers_that_do_not_read_is_ended(command: bytes, relay: Installation) -> None:
    before = peak(relay)
    peers = [SmtpClient(relay.port, source="127.0.1.66") for _ in range(20)]
    for smtp in peers:
        smtp.ehlo()
        with pytest.raises(OSError):
            while True:
                smtp.send(command * (MIB // len(command)))
        smtp.close()
    assert peak(relay) - before < 20 * MIB


def test_a_session_that_is_refused_again_and_again_ends_and_leaves_a_small_record(relay: Installation) -> None:
    """Nobody may push the records and logs of others out of their folders, nor keep the worker busy."""
    with SmtpClient(relay.port_of("impatient"), source="127.0.9.1") as smtp:
        smtp.ehlo()
        smtp.mail("joe@litware.com")
        smtp.send(b"".join(b"RCPT TO:<r%d@outside.example>\r\n" % number for number in range(1000)))
        answers = [smtp.reply() for _ in range(31)]
        assert smtp.closed()
    assert [answer.code for answer in answers] == [550] * 30 + [421]
    assert answers[-1].text.startswith("421 4.7.0 refusals ")

    def whole() -> Any:
        found = relay.told("why", answers[0].session_id)
        return found if found["closed"] else None

    (transaction,) = wait_until(whole, "the record of the whole session")["transactions"]
    paths = [recipient["rcpt_to"] for recipient in transaction["recipients"]]
    assert paths == [f"r{number}@outside.example" for number in range(20)]
    assert transaction["more_refused"] == 11, "those that were answered, and the one that was answered with the end"
    assert "11 more recipients were refused" in relay("why", answers[0].session_id)
    rows = relay("protocol-log", "show", answers[0].session_id)
    assert rows.count("RCPT TO:") == 21, "the first, and the one that ended it"
    assert "refused 11 more times" in rows
    assert len(rows.splitlines()) < 200


# Peers that stop half-way


def test_half_open_peers_keep_nobody_else_out(relay: Installation, certificates: Certificates) -> None:
    peers = []
    for number in range(40):
        smtp = SmtpClient(relay.port, source="127.0.1.1")
        if number % 4 > 0:
            smtp.ehlo()
        if number % 4 == 1:
            smtp.send(b"MAIL FROM:<ann@con")
        if number % 4 == 2:
            smtp.mail("ann@contoso.com", OUTSIDE)
            smtp.command("DATA")
            smtp.send(b"Subject: hal")
        if number % 4 == 3:
            assert smtp.command("STARTTLS").code == 220
            smtp.send(b"\x16\x03\x01\x02\x00\x01")
        peers.append(smtp)
    with SmtpClient(relay.port, source="127.0.1.1") as smtp:
        smtp.starttls(certificates.contoso)
        assert smtp.message("ann@contoso.com", OUTSIDE, MESSAGE).code == 250
    for peer in peers:
        peer.close()


def test_content_that_breaks_off_is_not_delivered(relay: Installation, sink: Sink) -> None:
    with SmtpClient(relay.port, source="127.0.1.1") as smtp:
        smtp.ehlo()
        smtp.mail("ann@contoso.com", "broken-off@outside.example")
        smtp.command("DATA")
        smtp.send(b"Subject: half\r\n\r\nnot ended\r\n")
        smtp.socket.shutdown(socket.SHUT_RDWR)
    with SmtpClient(relay.port, source="127.0.1.1") as smtp:
        smtp.ehlo()
        assert smtp.message("ann@contoso.com", "next@outside.example", MESSAGE).code == 250
    taken(sink, to="next@outside.example")
    assert not any("broken-off@outside.example" in message.recipients for message in tuple(sink.messages))


@pytest.mark.parametrize(
    "octets", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x00\xff\x01" * 50, b"\0" * 5000]
)
def test_what_is_no_smtp_gets_no_further(octets: bytes, relay: Installation) -> None:
    with SmtpClient(relay.port, source="127.0.1.1") as smtp:
        smtp.send(octets + b"\r\n")
        assert smtp.reply().text.startswith("500 5.5.")


def test_a_broken_handshake_ends_its_session_only(relay: Installation) -> None:
    smtp = SmtpClient(relay.port, source="127.0.1.1")
    smtp.ehlo()
    assert smtp.command("STARTTLS").code == 220
    smtp.send(b"this is no ClientHello\r\n" * 10)
    while smtp.socket.recv(4096):
        """An alert, then the end."""
    smtp.close()
    with SmtpClient(relay.port, source="127.0.1.1") as smtp, pytest.raises(ssl.SSLError), pytest.deprecated_call():
        smtp.starttls(version="TLSv1_1")


def test_a_chain_of_a_hundred_certificates_is_judged_like_any_other(
    relay: Installation, certificates: Certificates
) -> None:
    leaf, stranger = certificates.contoso_rsa, certificates.unknown_issuer
    chain = certificates.pki.bundle("hundred.pem", leaf, *leaf.parents, *[leaf] * 98)
    with SmtpClient(relay.port, source="127.0.9.1") as smtp:
        smtp.starttls(chain, leaf.key_file)
        assert smtp.mail("", OUTSIDE).code == 250
    chain = certificates.pki.bundle("strange-hundred.pem", stranger, *[leaf] * 99)
    with SmtpClient(relay.port, source="127.0.9.1") as smtp:
        smtp.starttls(chain, stranger.key_file)
        answer = smtp.mail("ann@contoso.com", OUTSIDE)
        assert "certificate-issuer-unknown" in answer.text
    assert relay.told("why", answer.session_id)["reason"] == "certificate-issuer-unknown"


@pytest.mark.skipif("six" not in LISTENERS, reason="this machine has no IPv6")
def test_a_listener_on_ipv6_knows_its_peers_by_certificate_and_address(
    relay: Installation, sink: Sink, certificates: Certificates
) -> None:
    with SmtpClient(relay.port_of("six"), host="::1") as smtp:
        smtp.starttls(certificates.contoso)
        assert smtp.message("ann@contoso.com", "six@outside.example", MESSAGE).code == 250
    assert b"Received: from mail.test ([IPv6:::1])" in taken(sink, to="six@outside.example").content
    with SmtpClient(relay.port_of("six"), host="::1") as smtp:
        smtp.starttls()
        answer = smtp.mail("joe@litware.com", OUTSIDE)
        assert "recipient-not-hosted recipient domain outside.example from address ::1 [" in answer.text
    relay("inbound-connector", "add", "contoso", "six", "--address", "::1/128")

    def relays() -> bool:
        with SmtpClient(relay.port_of("six"), host="::1") as smtp:
            smtp.ehlo()
            return smtp.mail("ann@contoso.com", OUTSIDE).code == 250

    wait_until(relays, "the connector to be live")


# Balancers


def version_1(source: str) -> bytes:
    return f"PROXY TCP4 {source} 127.0.0.1 40000 25\r\n".encode()


def version_2(source: str, command: int = 0x21) -> bytes:
    address, here = ip_address(source).packed, ip_address("127.0.0.1").packed
    return (
        b"\r\n\r\n\0\r\nQUIT\n"
        + struct.pack("!BBH", command, 0x11, 12)
        + address
        + here
        + struct.pack("!HH", 40000, 25)
    )


@pytest.mark.parametrize("header", [version_1, version_2])
def test_a_balancer_says_who_really_came(header: object, relay: Installation, certificates: Certificates) -> None:
    assert callable(header)
    with SmtpClient(relay.port_of("balanced"), source="127.0.7.1", first=header("127.0.1.5")) as smtp:
        smtp.ehlo()
        assert smtp.mail("ann@contoso.com", OUTSIDE).code == 250
    with SmtpClient(relay.port_of("balanced"), source="127.0.7.1", first=header("127.0.9.9")) as smtp:
        smtp.starttls()
        answer = smtp.mail("joe@litware.com", OUTSIDE)
        assert "address 127.0.9.9" in answer.text
    assert relay.told("why", answer.session_id)["evidence"]["address"] == "127.0.9.9"


def test_a_health_check_of_the_balancer_is_greeted(relay: Installation) -> None:
    local = version_2("127.0.1.5", command=0x20)
    with SmtpClient(relay.port_of("balanced"), source="127.0.7.1", first=local) as smtp:
        assert smtp.greeting.code == 220
        smtp.ehlo()
        assert "address 127.0.7.1" in smtp.mail("joe@litware.com", OUTSIDE).text


@pytest.mark.parametrize("header", [version_1("127.0.1.5"), version_2("127.0.1.5")])
@pytest.mark.parametrize("listener", ["main", "balanced"])
def test_nobody_else_can_borrow_an_address(header: bytes, listener: str, relay: Installation) -> None:
    with SmtpClient(relay.port_of(listener), source="127.0.9.1") as smtp:
        smtp.send(header + b"\r\n")
        assert smtp.reply().code == 500
    with SmtpClient(relay.port_of(listener), source="127.0.9.1") as smtp:
        smtp.ehlo()
        assert "address 127.0.9.1" in smtp.mail("ann@contoso.com", OUTSIDE).text


def test_a_balancer_without_a_header_is_not_served(relay: Installation) -> None:
    with pytest.raises(ConnectionError):
        SmtpClient(relay.port_of("balanced"), source="127.0.7.1", first=b"EHLO mail.test\r\n")
    relay.wait_for_output("proxy-header-refused")


# Dialogues


class LiveWire:
    """A wire to the running relay. The content is what arrives at the sink."""

    def __init__(self, relay: Installation, sink: Sink) -> None:
        self._relay = relay
        self._sink = sink
        self._smtp = SmtpClient(relay.port, source="127.0.0.1")
        self._read = [self._smtp.greeting.text]

    def write(self, octets: bytes) -> None:
        self._smtp.send(octets)

    def read_line(self) -> str | None:
        return self._read.pop() if self._read else self._smtp.line()

    def start_tls(self) -> None:
        self._smtp.handshake()

    def last_content(self) -> bytes | None:
        office = open_queue_admin(self._relay.settings)
        wait_until(lambda: not office.counts(QueueFilter(tenant="dialogues")), "the queue to be empty")
        content = self._sink.messages[-1].content
        received = re.match(rb"Received: [^\r\n]+\r\n(?:\t[^\r\n]+\r\n)+", content)
        assert received
        return content[received.end() :]

    def close(self) -> None:
        self._smtp.close()


@pytest.mark.parametrize(
    "dialogue",
    [each for each in all_dialogues() if each.suits_live_listener],
    ids=lambda dialogue: dialogue.name,
)
def test_the_live_listener_keeps_to_the_dialogue(dialogue: Dialogue, relay: Installation, sink: Sink) -> None:
    wire = LiveWire(relay, sink)
    play(dialogue, wire)
    wire.close()


# Tenants


def over_its_limit(relay: Installation, source: str, sender: str) -> tuple[int, str]:
    """How many messages were accepted before the first refusal, and that; each in a session of its own, which may come
    to another worker."""
    for accepted in range(100):
        with SmtpClient(relay.port, source=source) as smtp:
            smtp.ehlo()
            answer = smtp.message(sender, OUTSIDE, MESSAGE)
            if answer.code != 250:
                return accepted, answer.text
    raise AssertionError("never refused")


def test_a_tenant_over_its_limits_is_told_when_to_come_back_and_the_other_is_not(
    tmp_path: Path, certificates: Certificates, sink: Sink
) -> None:
    relay = Installation(
        tmp_path,
        client_roots=certificates.pki.roots_file,
        workers=2,
        tables="[tenant_limits]\nmessages_per_minute = 8",
    )
    prepare(relay, sink)
    with relay.serving():
        began = time.time() // 60
        accepted, text = over_its_limit(relay, "127.0.1.1", "ann@contoso.com")
        if time.time() // 60 == began:
            assert accepted == 8, "by both workers together"
        assert re.match(
            r"450 4\.7\.1 tenant-over-limit Message rate limit exceeded \(8/minute\); "
            r"retry after \d\d:\d\d:00Z \(\d+ s\) \[[0-9A-F]{16}\]$",
            text,
        )
        assert "contoso" not in text
        relay.wait_for_output("tenant-over-limit .*tenant=contoso limit=messages_per_minute")
        with SmtpClient(relay.port, source="127.0.2.1") as smtp:
            smtp.ehlo()
            assert smtp.message("ben@fabrikam.com", OUTSIDE, MESSAGE).code == 250
        relay("tenant", "set", "contoso", "--messages-per-minute", "0", "--message-size", "1KiB")

        def answer_to(size: int, declared: str = "") -> str:
            with SmtpClient(relay.port, source="127.0.1.1") as smtp:
                smtp.ehlo()
                smtp.command(f"MAIL FROM:<ann@contoso.com>{declared}")
                told = smtp.command(f"RCPT TO:<{OUTSIDE}>")
                return told.text if told.code != 250 else smtp.content(MESSAGE.ljust(size, b"x") + b"\r\n").text

        # Each worker sees the change within a second.
        too_large = "552 5.3.4 tenant-message-too-large Message exceeds the limit of 1024 bytes ["
        wait_until(lambda: answer_to(2000).startswith(too_large), "the tenant's own size to be live")
        wait_until(lambda: answer_to(100, " SIZE=2000").startswith(too_large), "it to be live at the other worker")
        wait_until(lambda: answer_to(100).startswith("250 "), "its own rate to be live")


def test_a_full_queue_is_told_and_takes_mail_again_once_there_is_room(
    tmp_path: Path, certificates: Certificates, sink: Sink
) -> None:
    relay = Installation(tmp_path, client_roots=certificates.pki.roots_file, tables="[queue]\nmost_recipients = 3")
    prepare(relay, sink)
    relay("send-connector", "add", "nowhere", "--address-space", "nowhere.example", "--smart-host", "127.0.0.1:9")
    with relay.serving():
        with SmtpClient(relay.port, source="127.0.1.1") as smtp:
            smtp.ehlo()
            for n in range(3):
                assert smtp.message("ann@contoso.com", f"{n}@nowhere.example", MESSAGE).code == 250

        def answer_to_mail() -> str:
            with SmtpClient(relay.port, source="127.0.2.1") as smtp:
                smtp.ehlo()
                return smtp.command("MAIL FROM:<ben@fabrikam.com>").text

        full = "452 4.3.1 queue-full The queue is full; try again later"
        wait_until(lambda: answer_to_mail() == full, "both workers to have counted")
        relay.wait_for_output("queue-full .*3 recipients are queued")
        relay("queue", "remove", "--domain", "nowhere.example", "--yes")
        relay.wait_for_output("queue-has-room")
        wait_until(lambda: answer_to_mail().startswith("250"), "room to be seen")
