"""The gate every request passes: rates, the token, the size of the body, the time it may take.

Laws: without a token nothing is parsed or looked up but the token; an error inside is one line in our log and a plain
500 outside.
"""

import asyncio
import math
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gatepost.admin.tokens import BadToken, opened
from gatepost.api.caller import Caller
from gatepost.api.problems import Problem, unauthenticated
from gatepost.api.rates import Rate
from gatepost.app import open_editor
from gatepost.app.admin_parts import Judging
from gatepost.config import Config
from gatepost.queue.store import StoreError
from gatepost.tenancy.token import Scope, Token

LARGEST_BODY = 1024 * 1024
LONGEST_REQUEST_S = 30.0

OPEN_TO_ALL = frozenset({"/v1/openapi.json"})

_READING = frozenset({"GET", "HEAD", "OPTIONS"})

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]


class Guard:
    """ASGI around the application."""

    def __init__(self, app: _App, config: Config, requests_per_minute: int) -> None:
        self._app = app
        self._config = config
        self._judging = Judging(config)
        self._addresses = Rate(requests_per_minute)
        self._tokens = Rate(requests_per_minute)

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            async with asyncio.timeout(LONGEST_REQUEST_S):
                await self._admit(scope)
                await self._app(scope, _bounded(scope, receive), answer)
        except Problem as problem:
            await problem.response(scope, receive, answer)
        except TimeoutError:
            await answer.instead(scope, receive, Problem(408, "request-timeout", "the request took too long to arrive"))
        except Exception as error:
            _tell(error)
            says = "something is wrong inside the relay"
            do = "tell its operator, whose log has the cause"
            await answer.instead(scope, receive, Problem(500, "internal-error", says, do=do))

    async def _admit(self, scope: _Message) -> None:
        now = time.monotonic()
        _limit(self._addresses.wait_s(scope["client"][0] if scope.get("client") else "", now), "from this address")
        if scope["path"] in OPEN_TO_ALL:
            return
        token = await asyncio.to_thread(self._token, _header(scope, b"authorization"))
        _limit(self._tokens.wait_s(token.id, now), "with this token")
        needed = Scope.READ if scope["method"] in _READING else Scope.WRITE
        if needed not in token.scopes:
            raise Problem(
                403, "scope-missing", f"this token may not {needed}", do="use one made with --scope " + needed
            )
        scope.setdefault("state", {})["caller"] = Caller(config=self._config, judging=self._judging, token=token)

    def _token(self, authorization: str) -> Token:
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise unauthenticated(BadToken("a token is wanted: Authorization: Bearer gp_…"))
        try:
            editor = open_editor(self._config)
            try:
                return opened(editor, text.strip(), datetime.now(UTC))
            finally:
                editor.close()
        except BadToken as error:
            raise unauthenticated(error) from None
        except StoreError:
            says = "what is stored cannot be had at present"
            raise Problem(503, "store-unavailable", says, do="try again", headers={"Retry-After": "5"}) from None


class _Answer:
    """What has been said already cannot be taken back."""

    def __init__(self, send: _Send) -> None:
        self._send = send
        self._begun = False

    async def __call__(self, message: _Message) -> None:
        self._begun = True
        await self._send(message)

    async def instead(self, scope: _Message, receive: _Receive, problem: Problem) -> None:
        if not self._begun:
            await problem.response(scope, receive, self)


def _limit(wait_s: float, who: str) -> None:
    if wait_s:
        seconds = str(math.ceil(wait_s))
        says = f"too many requests {who}"
        raise Problem(429, "too-many-requests", says, do=f"wait {seconds} s", headers={"Retry-After": seconds})


def _bounded(scope: _Message, receive: _Receive) -> _Receive:
    """The body, up to `LARGEST_BODY`."""
    too_large = Problem(413, "body-too-large", f"a body may have {LARGEST_BODY} octets", do="send less")
    announced = _header(scope, b"content-length")
    if announced.isdigit() and int(announced) > LARGEST_BODY:
        raise too_large
    received = 0

    async def bounded() -> _Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > LARGEST_BODY:
            raise too_large
        return message

    return bounded


def _header(scope: _Message, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _tell(error: Exception) -> None:
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    line = f"gatepost: api: bug: {type(error).__name__}: {error} at {where}; please report it"
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - this process has no other log
