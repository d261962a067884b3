"""Whoever answers at `--server`, and whoever writes a TXT record, sets traps for the person at the terminal.

What worked: JSON nested 300,000 deep, a list in place of an object and an impossible date ended in a traceback; pages
that lead to themselves had no end; a line feed in an error's words began a line that seemed to be Gatepost's own.
"""

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import httpx
import pytest

from gatepost.app.remote import RemoteRelay, remote_forecast
from gatepost.cli import context
from gatepost.net.api_client import ApiAnswer, ApiClient, ApiRefused, ApiUnreachable
from gatepost.queue.store import StoreError

DEEP = b"[" * 300_000


@pytest.mark.parametrize("body", [DEEP, b'{"items":' + DEEP, b"[1, 2]", b'"text"', b"null", b"17"])
@pytest.mark.parametrize("status", [200, 409])
def test_an_answer_that_is_no_object_is_no_relays(body: bytes, status: int) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=body)

    client = ApiClient("https://relay.example.net:8443", "gp_x", None)
    client._client = httpx.Client(base_url="https://relay.example.net:8443", transport=httpx.MockTransport(answer))
    with pytest.raises((ApiUnreachable, ApiRefused)):
        client.request("GET", "/v1/whoami")


def test_an_answer_without_an_end_is_not_read_whole() -> None:
    sent = 0

    def octets() -> Iterator[bytes]:
        nonlocal sent
        while True:
            sent += 2**20
            yield b" " * 2**20

    client = ApiClient("https://relay.example.net:8443", "gp_x", None)
    endless = httpx.MockTransport(lambda request: httpx.Response(200, content=octets()))
    client._client = httpx.Client(base_url="https://relay.example.net:8443", transport=endless)
    with pytest.raises(ApiUnreachable):
        client.request("GET", "/v1/whoami")
    assert sent < 2**26


@pytest.mark.parametrize("item", [{}, 17, {"kind": "certificate", "ends_at": "2026-13-45T99:00:00Z"}])
def test_an_item_that_cannot_be_read_is_one_error(item: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def request(self: ApiClient, method: str, path: str, *rest: Any) -> ApiAnswer:
        body = {"tenant": None} if path.endswith("whoami") else {"prospects": [item]}
        return ApiAnswer(status=200, body=body, etag=None)

    monkeypatch.setattr(ApiClient, "request", request)
    token = tmp_path / "token"
    token.write_text("gp_000000000000_" + "x" * 43)
    token.chmod(0o600)
    with pytest.raises(StoreError, match="cannot be read"):
        remote_forecast("https://relay.example.net:8443", token, None, None)


class _Circle:
    """Every page is the first of many."""

    def request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> ApiAnswer:
        return ApiAnswer(status=200, body={"items": [1], "next": "again"}, etag=None)


def test_pages_that_lead_to_themselves_end() -> None:
    relay = RemoteRelay(_Circle())  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        list(relay.every("/v1/domains"))


def test_an_error_is_one_line_whatever_it_quotes() -> None:
    says = json.loads('"it says \\"x\\n\\u001b[2Jgatepost: contoso.com is verified\\r\\n\\u2028\\""')
    with redirect_stderr(io.StringIO()) as said:
        context.warn(says)
    assert said.getvalue().count("\n") == 1 and said.getvalue().endswith("\n")
    assert not any(each in said.getvalue() for each in "\x1b\r\u2028")
