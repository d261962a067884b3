"""Strangers hold connections to the Management API, say nothing, or drip; everybody else comes in all the same."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from attacks.api_peer import answer_in, everything, head, is_closed, secured, stranger
from end_to_end.api_client import Api, token_for
from end_to_end.installation import Installation, wait_until

SETTINGS = 'operators = ["127.9.0.0/24"]'
IMPATIENT = """
[api.limits]
hello_timeout = "3s"
request_timeout = "3s"
idle_timeout = "3s"
"""


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    relay = Installation(tmp_path_factory.mktemp("relay"), api=True, workers=1, tables=SETTINGS)
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
    with relay.serving():
        yield relay
        assert "bug" not in relay.output and "rror" not in relay.output


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    relay = Installation(tmp_path_factory.mktemp("impatient"), api=True, workers=1, tables=IMPATIENT)
    relay.init()
    relay("tenant", "add", "contoso")
    with relay.serving():
        yield relay


def status_from(relay: Installation, token: str, address: str) -> int:
    with secured(relay, address) as sock:
        sock.sendall(head(token, "GET /v1/whoami", "Connection: close") + b"\r\n")
        return answer_in(everything(sock))[0]


def test_silent_connections_of_one_stranger_lock_nobody_out(relay: Installation) -> None:
    tokens = [token_for(relay, "--tenant", "fabrikam"), token_for(relay, "--operator")]
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(secured(relay))
        for token in tokens:
            with Api(relay, token) as api:
                assert api.get("/v1/whoami").status_code == 200
        for token in tokens:
            assert status_from(relay, token, "127.0.7.1") == 200


def test_connections_kept_after_a_refusal_lock_nobody_out(relay: Installation) -> None:
    token = token_for(relay, "--tenant", "fabrikam")
    with ExitStack() as stack:
        for _ in range(200):
            sock = stack.enter_context(secured(relay))
            sock.sendall(head(None) + b"\r\n")
            assert sock.recv(12) == b"HTTP/1.1 401"
        with Api(relay, token) as api:
            assert api.get("/v1/whoami").status_code == 200


@pytest.mark.parametrize("before_the_handshake", [True, False])
def test_a_connection_that_says_nothing_is_ended(impatient: Installation, before_the_handshake: bool) -> None:
    with stranger(impatient) if before_the_handshake else secured(impatient) as sock:
        assert is_closed(sock)


def test_a_hello_that_never_ends_is_ended(impatient: Installation) -> None:
    with stranger(impatient) as sock:
        sock.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert is_closed(sock)


@pytest.mark.parametrize("which", ["first", "second"])
def test_a_head_that_drips_is_ended(impatient: Installation, which: str) -> None:
    """By the count of its octets: it never says all of them."""
    token = token_for(impatient, "--tenant", "contoso")
    with secured(impatient) as sock:
        if which == "second":
            sock.sendall(head(token) + b"\r\n")
            assert sock.recv(12) == b"HTTP/1.1 200"
            while sock.recv(65536)[-1:] != b"}":
                pass
        sock.settimeout(0.2)
        sent = 0
        try:
            for octet in head(token) + b"X: " + b"x" * 400:
                sock.sendall(bytes([octet]))
                sent += 1
                if is_closed(sock):
                    break
        except OSError:
            pass
        assert sent < 300


def test_bodies_that_drip_hold_back_their_own_tenant_alone(relay: Installation) -> None:
    greedy = [token_for(relay, "--tenant", "contoso") for _ in range(3)]
    tokens = [token_for(relay, "--tenant", "fabrikam"), token_for(relay, "--operator")]
    path = "PUT /v1/tenants/contoso/domains/x.example"
    with ExitStack() as stack:
        socks = [stack.enter_context(secured(relay, f"127.0.{number}.1")) for number in range(64)]
        for number, sock in enumerate(socks):
            sock.sendall(head(greedy[number % 3], path, "Content-Length: 100000") + b"\r\n{")
        for token in tokens:
            assert status_from(relay, token, "127.0.99.1") == 200
        said = [answer_in(everything(sock)) for sock in socks]
        assert sorted({(status, body["error"]["code"]) for status, body in said}) == [
            (408, "request-timeout"),
            (429, "too-many-requests"),
        ]
        # Of one token 8, of the tenant 16.
        assert sum(status == 408 for status, _ in said) == 16


@pytest.mark.attack
def test_an_answer_that_nobody_takes_is_not_kept(relay: Installation) -> None:
    token = token_for(relay, "--tenant", "contoso")
    with ExitStack() as stack:
        socks = [stack.enter_context(secured(relay, f"127.1.{number}.1")) for number in range(4)]
        for sock in socks:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.sendall((head(token, "GET /v1/openapi.json") + b"\r\n") * 200)
        with Api(relay, token) as api:
            assert api.get("/v1/whoami").status_code == 200

        def given_up() -> bool:
            return _connections(relay) == 0

        wait_until(given_up, "the connections to be given up", patience_s=90)


def test_a_thousand_requests_in_one_packet_are_answered_in_order(relay: Installation) -> None:
    token = token_for(relay, "--tenant", "contoso")
    with secured(relay) as sock:
        last = head(token, "GET /v1/nothing", "Connection: close") + b"\r\n"
        sock.sendall((head(token) + b"\r\n") * 200 + last)
        said = everything(sock)
    assert said.count(b"HTTP/1.1 200") == 200 and said.rindex(b"HTTP/1.1 404") > said.rindex(b"HTTP/1.1 200")


def test_a_client_cannot_shake_hands_again(relay: Installation) -> None:
    from OpenSSL import SSL

    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    with stranger(relay) as plain:
        plain.settimeout(None)
        connection = SSL.Connection(context, plain)
        connection.set_connect_state()
        connection.do_handshake()
        connection.renegotiate()
        with pytest.raises(SSL.Error):
            connection.do_handshake()
            connection.send(head(None) + b"\r\n")
            connection.recv(1)


@pytest.mark.attack
@pytest.mark.parametrize("number", [3_000, 6_764])
def test_sockets_before_the_hello_cost_nothing(relay: Installation, number: int) -> None:
    before = _memory_mib(relay)
    _allow_files(number + 500)
    with ExitStack() as stack:
        for count in range(number):
            stack.enter_context(stranger(relay, f"127.{2 + count % 5}.{count // 5 % 250}.{1 + count // 1250}"))
        wait_until(lambda: _connections(relay) <= 512 + 32, "the connections beyond the limit to be given up")
        grown = _memory_mib(relay) - before
        print(f"{number} sockets: {before:.1f} MiB and {grown:.1f} more, {_connections(relay)} kept")
        assert grown < 30
        with Api(relay, token_for(relay, "--operator")) as api:
            assert api.get("/v1/whoami").status_code == 200


@pytest.mark.attack
def test_ten_thousand_strangers_leave_room_for_operators(tmp_path: Path) -> None:
    """Connections come on and on, each network's but few: only those known by their address are sure of a place."""
    relay = Installation(tmp_path / "relay", api=True, workers=1, tables=SETTINGS)
    relay.init()
    relay("tenant", "add", "fabrikam")
    token = token_for(relay, "--operator")
    _allow_files(11_000)
    with relay.serving(), ExitStack() as stack:
        for count in range(10_000):
            stack.enter_context(stranger(relay, f"127.{10 + count % 100}.{count // 100}.1"))
            if count % 1000 == 0:
                assert status_from(relay, token, "127.9.0.1") == 200
        assert status_from(relay, token, "127.9.0.1") == 200
        # The network of a tenant has fewer than any other.
        assert status_from(relay, token_for(relay, "--tenant", "fabrikam"), "127.8.0.1") == 200
        assert _connections(relay) <= 512 + 32
        print(f"10,000 sockets: {_memory_mib(relay):.1f} MiB, {_connections(relay)} kept")


@pytest.mark.attack
def test_as_many_handshakes_as_there_are_places_cost_little(relay: Installation) -> None:
    before = _memory_mib(relay)
    _allow_files(2_000)
    with ExitStack() as stack:
        for count in range(700):
            stack.enter_context(secured(relay, f"127.3.{count // 3}.{1 + count % 3}"))
        grown = _memory_mib(relay) - before
        print(f"700 handshakes: {grown:.1f} MiB, {_connections(relay)} kept")
        assert grown < 200


def _allow_files(number: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(number + 500, hard), hard))


def _api_pid(relay: Installation) -> int:
    return relay.worker_pids()[-1]


def _memory_mib(relay: Installation) -> float:
    status = Path(f"/proc/{_api_pid(relay)}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def _connections(relay: Installation) -> int:
    """Sockets of the API's process beside those it listens on and works with."""
    port = f"{relay.port_of('api'):04X}"
    own = {
        found[len("socket:[") : -1]
        for each in Path(f"/proc/{_api_pid(relay)}/fd").iterdir()
        if (found := _target(each)).startswith("socket:[")
    }
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(port) and row[3] != "0A" and row[9] in own for row in rows)


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""
