"""Gatepost delivers to real mail servers: in chunks and with DATA, under TLS and without."""

import smtplib
import ssl

import pytest
from messages import assert_same, awkward, large
from receivers import WAYS, EximReceiver, PostfixReceiver
from world import World

Receiver = PostfixReceiver | EximReceiver


@pytest.fixture(params=["postfix", "exim"])
def receiver(request: pytest.FixtureRequest) -> Receiver:
    found: Receiver = request.getfixturevalue(f"{request.param}_receiver")
    return found


@pytest.mark.parametrize("make", [awkward, large])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_delivered_arrives_octet_for_octet(world: World, receiver: Receiver, way: str, make) -> None:  # type: ignore[no-untyped-def]
    token = world.token(f"to-{receiver.name}")
    recipient, content = f"{token}@{token}.example.org", make(token)
    _connect(world, token, receiver.ports[way], "--tls", "encrypt" if way.endswith("tls") else "none")
    _send(world, recipient, content)
    assert_same(content, world.outside.wait_for(recipient).content)
    assert receiver.came_by(way, recipient) == _expected(way)


def _expected(way: str) -> set[str]:
    chunking, cover = way.split("-")
    return {chunking.upper()} | ({"TLS"} if cover == "tls" else set())


@pytest.mark.parametrize(
    "tls", [("opportunistic",), ("verify", "--tls-domain", "receiver.example.org")], ids=["opportunistic", "verify"]
)
def test_other_tls_levels_use_tls_where_it_is_offered(world: World, receiver: Receiver, tls: tuple[str, ...]) -> None:
    token = world.token(f"to-{receiver.name}")
    recipient, content = f"{token}@{token}.example.org", awkward(token)
    _connect(world, token, receiver.ports["bdat-tls"], "--tls", *tls)
    _send(world, recipient, content)
    assert_same(content, world.outside.wait_for(recipient).content)
    assert "TLS" in receiver.came_by("bdat-tls", recipient)


def test_the_certificate_of_a_connector_is_presented_there_and_only_there(
    world: World, postfix_receiver: PostfixReceiver
) -> None:
    shown, hidden = world.token("certificate"), world.token("no-certificate")
    port = postfix_receiver.ports["bdat-tls"]
    good = world.states["good"]
    _connect(world, shown, port, "--tls", "encrypt", "--certificate", str(good.chain), "--key", str(good.key))
    _connect(world, hidden, port, "--tls", "encrypt")
    for token in (shown, hidden):
        _send(world, f"{token}@{token}.example.org", awkward(token))
    with_certificate = world.outside.wait_for(f"{shown}@{shown}.example.org").content
    assert b'Client CN "mail.contoso.com"' in with_certificate and b"(verified OK)" in with_certificate
    without = world.outside.wait_for(f"{hidden}@{hidden}.example.org").content
    assert b"Client CN" not in without


def _connect(world: World, token: str, port: int, *tls: str) -> None:
    """A send connector for one domain, at run time."""
    space = ("--address-space", f"{token}.example.org;1", "--smart-host", f"127.0.0.1:{port}")
    world.relay.command("send-connector", "add", token, *space, *tls)


def _send(world: World, recipient: str, content: bytes) -> None:
    send_by(world, world.port, recipient, content)


def send_by(world: World, port: int, recipient: str, content: bytes) -> None:
    """By contoso's certificate, to a relay at `port`."""
    good = world.states["good"]
    assert good.chain and good.key
    context = ssl.create_default_context(cafile=str(world.pki.roots_file))
    context.check_hostname = False
    context.load_cert_chain(good.chain, good.key)
    with smtplib.SMTP("127.0.0.1", port, local_hostname="mail.contoso.com", timeout=60) as client:
        client.starttls(context=context)
        client.sendmail("alice@contoso.com", [recipient], content, mail_options=["BODY=8BITMIME"])
