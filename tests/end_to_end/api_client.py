"""Somebody with a token, who talks to the Management API of an installation."""

import ssl
from pathlib import Path
from typing import Any

import httpx

from end_to_end.installation import Installation


class Api(httpx.Client):
    def __init__(self, relay: Installation, token: str | None) -> None:
        # The server's certificate is self-signed and for another name than 127.0.0.1.
        trust = ssl.create_default_context(cafile=str(relay.folder / "server.pem"))
        trust.check_hostname = False
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        super().__init__(base_url=relay.api_url, verify=trust, headers=headers, timeout=30)


def token_for(relay: Installation, *options: str) -> str:
    """A new token, made as its operator makes it."""
    file = Path(relay.folder / f"{'-'.join(options).strip('-')}.{len(list(relay.folder.iterdir()))}.token")
    relay("token", "add", *options, "--out", str(file))
    return file.read_text().strip()


def code_of(answer: httpx.Response) -> str:
    """Of an error; its shape is checked on the way."""
    body: dict[str, Any] = answer.json()
    assert set(body) == {"error"} and set(body["error"]) == {"code", "says", "field", "do"}, body
    assert "\n" not in body["error"]["says"]
    return str(body["error"]["code"])
