"""Real mail servers and tools send through Gatepost in every certificate state.

What is accepted arrives octet for octet; what is refused is refused with the reason code of its state, in the notice
that the sender's own server writes to its user.
"""

import re
import subprocess
from collections.abc import Iterator

import pytest
from messages import assert_same, awkward, large
from peers import Room
from senders import PROTOCOLS, EximSender, OpenSmtpdSender, PostfixSender, Sender, Way, all_ways, send
from states import REASONS
from world import World

# OpenSMTPD keeps keys in a process that knows RSA and ECDSA only.
OPENSMTPD_STATES = [name for name in REASONS if name != "ed25519"]


@pytest.fixture(scope="module")
def postfix(world: World) -> Iterator[Sender]:
    yield from _running(PostfixSender(world.folder / "postfix", all_ways(world.states.values()), *_ports(world)))


@pytest.fixture(scope="module")
def exim(world: World) -> Iterator[Sender]:
    yield from _running(EximSender(world.folder / "exim", all_ways(world.states.values()), *_ports(world)))


@pytest.fixture(scope="module")
def opensmtpd(world: World) -> Iterator[Sender]:
    ways = [Way(state=world.states[name], protocol="tls13") for name in OPENSMTPD_STATES]
    yield from _running(OpenSmtpdSender(world.folder / "opensmtpd", ways, *_ports(world)))


def _ports(world: World) -> tuple[int, int]:
    return world.port, world.outside.port


def _running(sender: Sender) -> Iterator[Sender]:
    try:
        sender.start()
        yield sender
    finally:
        sender.stop()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("state", REASONS)
def test_postfix(world: World, postfix: Sender, state: str, protocol: str) -> None:
    _send_and_judge(world, postfix, "postfix", Way(state=world.states[state], protocol=protocol))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("state", REASONS)
def test_exim(world: World, exim: Sender, state: str, protocol: str) -> None:
    _send_and_judge(world, exim, "exim", Way(state=world.states[state], protocol=protocol))


@pytest.mark.parametrize("state", OPENSMTPD_STATES)
def test_opensmtpd(world: World, opensmtpd: Sender, state: str) -> None:
    _send_and_judge(world, opensmtpd, "opensmtpd", Way(state=world.states[state], protocol="tls13"))


def _send_and_judge(world: World, sender: Sender, name: str, way: Way) -> None:
    token = world.token(name)
    recipient, reverse_path, content = f"{token}@{way.domain}", f"{token}@contoso.com", awkward(token)
    send(sender, recipient, content, reverse_path=reverse_path)
    if way.state.refused_for is None:
        assert_same(content, world.outside.wait_for(recipient).content)
    else:
        notice = world.outside.wait_for(reverse_path).content.decode(errors="replace")
        assert_refusal(notice, way.state.refused_for)


def assert_refusal(text: str, reason: str) -> None:
    """Wherever lines were folded on the way."""
    flat = re.sub(r"\s+", " ", text)
    assert f"5.7.64 TenantAttribution; Relay Access Denied; {reason}" in flat, text


@pytest.mark.parametrize("peer", ["postfix", "exim", "opensmtpd"])
def test_a_large_message_arrives_octet_for_octet(world: World, request: pytest.FixtureRequest, peer: str) -> None:
    sender: Sender = request.getfixturevalue(peer)
    token = world.token(peer)
    recipient, content = f"{token}@good-tls13.example.net", large(token)
    send(sender, recipient, content, reverse_path="alice@contoso.com")
    assert_same(content, world.outside.wait_for(recipient).content)


# --- tools ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def swaks(world: World) -> Room:
    return Room("swaks", world.folder / "swaks", shows=[world.folder])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("state", REASONS)
def test_swaks(world: World, swaks: Room, state: str, protocol: str) -> None:
    # It presents the first certificate of the file and no more.
    way = Way(state=world.lone_states[state], protocol=protocol)
    token = world.token("swaks")
    recipient, content = f"{token}@{way.domain}", awkward(token)
    data = world.folder / f"{token}.eml"
    # It puts CRLF behind what it is given.
    data.write_bytes(_transparent(content).removesuffix(b"\r\n"))
    said = swaks.run(
        "swaks", "--server", f"127.0.0.1:{world.port}", "--helo", "swaks.contoso.com",
        "--from", "alice@contoso.com", "--to", recipient, "--no-data-fixup", "--data", f"@{data}",
        "--tls", "--tls-protocol", f"tlsv1_{way.protocol[-1]}", *_swaks_certificate(way),
        check=False,
    )  # fmt: skip
    _judge_tool(world, way, recipient, content, said)


def _swaks_certificate(way: Way) -> list[str]:
    if not way.state.chain:
        return []
    return ["--tls-cert", str(way.state.chain), "--tls-key", str(way.state.key)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("state", REASONS)
def test_openssl_s_client(world: World, state: str, protocol: str) -> None:
    way = Way(state=world.states[state], protocol=protocol)
    token = world.token("s-client")
    recipient, content = f"{token}@{way.domain}", awkward(token)
    said = _dialogue(_s_client(world, way), recipient, content)
    _judge_tool(world, way, recipient, content, said)


@pytest.mark.parametrize("state", [name for name, reason in REASONS.items() if reason])
def test_explain_beforehand_and_why_afterwards_say_what_the_peer_was_told(world: World, state: str) -> None:
    way = Way(state=world.states[state], protocol="tls13")
    token = world.token("why")
    recipient = f"{token}@{way.domain}"
    said = _dialogue(_s_client(world, way), recipient, awkward(token))
    session = re.search(r"([0-9A-F]{16})\]", said)
    assert session, said
    certificate = ("--certificate", str(way.state.chain)) if way.state.chain else ("--tls",)
    envelope = ("--mail-from", "alice@contoso.com", "--rcpt-to", recipient)
    beforehand = world.relay.answer("explain", "--address", "127.0.0.1", *certificate, *envelope, status=1)
    afterwards = world.relay.answer("why", session[1])
    for answer in (beforehand, afterwards):
        assert answer["outcome"] == "refused"
        assert_refusal(answer["reply"], str(way.state.refused_for))
    assert afterwards["session_id"] == session[1]
    assert afterwards["reply"] in " ".join(said.split())


def _s_client(world: World, way: Way) -> list[str]:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{world.port}", "-starttls", "smtp", "-quiet", "-crlf"]
    command.append(f"-tls1_{way.protocol[-1]}")
    if way.state.chain:
        command += ["-cert", str(way.state.chain), "-cert_chain", str(way.state.chain), "-key", str(way.state.key)]
    return command


def _dialogue(command: list[str], recipient: str, content: bytes) -> str:
    """What a person types, one line after each reply."""
    lines = [b"EHLO desk.contoso.com", b"MAIL FROM:<alice@contoso.com>", f"RCPT TO:<{recipient}>".encode(), b"DATA"]
    said = []
    # `-crlf` makes CRLF of each LF, so it is given lines that end in LF.
    text = _transparent(content).replace(b"\r\n", b"\n")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as client:
        assert client.stdin is not None and client.stdout is not None
        # It keeps the greeting and the replies to its own EHLO and STARTTLS to itself.
        for line in [*(line + b"\n" for line in lines), text]:
            client.stdin.write(line)
            client.stdin.flush()
            said.append(_reply(client.stdout))
            if not said[-1].startswith(("2", "3")):
                break
        client.stdin.write(b"QUIT\n")
        client.stdin.flush()
        client.stdin.close()
    return "".join(said)


def _reply(stream: "subprocess.IO[bytes]") -> str:  # type: ignore[name-defined]
    lines = []
    while line := stream.readline().decode(errors="replace"):
        lines.append(line)
        if line[3:4] != "-":
            break
    return "".join(lines)


def _transparent(content: bytes) -> bytes:
    """RFC 5321 4.5.2, with the final dot."""
    return re.sub(rb"(?m)^\.", b"..", content) + b".\r\n"


def _judge_tool(world: World, way: Way, recipient: str, content: bytes, said: str) -> None:
    if way.state.refused_for is None:
        assert "5.7.64" not in said
        assert_same(content, world.outside.wait_for(recipient).content)
    else:
        assert_refusal(said, way.state.refused_for)
