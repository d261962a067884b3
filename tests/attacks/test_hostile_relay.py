"""Whoever answers at `--server`, and whoever writes a TXT record, sets traps for the person at the terminal.

What worked: JSON nested 300,000 deep, a list in place of an object and an impossible date ended in a traceback; pages
that lead to themselves had no end; a line feed in an error's words began a line that seemed to be Gatepost's own.
"""

import io
import json
from collections.abc import Mapping
from contextlib import redirect_stderr
from typing import Any

import httpx
import pytest

from gatepost.app.remote import RemoteRelay
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
