"""Whom the client trusts with its token, and what it says when it does not."""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from gatepost.net.api_client import ApiClient, ApiRefused, ApiUnreachable
from pki import Issued, Pki


class _Relay(BaseHTTPRequestHandler):
    seen: list[str | None] = []

    def do_GET(self) -> None:
        self.seen.append(self.headers["Authorization"])
        status, body = {
            "/ok": (200, b'{"tenant": "contoso"}'),
            "/no": (
                409,
                json.dumps({"error": {"code": "declined", "says": "no", "do": "ask", "field": None}}).encode(),
            ),
            "/web": (200, b"<html>"),
            "/moved": (302, b""),
            "/proxy": (502, b"bad gateway"),
            "/full": (503, b"Service Unavailable"),
        }[self.path]
        self.send_response(status)
        if status == 503:
            self.send_header("Retry-After", "7")
        if status == 302:
            self.send_header("Location", "/ok")
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(certificate: Issued, relay: type[_Relay] = _Relay) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain_file, certificate.key_file)
    server = HTTPServer(("127.0.0.1", 0), relay)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    _Relay.seen = []
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


def test_an_authority_in_the_file_vouches_for_the_relay(pki: Pki) -> None:
    with serving(pki.leaf("relay.example.net")) as url:
        answer = ApiClient(url, "gp_1", pki.roots_file).request("GET", "/ok")
    assert (answer.status, answer.body, answer.etag) == (200, {"tenant": "contoso"}, '"1"')
    assert _Relay.seen == ["Bearer gp_1"]


def test_the_relays_own_certificate_in_the_file_is_enough(pki: Pki) -> None:
    issued = pki.leaf("relay.example.net")
    with serving(issued) as url:
        assert ApiClient(url, "gp_1", issued.certificate_file).request("GET", "/ok").status == 200


def test_a_strangers_certificate_gets_no_token(pki: Pki, tmp_path: Path) -> None:
    stranger = Pki(tmp_path, name="Strange").leaf("relay.example.net")
    with serving(stranger) as url, pytest.raises(ApiUnreachable, match=r"is not trusted.*--relay-ca"):
        ApiClient(url, "gp_1", pki.roots_file).request("GET", "/ok")
    assert _Relay.seen == []


def test_another_name_than_that_of_the_certificate_gets_no_token(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    find = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: find("127.0.0.1", *rest, **more))
    with serving(pki.leaf("relay.example.net")) as url:
        named = url.replace("127.0.0.1", "other.example.net")
        with pytest.raises(ApiUnreachable, match="use the name in its certificate"):
            ApiClient(named, "gp_1", pki.roots_file).request("GET", "/ok")
        assert ApiClient(url.replace("127.0.0.1", "relay.example.net"), "gp_1", pki.roots_file).request("GET", "/ok")


@pytest.mark.parametrize(
    ("begins", "ends", "says"), [(-9, -1, "expired, or the clock"), (2, 9, "not valid yet: the clock")]
)
def test_a_wrong_clock_is_told_as_such(pki: Pki, begins: int, ends: int, says: str) -> None:
    now = datetime.now(UTC)
    issued = pki.leaf(
        "relay.example.net", not_before=now + timedelta(days=begins), not_after=now + timedelta(days=ends)
    )
    with serving(issued) as url, pytest.raises(ApiUnreachable, match=says):
        ApiClient(url, "gp_1", pki.roots_file).request("GET", "/ok")


def test_the_relays_no_is_told_with_its_code_and_what_to_do(pki: Pki) -> None:
    with serving(pki.leaf("relay.example.net")) as url, pytest.raises(ApiRefused) as refused:
        ApiClient(url, "gp_1", pki.roots_file).request("GET", "/no")
    assert (refused.value.status, refused.value.code, refused.value.says, refused.value.do) == (
        409,
        "declined",
        "no",
        "ask",
    )


@pytest.mark.parametrize("path", ["/web", "/proxy", "/moved"])
def test_what_is_no_management_api_is_told_and_not_followed(pki: Pki, path: str) -> None:
    with (
        serving(pki.leaf("relay.example.net")) as url,
        pytest.raises(ApiUnreachable, match="no Management API of Gatepost"),
    ):
        ApiClient(url, "gp_1", pki.roots_file).request("GET", path)
    assert len(_Relay.seen) == 1


def test_a_busy_relay_is_called_busy_whoever_says_it(pki: Pki) -> None:
    with serving(pki.leaf("relay.example.net")) as url, pytest.raises(ApiUnreachable, match=r"busy.*in 7 s"):
        ApiClient(url, "gp_1", pki.roots_file).request("GET", "/full")


@pytest.mark.parametrize("after_the_handshake", [False, True])
def test_a_connection_that_is_closed_without_an_answer_is_no_wrong_port(pki: Pki, after_the_handshake: bool) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued = pki.leaf("relay.example.net")
    context.load_cert_chain(issued.chain_file, issued.key_file)

    def close_at_once(listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            if after_the_handshake:
                sock = context.wrap_socket(sock, server_side=True)
            sock.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=close_at_once, args=(listener,), daemon=True).start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ApiUnreachable, match=r"closed the connection without an answer.*try again"):
            ApiClient(url, "gp_1", pki.roots_file).request("GET", "/ok")
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("name", [".", "..", "a"])
def test_a_name_of_dots_stays_in_the_path(pki: Pki, name: str) -> None:
    """RFC 3986 5.2.4 would make /v1/tenants/contoso of /v1/tenants/contoso/inbound-connectors/.."""
    asked: list[str] = []

    class Asked(_Relay):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.path = "/ok"
            super().do_GET()

    with serving(pki.leaf("relay.example.net"), Asked) as url:
        ApiClient(url, "gp_1", pki.roots_file).request("GET", f"/v1/x/{name}/y?z=..")
    assert asked == [f"/v1/x/{name.replace('.', '%2E')}/y?z=.."]


def test_a_file_that_is_no_certificate_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("nothing")
    with pytest.raises(ApiUnreachable, match="cannot be used"):
        ApiClient("https://127.0.0.1:1", "gp_1", tmp_path / "x.pem")
