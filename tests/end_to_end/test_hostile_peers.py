"""Peers that attack: each trial ends as `docs/explanation/hostile-peers.md` says, and the neighbour's mail goes on."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from OpenSSL import SSL

from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.scene import CONTOSO_ADDRESS, FABRIKAM_ADDRESS, MESSAGE, UNLISTED_ADDRESS, Certificates
from end_to_end.smtp_client import SmtpClient
from pki import Issued
from sink import Sink

OUTSIDE = "someone@outside.example"


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with Outside() as outside:
        yield outside


@pytest.fixture(scope="module")
def sink(outside: Outside) -> Sink:
    return outside.sink()


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates, sink: Sink) -> Iterator[Installation]:
    """One worker, so that the attacker and the neighbour meet."""
    relay = Installation(
        tmp_path_factory.mktemp("relay"), client_roots=certificates.pki.roots_file, workers=1, listeners={"main": ""}
    )
    relay.init()
    for tenant, address in (("contoso", CONTOSO_ADDRESS), ("fabrikam", FABRIKAM_ADDRESS)):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        connector = ("--certificate-name", f"mail.{tenant}.com", "--address", address)
        relay("inbound-connector", "add", tenant, "mail", *connector)
    relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{sink.port}")
    with relay.serving():
        yield relay


@pytest.fixture(autouse=True)
def neighbour_is_unaffected(relay: Installation) -> Iterator[None]:
    yield
    _neighbour_sends(relay)


def _neighbour_sends(relay: Installation) -> None:
    with SmtpClient(relay.port, source=FABRIKAM_ADDRESS) as smtp:
        smtp.ehlo()
        assert smtp.message("ben@fabrikam.com", OUTSIDE, MESSAGE).code == 250


# TLS


class _Renegotiating:
    """A TLS 1.2 client that shakes hands again in mid session, as Python's own `ssl` cannot."""

    def __init__(self, smtp: SmtpClient) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        smtp.socket.setblocking(True)
        self.connection = SSL.Connection(context, smtp.socket)
        self.connection.set_connect_state()
        self.connection.do_handshake()

    def asks_again(self) -> bool:
        """Whether the server let it."""
        self.connection.renegotiate()
        try:
            self.connection.do_handshake()
            self.connection.sendall(b"EHLO again\r\n")
            return b"250" in self.connection.recv(4096) and not self.connection.renegotiate_pending()
        except SSL.Error:
            return False


def test_a_client_cannot_shake_hands_again_and_change_its_certificate(relay: Installation) -> None:
    with SmtpClient(relay.port, source=UNLISTED_ADDRESS) as smtp:
        smtp.ehlo()
        assert smtp.command("STARTTLS").code == 220
        assert not _Renegotiating(smtp).asks_again()


@pytest.mark.parametrize("names", [2_000, 20_000])
def test_a_certificate_of_very_many_names_is_judged_or_ends_its_own_session(
    names: int, relay: Installation, certificates: Certificates
) -> None:
    """2,000 names make some 50 KB; 20,000 are more than the TLS library takes for a chain."""
    bomb = certificates.pki.leaf(
        "mail.contoso.com", names=("mail.contoso.com", *(f"host-{number}.contoso.com" for number in range(names)))
    )
    with SmtpClient(relay.port, source=UNLISTED_ADDRESS) as smtp:
        try:
            smtp.starttls(bomb)
            answer = smtp.mail("", OUTSIDE)
        except (ssl.SSLError, ConnectionError):
            assert names == 20_000
        else:
            assert names == 2_000
            assert answer.code == 250


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + b"\0" * 16381, id="hello of 16 MiB announced"),
        pytest.param(b"\x16\x03\x01\xff\xff" + b"\0" * 65535, id="record longer than any may be"),
        pytest.param(b"\x16\x03\x01\x00\x00" * 20_000, id="empty records"),
        pytest.param(b"\x15\x03\x01\x00\x02\x01\x00" * 20_000, id="warning alerts"),
        pytest.param(b"\x14\x03\x03\x00\x01\x01" * 20_000, id="change cipher specs"),
        pytest.param(b"\x80\x2e\x01\x00\x02" + b"\0" * 100, id="SSL 2"),
    ],
)
def test_a_handshake_that_is_none_ends_its_session(octets: bytes, relay: Installation) -> None:
    with SmtpClient(relay.port, source=UNLISTED_ADDRESS) as smtp:
        smtp.ehlo()
        assert smtp.command("STARTTLS").code == 220
        with pytest.raises(ConnectionError):
            smtp.socket.sendall(octets)
            while smtp.socket.recv(4096):
                """An alert, then the end."""
            raise ConnectionError("closed in good order")


def test_a_hello_octet_by_octet_is_a_hello(relay: Installation, certificates: Certificates) -> None:
    with closing(SmtpClient(relay.port, source=UNLISTED_ADDRESS)) as smtp:
        smtp.ehlo()
        assert smtp.command("STARTTLS").code == 220
        smtp.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(certificates.contoso.chain_file, certificates.contoso.key_file)
        tls = context.wrap_bio(incoming, outgoing)

        def until_done(step: Callable[[], Any]) -> Any:
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    for octet in outgoing.read():
                        smtp.socket.sendall(bytes([octet]))
                    incoming.write(smtp.socket.recv(65536))

        until_done(tls.do_handshake)
        tls.write(b"EHLO slow.example\r\n")
        assert until_done(lambda: tls.read(3)) == b"250"


# Floods


def test_thousands_of_connections_from_one_address_leave_room_for_others(relay: Installation) -> None:
    with ExitStack() as stack:
        here, there = ("127.0.66.1", 0), ("127.0.0.1", relay.port)
        # Whoever is turned away over and over hears it a second later: all of them at once.
        peers = [stack.enter_context(socket.create_connection(there, source_address=here)) for _ in range(1_000)]
        assert sum(peer.recv(512).startswith(b"421 4.7.0 sessions-per-address ") for peer in peers) >= 500
        _neighbour_sends(relay)


def test_a_flood_of_header_fields_is_content_like_any_other(relay: Installation, sink: Sink) -> None:
    header = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 60) for number in range(100_000))
    content = header + b"\r\nflood\r\n"
    with SmtpClient(relay.port, source=CONTOSO_ADDRESS) as smtp:
        smtp.ehlo()
        assert smtp.message("ann@contoso.com", "flood@outside.example", content).code == 250
    assert taken(sink, to="flood@outside.example").content.endswith(content)


def test_a_message_that_has_passed_too_many_hosts_is_in_a_loop(relay: Installation) -> None:
    header = b"".join(b"Received: from a by b%d; Wed, 25 Nov 2026 00:00:00 +0000\r\n" % n for n in range(300))
    with SmtpClient(relay.port, source=CONTOSO_ADDRESS) as smtp:
        smtp.ehlo()
        assert smtp.message("ann@contoso.com", OUTSIDE, header + b"\r\nloop\r\n").text.startswith("554 5.4.6 ")


@pytest.mark.parametrize("chunk", [b"BDAT 0\r\n", b"BDAT 1\r\nx"])
def test_content_in_a_hundred_thousand_pieces_holds_up_nobody_and_comes_to_an_end(
    chunk: bytes, relay: Installation
) -> None:
    with SmtpClient(relay.port, source=CONTOSO_ADDRESS) as smtp:
        smtp.ehlo()
        assert smtp.mail("ann@contoso.com", OUTSIDE).code == 250
        for _ in range(10):
            smtp.send(chunk * 100)
            assert [smtp.reply().code for _ in range(100)] == [250] * 100
        _neighbour_sends(relay)
        smtp.send(chunk)
        assert smtp.reply().text == "421 4.7.0 Too many commands without sending mail, closing connection"
        assert smtp.closed()


# Names and addresses


@pytest.mark.parametrize(
    "path",
    [
        "ann%contoso.com@evil.example",
        '"ann@contoso.com"@evil.example',
        "@contoso.com:ann@evil.example",
        "contoso.com!ann@evil.example",
        "ann@contoso.com.evil.example",
        "ann@xn--contoso-.evil.example",
        "ann@[127.0.0.1]",
    ],
)
def test_a_reverse_path_that_only_looks_like_the_tenants_gives_no_right(path: str, relay: Installation) -> None:
    with SmtpClient(relay.port, source=CONTOSO_ADDRESS) as smtp:
        smtp.ehlo()
        answer = smtp.mail(path, OUTSIDE)
        assert answer.code in (501, 550), answer.text
        assert "5.7.64" in answer.text or "5.1.7" in answer.text or "5.1.8" in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "victim%outside.example@contoso.com",
        '"victim@outside.example"@contoso.com',
        "@contoso.com:victim@outside.example",
    ],
)
def test_a_forward_path_never_relays_by_a_trick_of_its_form(path: str, relay: Installation) -> None:
    """What is left of the last @ is the recipient's own business; source routes are ignored (RFC 5321 F.2)."""
    with SmtpClient(relay.port, source=UNLISTED_ADDRESS) as smtp:
        smtp.ehlo()
        answer = smtp.mail("mallory@evil.example", path)
        assert answer.text.startswith("550 5.7.64 "), answer.text


@pytest.mark.parametrize("octets", [b"\0", b"\r", b"\n", b"\xff", b"\x1b[2J"])
def test_control_octets_of_a_command_reach_neither_reply_nor_log(octets: bytes, relay: Installation) -> None:
    mark = f"mark-{octets.hex()}"
    with SmtpClient(relay.port, source=UNLISTED_ADDRESS) as smtp:
        smtp.ehlo()
        smtp.send(f"MAIL FROM:<{mark}".encode() + octets + b"@evil.example>\r\n")
        reply = smtp.reply().text
        assert reply.isascii() and all(character.isprintable() or character in "\r\n" for character in reply)
        smtp.close()
    wait_until(lambda: mark in relay.protocol_log("receive"), "the command in the log")
    log = relay.protocol_log("receive")
    assert all(character.isprintable() for line in log.split("\n") if mark in line for character in line)


# The other direction: a next hop that injects


class InjectingHop(threading.Thread):
    """A next hop behind an attacker who puts replies of his own behind the one to STARTTLS; it takes one message."""

    def __init__(self, certificate: Issued) -> None:
        super().__init__(daemon=True)
        self.said: list[bytes] = []
        """The relay's lines, those inside TLS only."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.chain_file, certificate.key_file)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]

    def run(self) -> None:
        with self._listening, self._listening.accept()[0] as peer:
            peer.sendall(b"220 mx.injected.example\r\n")
            peer.recv(4096)
            peer.sendall(b"250-mx.injected.example\r\n250 STARTTLS\r\n")
            peer.recv(4096)
            peer.sendall(b"220 go\r\n250-evil.example\r\n250-SIZE 1\r\n250 PIPELINING\r\n250 2.0.0 taken\r\n" * 2)
            with self._context.wrap_socket(peer, server_side=True) as secured, secured.makefile("rb") as lines:
                for line in lines:
                    self.said.append(line)
                    secured.sendall(_USUAL.get(line[:4], b""))


_USUAL = {
    b"EHLO": b"250 mx.injected.example\r\n",
    b"MAIL": b"250 2.1.0 OK\r\n",
    b"RCPT": b"250 2.1.5 OK\r\n",
    b"DATA": b"354 go on\r\n",
    b".\r\n": b"250 2.0.0 OK\r\n",
    b"QUIT": b"221 2.0.0 Bye\r\n",
}


def test_replies_injected_behind_starttls_are_not_believed(relay: Installation, certificates: Certificates) -> None:
    hop = InjectingHop(certificates.pki.leaf("mx.injected.example"))
    hop.start()
    smart_host = ("--smart-host", f"127.0.0.1:{hop.port}", "--tls", "encrypt")
    relay("send-connector", "add", "injected", "--address-space", "injected.example;1", *smart_host)
    with SmtpClient(relay.port, source=CONTOSO_ADDRESS) as smtp:
        smtp.ehlo()
        assert smtp.message("ann@contoso.com", "bob@injected.example", MESSAGE).code == 250
    wait_until(lambda: b".\r\n" in hop.said, "the message to arrive")
    assert hop.said[0].startswith(b"EHLO"), "TLS begins the session anew (RFC 3207 4.2)"
    assert b"MAIL FROM:<ann@contoso.com>\r\n" in hop.said, "the keywords injected are forgotten"
