import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from gatepost.net.certificates import CredentialError
from gatepost.net.judgement import Judge
from gatepost.net.tls_server import ServerTlsContexts, ServerTlsSession
from gatepost.net.tls_session import MOST_CERTIFICATES
from gatepost.tenancy.evidence import ClientCertificate, PresentedCertificate, VerifiedCertificate
from pki import BAD_SAN, CRITICAL_UNKNOWN, Issued, Pki
from soak import rounds
from tls_wire import BareClient, join

NOW = datetime.now(UTC)
YESTERDAY = NOW - timedelta(days=1)
VERSIONS = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}

# What clients present, and the decisive error; None: it is verified.
KINDS: dict[str, tuple[dict[str, object], int | None]] = {
    "good": ({}, None),
    "RSA": ({"key": "RSA-2048"}, None),
    "P-384": ({"key": "P-384"}, None),
    "P-521": ({"key": "P-521"}, None),
    "Ed25519": ({"key": "Ed25519"}, None),
    "Ed448": ({"key": "Ed448"}, None),
    "no extended key usage": ({"purposes": None}, None),
    "serverAuth only": ({"purposes": ("serverAuth",)}, None),
    "any purpose": ({"purposes": ("anyExtendedKeyUsage",)}, None),
    "common name only": ({"names": ()}, None),
    "no name at all": ({"names": (), "common_name": None}, None),
    "wildcard": ({"names": ("*.contoso.com",)}, None),
    "negative serial": ({"serial": -5}, None),
    "expired": ({"not_after": YESTERDAY}, 10),
    "not yet valid": ({"not_before": NOW + timedelta(days=2)}, 9),
    "self-signed": ({"self_signed": True}, 18),
    "code signing": ({"purposes": ("codeSigning",)}, 26),
    "RSA 1024": ({"key": "RSA-1024"}, 66),
    "SHA-1": ({"sha1": True}, 68),
    "unreadable names": ({"san": BAD_SAN}, 41),
    "unknown critical extension": ({"extensions": ((CRITICAL_UNKNOWN, True),)}, 34),
}


@pytest.fixture(scope="session")
def judge(pki: Pki) -> Judge:
    return Judge(pki.roots_file)


@pytest.fixture(scope="session")
def own(pki: Pki) -> Issued:
    return pki.leaf("relay.example.net")


@pytest.fixture(scope="session")
def contexts(own: Issued, judge: Judge) -> ServerTlsContexts:
    return ServerTlsContexts([(own.chain_file, own.key_file)], judge)


def established(contexts: ServerTlsContexts, client: BareClient) -> ServerTlsSession:
    server = contexts.accept()
    join(client, server)
    assert server.failure is None and client.failure is None
    assert server.established and client.established
    return server


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_no_client_certificate_ends_the_handshake(
    pki: Pki, contexts: ServerTlsContexts, kind: str, version: str
) -> None:
    options, code = KINDS[kind]
    issued = pki.leaf("mail.contoso.com", **options)  # type: ignore[arg-type]
    server = established(contexts, BareClient(issued, version=VERSIONS[version]))
    evidence = server.evidence(NOW)
    assert evidence.protocol == version
    assert evidence.certificate and evidence.certificate.leaf.sha256 == issued.sha256
    assert tuple(each.der for each in evidence.certificate.chain) == issued.chain
    if code is None:
        assert isinstance(evidence.certificate, VerifiedCertificate)
    else:
        assert isinstance(evidence.certificate, PresentedCertificate)
        assert evidence.certificate.errors[0].code == code


@pytest.mark.parametrize("version", VERSIONS)
def test_a_missing_intermediate_and_a_stranger_are_evidence_too(
    pki: Pki, stranger: Pki, contexts: ServerTlsContexts, version: str
) -> None:
    above = x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(pki.root.certificate.subject)], 1)
    own = pki.leaf("mail.contoso.com", authority_key_id=False, extensions=((above, False),))
    for issued, missing in ((own, True), (stranger.leaf("mail.contoso.com"), False)):
        sent = issued.certificate_file if missing else issued.chain_file
        client = BareClient(issued, chain_file=sent, version=VERSIONS[version])
        certificate = established(contexts, client).evidence(NOW).certificate
        assert isinstance(certificate, PresentedCertificate)
        assert (certificate.errors[0].code, certificate.missing_intermediate) == (20, missing)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_curve_beyond_the_common_ones_does_not_end_the_handshake(
    pki: Pki, contexts: ServerTlsContexts, version: str
) -> None:
    issued = pki.leaf("mail.contoso.com", key="brainpool")
    groups = b"X25519:P-256:brainpoolP256r1"
    established(contexts, BareClient(issued, version=VERSIONS[version], groups=groups))


@pytest.mark.parametrize("version", VERSIONS)
def test_without_certificate_there_is_none_in_the_evidence(contexts: ServerTlsContexts, version: str) -> None:
    evidence = established(contexts, BareClient(version=VERSIONS[version])).evidence(NOW)
    assert evidence.certificate is None
    assert evidence.protocol == version
    assert evidence.cipher and evidence.cipher_bits >= 128
    assert evidence.server_name is None


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (None, "TLS_AES_128_GCM_SHA256"),
        (b"TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
        (b"TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
        (b"TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"),
    ],
)
def test_the_order_of_the_suites_is_the_servers(
    contexts: ServerTlsContexts, offered: bytes | None, chosen: str
) -> None:
    client = BareClient(version=SSL.TLS1_3_VERSION, suites=offered)
    assert established(contexts, client).evidence(NOW).cipher == chosen


def test_the_name_that_was_asked_for_is_evidence(contexts: ServerTlsContexts) -> None:
    server = established(contexts, BareClient(server_name="elsewhere.example.net"))
    assert server.evidence(NOW).server_name == "elsewhere.example.net"


def test_a_chain_of_a_hundred_is_kept_in_part_and_said_so(pki: Pki, contexts: ServerTlsContexts, stranger: Pki) -> None:
    def certificate(house: Pki) -> ClientCertificate | None:
        leaf = house.leaf("mail.contoso.com")
        chain = house.bundle("hundred.pem", leaf, house.intermediate, *[stranger.root] * 98)
        return established(contexts, BareClient(leaf, chain_file=chain)).evidence(NOW).certificate

    good, bad = certificate(pki), certificate(stranger)
    assert isinstance(good, VerifiedCertificate)
    assert len(good.chain) == MOST_CERTIFICATES
    assert isinstance(bad, PresentedCertificate)
    assert bad.errors[-1].text == "only the first 20 of 100 certificates were looked at"


def test_every_connection_is_a_full_handshake(pki: Pki, contexts: ServerTlsContexts) -> None:
    """A resumed one would not carry the chain."""
    issued = pki.leaf("mail.contoso.com")
    for version in VERSIONS.values():
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(version)
        context.use_certificate_chain_file(str(issued.chain_file))
        context.use_privatekey_file(str(issued.key_file))
        session = None
        for _ in range(2):
            client = BareClient()
            client.connection = SSL.Connection(context, None)
            client.connection.set_connect_state()
            if session:
                client.connection.set_session(session)
            client.feed(b"")
            evidence = established(contexts, client).evidence(NOW)
            assert evidence.certificate and len(evidence.certificate.chain) == 2
            session = client.connection.get_session()


def test_octets_pass_both_ways_however_they_are_cut(contexts: ServerTlsContexts) -> None:
    client, server = BareClient(), contexts.accept()
    join(client, server, cut=7)
    assert server.established
    content = os.urandom(200_000)
    client.connection.sendall(content)
    server.write(content)
    assert join(client, server, cut=1000) == (content, content)


def test_what_comes_with_the_end_of_the_handshake_is_not_lost(contexts: ServerTlsContexts) -> None:
    client, server = BareClient(), contexts.accept()
    server.feed(client.take_ciphertext())
    client.feed(server.take_ciphertext())
    assert client.established
    client.connection.sendall(b"EHLO mail.contoso.com\r\n")
    assert server.feed(client.take_ciphertext()) == b"EHLO mail.contoso.com\r\n"


def test_a_goodbye_ends_the_session_and_is_answered(contexts: ServerTlsContexts) -> None:
    client = BareClient()
    server = established(contexts, client)
    client.connection.shutdown()
    server.feed(client.take_ciphertext())
    assert server.ended and server.failure is None
    server.close()
    client.feed(server.take_ciphertext())
    assert client.failure == "ZeroReturnError()"
    server.write(b"too late")
    server.close()
    assert server.take_ciphertext() == b"" and server.failure is None


@pytest.mark.parametrize(
    "octets", [b"EHLO contoso.com\r\n" * 4, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05aaaaa"]
)
def test_what_is_no_handshake_is_a_failure_with_its_alert(contexts: ServerTlsContexts, octets: bytes) -> None:
    server = contexts.accept()
    assert server.feed(octets) == b""
    assert server.failure and not server.established
    alert = server.take_ciphertext()
    assert alert[:1] in (b"\x15", b"")
    assert server.feed(b"more") == b""
    server.write(b"x")
    server.close()
    assert server.take_ciphertext() == b""


def test_a_client_too_old_is_told_by_alert(contexts: ServerTlsContexts) -> None:
    # ClientHello of TLS 1.0 with one cipher suite.
    hello = b"\x01\x00\x00\x2d\x03\x01" + bytes(32) + b"\x00\x00\x02\x00\x2f\x01\x00" + b"\x00\x00"
    hello = b"\x01" + (len(hello) - 4).to_bytes(3, "big") + hello[4:]
    server = contexts.accept()
    server.feed(b"\x16\x03\x01" + len(hello).to_bytes(2, "big") + hello)
    assert server.failure == "unsupported protocol"
    assert server.take_ciphertext()[:1] == b"\x15"


def test_a_broken_record_in_mid_session_is_a_failure(contexts: ServerTlsContexts) -> None:
    client = BareClient()
    server = established(contexts, client)
    client.connection.sendall(b"MAIL FROM:<>\r\n")
    record = bytearray(client.take_ciphertext())
    record[-1] ^= 1
    assert server.feed(bytes(record)) == b""
    assert server.failure
    assert server.take_ciphertext()


@pytest.mark.soak
@settings(
    max_examples=rounds(25, large=1200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_mutilated_handshake_never_throws(contexts: ServerTlsContexts, data: st.DataObject) -> None:
    client, server = BareClient(), contexts.accept()
    for _ in range(2):
        flight = bytearray(client.take_ciphertext())
        if flight and data.draw(st.booleans()):
            for position in data.draw(st.lists(st.integers(0, len(flight) - 1), min_size=1, max_size=4)):
                flight[position] = data.draw(st.integers(0, 255))
        server.feed(bytes(flight))
        client.feed(server.take_ciphertext())
    assert server.failure is None or not server.feed(b"x")


# Several certificates, and new ones.


def shown(contexts: ServerTlsContexts, server_name: str | None) -> str:
    client = BareClient(server_name=server_name)
    established(contexts, client)
    certificate = client.connection.get_peer_certificate(as_cryptography=True)
    assert certificate
    return certificate.subject.rfc4514_string()


def test_the_name_asked_for_chooses_the_certificate(pki: Pki, judge: Judge) -> None:
    issued = [pki.leaf(name) for name in ("relay.example.net", "mx.example.org", "*.example.com")]
    contexts = ServerTlsContexts([(each.chain_file, each.key_file) for each in issued], judge)
    assert shown(contexts, None) == "CN=relay.example.net"
    assert shown(contexts, "MX.example.org") == "CN=mx.example.org"
    assert shown(contexts, "a.example.com") == "CN=*.example.com"
    assert shown(contexts, "b.a.example.com") == "CN=relay.example.net"
    assert shown(contexts, "unknown.example") == "CN=relay.example.net"


def test_a_client_certificate_is_asked_for_whichever_certificate_was_chosen(pki: Pki, judge: Judge) -> None:
    issued = [pki.leaf(name) for name in ("relay.example.net", "mx.example.org")]
    contexts = ServerTlsContexts([(each.chain_file, each.key_file) for each in issued], judge)
    client = BareClient(pki.self_signed("mail.contoso.com"), server_name="mx.example.org")
    assert isinstance(established(contexts, client).evidence(NOW).certificate, PresentedCertificate)


@pytest.fixture
def live(pki: Pki, tmp_path: Path) -> tuple[Path, Path]:
    return install(pki.leaf("one.example.net"), tmp_path / "server.pem", tmp_path / "server.key")


def install(issued: Issued, certificate: Path, key: Path) -> tuple[Path, Path]:
    for source, target in ((issued.chain_file, certificate), (issued.key_file, key)):
        shutil.copy(source, target.with_suffix(".new"))
        target.with_suffix(".new").replace(target)
    return certificate, key


def test_new_files_are_taken_up_and_open_sessions_go_on(pki: Pki, judge: Judge, live: tuple[Path, Path]) -> None:
    taken_up: list[str] = []
    contexts = ServerTlsContexts([live], judge, lambda leaf: taken_up.append(leaf.subject))
    assert shown(contexts, None) == "CN=one.example.net" and not taken_up
    client = BareClient()
    server = established(contexts, client)
    waiting_client, waiting = BareClient(), contexts.accept()
    install(pki.leaf("two.example.net"), *live)
    assert contexts.refresh() is None
    assert shown(contexts, None) == "CN=two.example.net"
    assert taken_up == ["CN=two.example.net"]
    join(waiting_client, waiting)
    assert waiting.established
    client.connection.sendall(b"NOOP\r\n")
    assert server.feed(client.take_ciphertext()) == b"NOOP\r\n"


def test_bad_new_files_leave_the_old_certificate_and_are_told_once(
    pki: Pki, judge: Judge, live: tuple[Path, Path]
) -> None:
    contexts = ServerTlsContexts([live], judge)
    other = pki.leaf("two.example.net")
    live[0].write_text(other.chain_file.read_text())
    problem = contexts.refresh()
    assert problem and "does not belong to the certificate" in problem and "\n" not in problem
    assert contexts.refresh() is None
    assert shown(contexts, None) == "CN=one.example.net"
    live[1].write_text(other.key_file.read_text())
    assert contexts.refresh() is None
    assert shown(contexts, None) == "CN=two.example.net"
    live[1].unlink()
    assert "cannot be read" in (contexts.refresh() or "")
    assert shown(contexts, None) == "CN=two.example.net"


def test_bad_files_at_the_start_are_refused(judge: Judge, live: tuple[Path, Path]) -> None:
    with pytest.raises(CredentialError):
        ServerTlsContexts([(live[0], live[0])], judge)


# The real thing.


class EchoServer:
    """Serves implicit TLS on a real socket; every connection's evidence is kept."""

    def __init__(self, contexts: ServerTlsContexts) -> None:
        self.contexts = contexts
        self.sessions: list[ServerTlsSession] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        session = self.contexts.accept()
        self.sessions.append(session)
        while not session.ended and session.failure is None and (octets := connection.recv(65536)):
            session.write(session.feed(octets).upper())
            connection.sendall(session.take_ciphertext())


@pytest.fixture
def echo(contexts: ServerTlsContexts) -> Iterator[EchoServer]:
    server = EchoServer(contexts)
    yield server
    server.socket.close()


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl command on this machine")
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("kind", [None, "good", "expired", "self-signed", "RSA", "unreadable names"])
def test_the_openssl_command_gets_through_with_any_certificate(
    pki: Pki, echo: EchoServer, kind: str | None, version: str
) -> None:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{echo.port}", version, "-quiet", "-no_ign_eof"]
    if kind:
        issued = pki.leaf("mail.contoso.com", **KINDS[kind][0])  # type: ignore[arg-type]
        command += ["-cert", issued.certificate_file, "-cert_chain", issued.chain_file, "-key", issued.key_file]  # type: ignore[list-item]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        assert client.stdin and client.stdout
        client.stdin.write(b"hello\n")
        client.stdin.flush()
        assert client.stdout.readline() == b"HELLO\n"
        client.stdin.close()
        client.wait(10)
    (session,) = echo.sessions
    certificate = session.evidence(NOW).certificate
    assert (certificate is not None) is (kind is not None)
    if kind:
        expected = PresentedCertificate if KINDS[kind][1] else VerifiedCertificate
        assert isinstance(certificate, expected)


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl command on this machine")
def test_no_authorities_are_named_so_that_nobody_holds_a_certificate_back(echo: EchoServer) -> None:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{echo.port}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    assert b"No client certificate CA names sent" in done.stdout
    assert b"Reused" not in done.stdout
