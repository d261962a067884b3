"""Somebody sends the Management API what is no request, two requests in one, or tokens without number."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacks.api_peer import answer_in, everything, head, is_closed, secured
from end_to_end.api_client import Api, token_for
from end_to_end.installation import Installation

PUT = "PUT /v1/tenants/contoso/domains/x.example"
END = b"\r\n"


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    relay = Installation(tmp_path_factory.mktemp("relay"), api=True, workers=1)
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
    with relay.serving():
        yield relay
        # What others send is not worth a line.
        assert re.findall(r"gatepost: api: .*", relay.output) == []


@pytest.fixture(scope="module")
def token(relay: Installation) -> str:
    return token_for(relay, "--tenant", "contoso")


def said_to(relay: Installation, octets: bytes) -> bytes:
    """Until the server closes, which it must."""
    with secured(relay) as sock:
        sock.sendall(octets)
        return everything(sock)


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"\x00\x01\x02\r\n\r\n", 400),
        (b"EHLO mail.example\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET /v1/whoami HTTP/1.1\r\n\r\n", 400),
        (head(None, "GET /v1/whoami", "Content-Length: 1", "Content-Length: 2") + END, 400),
        (head(None, "GET /v1/whoami", "Content-Length: -1") + END, 400),
        (head(None, "GET /v1/whoami", "Transfer-Encoding: gzip") + END, 501),
        (head(None, "GET /v1/whoami", "X: " + "x" * 40_000), 431),
        (head(None, "GET /v1/whoami", *("X: y" for _ in range(200))) + END, 431),
        (head(None, PUT, "Transfer-Encoding: chunked") + END + b"zz\r\n", None),
    ],
    ids=["nul", "smtp", "http2", "no-host", "two-lengths", "negative", "coding", "large", "many", "chunk"],
)
def test_what_is_no_request_is_answered_in_the_shape_of_every_error(
    relay: Installation, octets: bytes, status: int | None
) -> None:
    answered, body = answer_in(said_to(relay, octets))
    assert set(body["error"]) == {"code", "says", "field", "do"}
    assert answered == status or (status is None and answered in (400, 401))


@pytest.mark.parametrize(
    "fields",
    [
        b"X: a\r\n folded\r\n",
        b"X: a\r\n\tfolded\r\n",
        b"X: a\nY: b\r\n",
        b"X: a\rY: b\r\n",
        b"X: a\r\n\n",
    ],
)
def test_a_header_that_others_read_otherwise_is_refused(relay: Installation, token: str, fields: bytes) -> None:
    status, body = answer_in(said_to(relay, head(token) + fields + END))
    assert (status, body["error"]["code"]) == (400, "bad-request")


@pytest.mark.parametrize("line_end", [b"\n", b"\r"])
def test_a_request_whose_lines_end_otherwise_is_refused(relay: Installation, token: str, line_end: bytes) -> None:
    with secured(relay) as sock:
        sock.settimeout(20)
        sock.sendall((head(token) + END).replace(b"\r\n", line_end))
        said = everything(sock)
    assert said == b"" or answer_in(said)[0] == 400


def test_with_two_lengths_nothing_behind_the_request_is_read(relay: Installation, token: str) -> None:
    """RFC 9112 6.1, 6.3: by the one, a second request follows, by the other it is the body."""
    second = head(token, "GET /v1/tenants/contoso") + END
    length = f"Content-Length: {5 + len(second)}"
    said = said_to(relay, head(token, PUT, length, "Transfer-Encoding: chunked") + END + b"0\r\n\r\n" + second)
    assert said.count(b"HTTP/1.1 ") == 1
    status, body = answer_in(said)
    assert (status, body["error"]["code"]) == (400, "bad-request")


def test_a_trailer_is_read_as_strictly_as_a_header(relay: Installation, token: str) -> None:
    chunked = head(token, PUT, "Transfer-Encoding: chunked") + END + b"2\r\n{}\r\n0\r\nX: a\nY: b\r\n\r\n"
    said = said_to(relay, chunked)
    assert said.count(b"HTTP/1.1 ") <= 1


def test_a_body_in_tens_of_thousands_of_chunks_is_not_worked_off(relay: Installation, token: str) -> None:
    """Before: a second of the process for each request of 170,000 chunks with an octet each."""
    body = [b"1\r\n%c\r\n" % octet for octet in b"{}"]
    for blanks, status in ((4_000, b"201"), (5_000, b"400")):
        chunks = b"".join((*body, *[b"1\r\n \r\n"] * blanks, b"0\r\n\r\n"))
        last = head(token, PUT, "Content-Type: application/json", "Transfer-Encoding: chunked", "Connection: close")
        assert said_to(relay, last + END + chunks).startswith(b"HTTP/1.1 " + status)


def test_a_body_that_no_answer_waits_for_does_not_keep_the_connection(relay: Installation) -> None:
    with secured(relay) as sock:
        sock.sendall(head(None, PUT, "Content-Length: 1000000") + END + b"{")
        assert sock.recv(12) == b"HTTP/1.1 401"
        while sock.recv(65536)[-1:] != b"}":
            pass
        # By the count of octets that it still takes, and not by the clock.
        sock.settimeout(0.5)
        for _ in range(60):
            if is_closed(sock):
                return
            try:
                sock.sendall(b" ")
            except OSError:
                return
        raise AssertionError("the server goes on reading")


def test_who_guesses_tokens_is_slowed_down_and_nobody_else(tmp_path: Path) -> None:
    relay = Installation(tmp_path, api=True, workers=1)
    relay.init()
    relay("tenant", "add", "fabrikam")
    relay.config.write_text(
        relay.config.read_text().replace(
            "requests_per_minute = 100000", 'requests_per_minute = 400\noperators = ["127.0.0.9"]'
        )
    )
    known = token_for(relay, "--tenant", "fabrikam")
    with relay.serving(), Api(relay, known) as api, Api(relay, "gp_000000000000_" + "A" * 43) as guessing:
        assert api.get("/v1/whoami").status_code == 200
        answers = [guessing.get("/v1/whoami") for _ in range(150)]
        assert {answer.status_code for answer in answers} == {401, 429}
        assert sum(answer.status_code == 401 for answer in answers) < 130
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 429)
        # From the same address: whoever was known before, and operators where they are expected.
        assert api.get("/v1/whoami").status_code == 200
        with secured(relay, "127.0.0.9") as sock:
            sock.sendall(head(token_for(relay, "--operator"), "GET /v1/whoami", "Connection: close") + END)
            assert answer_in(everything(sock))[0] == 200
