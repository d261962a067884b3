import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from OpenSSL import SSL

from gatepost.net.judgement import Judge
from gatepost.net.tls_client import ClientTlsContexts, ClientTlsSession
from gatepost.net.tls_server import ServerTlsContexts, ServerTlsSession
from pki import Issued, Pki
from tls_wire import join

NOW = datetime.now(UTC)
YESTERDAY = NOW - timedelta(days=1)


@pytest.fixture(scope="module")
def judge(pki: Pki) -> Judge:
    return Judge(pki.roots_file, required_purpose="serverAuth")


@pytest.fixture
def contexts(judge: Judge) -> ClientTlsContexts:
    return ClientTlsContexts(judge)


@pytest.fixture(scope="module")
def server(pki: Pki) -> ServerTlsContexts:
    return serving(pki, pki.leaf("mx.contoso.com"))


@pytest.fixture(scope="module")
def own(pki: Pki) -> Issued:
    return pki.leaf("relay.example.net")


def serving(pki: Pki, issued: Issued, *, alone: bool = False) -> ServerTlsContexts:
    file = issued.certificate_file if alone else issued.chain_file
    return ServerTlsContexts([(file, issued.key_file)], Judge(pki.roots_file))


def connected(
    contexts: ClientTlsContexts, server: ServerTlsContexts, own: Issued | None = None, name: str = "mx.contoso.com"
) -> tuple[ClientTlsSession, ServerTlsSession]:
    files = (str(own.chain_file), str(own.key_file)) if own else (None, None)
    client, accepted = contexts.connect(name, *files), server.accept()
    join(client, accepted)
    assert client.established and accepted.established
    return client, accepted


class BareServer:
    """A server with nothing of Gatepost in it, which may ask for no certificate."""

    def __init__(self, issued: Issued, version: int, asks: bool) -> None:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_max_proto_version(version)
        context.use_certificate_chain_file(str(issued.chain_file))
        context.use_privatekey_file(str(issued.key_file))
        if asks:
            context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        self.connection = SSL.Connection(context, None)
        self.connection.set_accept_state()

    def meet(self, client: ClientTlsSession) -> None:
        for _ in range(4):
            if octets := client.take_ciphertext():
                self.connection.bio_write(octets)
            with suppress(SSL.WantReadError):
                self.connection.recv(1)
            with suppress(SSL.WantReadError):
                client.feed(self.connection.bio_read(65536))


VERSIONS = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize("holds", [True, False])
def test_it_is_known_whether_the_certificate_was_asked_for_and_sent(
    contexts: ClientTlsContexts, own: Issued, pki: Pki, version: str, asks: bool, holds: bool
) -> None:
    server = BareServer(pki.leaf("mx.contoso.com"), VERSIONS[version], asks)
    client = contexts.connect("mx.contoso.com", *((str(own.chain_file), str(own.key_file)) if holds else (None, None)))
    server.meet(client)
    assert client.established and client.protocol == version
    assert client.certificate_requested is asks
    assert client.certificate_sent is (asks and holds)
    sent = server.connection.get_peer_certificate()
    assert (sent is not None) is client.certificate_sent
    assert (client.own_certificate.sha256 if client.own_certificate else None) == (own.sha256 if holds else None)


def test_the_server_sees_the_whole_chain_of_the_send_connector(
    contexts: ClientTlsContexts, server: ServerTlsContexts, own: Issued
) -> None:
    client, accepted = connected(contexts, server, own)
    certificate = accepted.evidence(NOW).certificate
    assert certificate and tuple(each.der for each in certificate.chain) == own.chain
    assert accepted.evidence(NOW).server_name == "mx.contoso.com"
    assert client.cipher and client.cipher_bits >= 128


def test_the_peer_s_chain_is_what_it_presented(
    contexts: ClientTlsContexts, server: ServerTlsContexts, pki: Pki
) -> None:
    client, _ = connected(contexts, server)
    assert [each.subject for each in client.peer_chain] == ["CN=mx.contoso.com", "CN=Test Intermediate CA"]


def test_octets_pass_both_ways_and_goodbye_is_said(contexts: ClientTlsContexts, server: ServerTlsContexts) -> None:
    client, accepted = connected(contexts, server)
    content = os.urandom(100_000)
    client.write(content)
    accepted.write(content)
    assert join(client, accepted) == (content, content)
    client.close()
    join(client, accepted)
    assert accepted.ended and accepted.failure is None


@pytest.mark.parametrize("name", ["192.0.2.1", "2001:db8::1", "müller.example", ""])
def test_what_is_no_host_name_is_not_indicated(
    contexts: ClientTlsContexts, server: ServerTlsContexts, name: str
) -> None:
    _, accepted = connected(contexts, server, name=name)
    assert accepted.evidence(NOW).server_name is None


def test_a_trailing_dot_is_not_indicated(contexts: ClientTlsContexts, server: ServerTlsContexts) -> None:
    _, accepted = connected(contexts, server, name="mx.contoso.com.")
    assert accepted.evidence(NOW).server_name == "mx.contoso.com"


def problem(pki: Pki, contexts: ClientTlsContexts, issued: Issued, *names: str, alone: bool = False) -> str | None:
    client, _ = connected(contexts, serving(pki, issued, alone=alone))
    return client.problem_with_host(names, NOW)


def test_a_certificate_proves_the_names_it_carries(pki: Pki, contexts: ClientTlsContexts) -> None:
    issued = pki.leaf("mx.contoso.com", names=("mx.contoso.com", "*.contoso.net"))
    assert problem(pki, contexts, issued, "MX.contoso.com") is None
    assert problem(pki, contexts, issued, "other.example", "a.contoso.net.") is None
    said = problem(pki, contexts, issued, "contoso.net", "a.b.contoso.net")
    assert (
        said == "the server's certificate is for mx.contoso.com, *.contoso.net, not for contoso.net or a.b.contoso.net"
    )


def test_an_address_is_proven_by_an_address_only(pki: Pki, contexts: ClientTlsContexts) -> None:
    san = x509.SubjectAlternativeName([x509.IPAddress(ip_address("192.0.2.1"))])
    issued = pki.leaf("mx.contoso.com", names=(), extensions=((san, False),))
    assert problem(pki, contexts, issued, "192.0.2.1") is None
    assert problem(pki, contexts, issued, "192.0.2.2") is not None


def test_a_common_name_alone_proves_no_host(pki: Pki, contexts: ClientTlsContexts) -> None:
    said = problem(pki, contexts, pki.leaf("mx.contoso.com", names=()), "mx.contoso.com")
    assert said == "the server's certificate is for no DNS name, not for mx.contoso.com"


def test_what_did_not_verify_proves_nothing(pki: Pki, contexts: ClientTlsContexts, stranger: Pki) -> None:
    name = "mx.contoso.com"
    clients_only = pki.leaf(name, purposes=("clientAuth",))
    cases = {
        "it is self-signed": problem(pki, contexts, pki.self_signed(name), name),
        "it expired on": problem(pki, contexts, pki.leaf(name, not_after=YESTERDAY), name),
        "neither trusted here nor was it sent": problem(pki, contexts, stranger.leaf(name), name),
        "it is for clientAuth, not for serverAuth": problem(pki, contexts, clients_only, name),
        "its issuer CN=Test Intermediate CA": problem(pki, contexts, pki.leaf(name), name, alone=True),
    }
    for expected, said in cases.items():
        assert said and expected in said and "CN=mx.contoso.com did not verify" in said, said


def test_a_session_before_its_handshake_has_no_chain_and_proves_nothing(contexts: ClientTlsContexts) -> None:
    client = contexts.connect("mx.contoso.com", None, None)
    assert client.take_ciphertext()
    assert client.peer_chain == () and client.protocol == ""
    assert client.problem_with_host(("mx.contoso.com",), NOW) == "the server presented no certificate"


def test_a_certificate_that_cannot_be_loaded_is_a_failure_from_the_start(
    contexts: ClientTlsContexts, own: Issued
) -> None:
    client = contexts.connect("mx.contoso.com", "/nowhere/x.pem", str(own.key_file))
    assert client.failure == "certificate file /nowhere/x.pem cannot be read: No such file or directory"
    assert client.take_ciphertext() == b"" and client.feed(b"x") == b"" and not client.established


def test_certificate_and_key_may_be_in_one_file(
    contexts: ClientTlsContexts, server: ServerTlsContexts, own: Issued, tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(own.chain_file.read_bytes() + own.key_file.read_bytes())
    client, accepted = contexts.connect("mx.contoso.com", str(both), None), server.accept()
    join(client, accepted)
    assert client.certificate_sent


def test_a_new_certificate_is_taken_up_and_a_bad_one_is_told_and_left(
    pki: Pki, contexts: ClientTlsContexts, server: ServerTlsContexts, own: Issued, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "own.pem", tmp_path / "own.key"

    def install(issued: Issued) -> None:
        certificate.write_bytes(issued.chain_file.read_bytes())
        key.write_bytes(issued.key_file.read_bytes())

    def sent() -> str | None:
        client = contexts.connect("mx.contoso.com", str(certificate), str(key))
        join(client, server.accept())
        return client.own_certificate.sha256 if client.certificate_sent and client.own_certificate else None

    install(own)
    assert sent() == own.sha256
    renewed = pki.leaf("relay.example.net")
    install(renewed)
    assert sent() == renewed.sha256
    key.write_text("nothing")
    assert sent() == sent() == renewed.sha256
    told = contexts.refresh()
    assert told and "holds no private key" in told and "stays in use" in told
    assert contexts.refresh() is None
    key.unlink()
    assert "cannot be read" in (contexts.refresh() or "")
    assert sent() == renewed.sha256


def test_a_session_knows_that_its_certificate_was_renewed(
    pki: Pki, server: ServerTlsContexts, judge: Judge, own: Issued, tmp_path: Path
) -> None:
    taken_up: list[str] = []
    contexts = ClientTlsContexts(judge, lambda leaf: taken_up.append(leaf.sha256))
    certificate, key = tmp_path / "own.pem", tmp_path / "own.key"

    def install(issued: Issued) -> None:
        certificate.write_bytes(issued.chain_file.read_bytes())
        key.write_bytes(issued.key_file.read_bytes())

    install(own)
    before = contexts.connect("mx.contoso.com", str(certificate), str(key))
    join(before, server.accept())
    install(own)
    assert contexts.refresh() is None
    assert not before.superseded and not taken_up, "the same certificate was written again"
    renewed = pki.leaf("relay.example.net")
    install(renewed)
    assert contexts.refresh() is None
    assert before.superseded and taken_up == [renewed.sha256]
    assert before.own_certificate and before.own_certificate.sha256 == own.sha256
    assert not contexts.connect("mx.contoso.com", str(certificate), str(key)).superseded


def test_what_is_no_tls_server_is_a_failure(contexts: ClientTlsContexts) -> None:
    client = contexts.connect("mx.contoso.com", None, None)
    assert client.feed(b"220 mx.contoso.com ESMTP\r\n") == b""
    assert client.failure and not client.established


def test_of_a_certificate_with_very_many_names_a_few_are_told(pki: Pki, contexts: ClientTlsContexts) -> None:
    many = pki.leaf("host0.contoso.com", names=tuple(f"host{n}.contoso.com" for n in range(400)))
    said = problem(pki, contexts, many, "mx.fabrikam.com")
    assert said
    assert "host4.contoso.com and 395 more, not for mx.fabrikam.com" in said


def test_a_wildcard_asked_for_is_proven_by_that_wildcard_and_by_every_name_it_covers(
    pki: Pki, contexts: ClientTlsContexts
) -> None:
    for named in ("*.tls.example", "mx.tls.example", "a.b.tls.example", "*.b.tls.example", "tls.example"):
        issued = pki.leaf(named, names=(named,))
        assert problem(pki, contexts, issued, "*.tls.example") is None, named
        assert problem(pki, contexts, issued, "*.TLS.example.") is None, named
    for named in ("*.example", "mx.nottls.example", "tls.example.evil.example", "tls"):
        said = problem(pki, contexts, pki.leaf(named, names=(named,)), "*.tls.example")
        assert said == f"the server's certificate is for {named}, not for a name that *.tls.example covers"


def test_an_internationalised_name_is_proven_in_either_spelling(pki: Pki, contexts: ClientTlsContexts) -> None:
    issued = pki.leaf("mx", names=("xn--bcher-kva.example", "*.xn--bcher-kva.example"))
    for asked in (
        "xn--bcher-kva.example",
        "bücher.example",
        "BÜCHER.example.",
        "*.bücher.example",
        "mx.bücher.example",
    ):
        assert problem(pki, contexts, issued, asked) is None, asked


def test_a_certificate_for_an_address_needs_that_address(pki: Pki, contexts: ClientTlsContexts) -> None:
    san = x509.SubjectAlternativeName([x509.IPAddress(ip_address("2001:db8::1")), x509.DNSName("*.contoso.com")])
    issued = pki.leaf("mx.contoso.com", names=(), extensions=((san, False),))
    assert problem(pki, contexts, issued, "2001:DB8:0::1") is None
    assert problem(pki, contexts, issued, "[2001:db8::1]") is None
    assert problem(pki, contexts, issued, "[2001:db8::2]") is not None
