"""What every request passes: its framing, its size, and that it is answered."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from gatepost.config import HttpsConfig
from gatepost.https.gate import LARGEST_BODY, Answer, Body, Gate, Message, Peer, Receive, must_not_hurry
from gatepost.https.problem import Problem

Header = tuple[bytes, bytes]


class Open(Gate):
    async def answer(self, scope: Message, receive: Receive, answer: Answer) -> None:
        await self._app(scope, Body(scope, receive, 1), answer)


def scope(headers: Sequence[Header] = (), version: str = "1.1") -> dict[str, Any]:
    return {"type": "http", "http_version": version, "method": "POST", "path": "/", "headers": list(headers)}


def asked(app: Any, asking: dict[str, Any], *parts: bytes) -> tuple[int, bytes]:
    """Status and body."""
    left = list(parts)
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Open(app, "test")(asking, receive, send))
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent)


async def reading(scope: Message, receive: Receive, send: Any) -> None:
    while (await receive())["more_body"]:
        pass
    await PlainTextResponse("read")(scope, receive, send)


def failing(*, after_beginning: bool) -> Any:
    async def app(scope: Message, receive: Receive, send: Any) -> None:
        if after_beginning:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("a secret inside")

    return app


def test_a_request_that_others_may_read_otherwise_is_refused() -> None:
    both = [(b"content-length", b"3"), (b"transfer-encoding", b"chunked")]
    assert asked(reading, scope(both), b"abc")[0] == 400
    assert asked(reading, scope(version="0.9"), b"")[0] == 400
    assert asked(reading, scope(both[:1]), b"abc") == (200, b"read")


def test_a_body_is_bounded_whether_its_length_is_announced_or_not() -> None:
    announced = [(b"content-length", str(LARGEST_BODY + 1).encode())]
    assert asked(reading, scope(announced), b"")[0] == 413
    assert asked(reading, scope(), b"x" * LARGEST_BODY, b"x")[0] == 413
    assert asked(reading, scope(), b"x" * LARGEST_BODY) == (200, b"read")


def test_what_fails_inside_is_told_to_us_alone(capsys: pytest.CaptureFixture[str]) -> None:
    status, body = asked(failing(after_beginning=False), scope(), b"")
    assert status == 500 and b"secret" not in body
    assert "gatepost: test: bug: ValueError: a secret inside" in capsys.readouterr().err
    assert asked(failing(after_beginning=True), scope(), b"") == (200, b""), "what was said cannot be taken back"


def test_who_must_wait_hears_how_long() -> None:
    must_not_hurry(0.0, "from here")
    with pytest.raises(Problem) as refused:
        must_not_hurry(1.2, "from here")
    assert refused.value.status_code == 429 and refused.value.headers == {"Retry-After": "2"}


def test_one_host_of_ipv6_has_a_network_to_choose_from() -> None:
    settings = HttpsConfig(host="::1", port=1)
    keys = {
        Peer(scope() | {"client": (address, 1)}, settings).key
        for address in ("2001:db8::1", "2001:db8::2", "192.0.2.1")
    }
    assert keys == {"2001:db8::/64", "192.0.2.1"}
