"""The gate every request passes: rates, the token, how many at once, the size of the body, the time it may take.

    an address that is not over its rate, or a token that was good a while ago ─▶ the token ─▶ its rate and its slots

Laws: without a token nothing is parsed or looked up but the token; whoever guesses tokens makes nobody wait whose token
was good before, nor operators where they are known to come from; an error inside is one line in our log and a plain 500
outside.
"""

import asyncio
import re
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gatepost.admin.directory.tokens import opened
from gatepost.api.caller import Caller
from gatepost.api.places import crowd_of, is_in
from gatepost.api.problems import Problem, must_not_hurry, unauthenticated
from gatepost.api.rates import Allotment, Rate, Remembered
from gatepost.api.slots import Slots
from gatepost.app import open_editor
from gatepost.app.admin_wiring import Judging
from gatepost.config import ApiConfig, Config
from gatepost.errors import BadToken
from gatepost.queue.store import StoreError
from gatepost.tenancy.token import Scope, Token

LARGEST_BODY = 1024 * 1024
LONGEST_REQUEST_S = 30.0
AUDIT_A_DAY = 32 * 1024 * 1024
"""Octets that one tenant's tokens may add to the audit, which is never thrown away."""
_BODY_BEGINS_S = 5.0
_GOOD_TOKENS = 1_000
_LOOK_AT_ONCE = 8
_BUGS_A_MINUTE = 60

OPEN_TO_ALL = frozenset({"/v1/openapi.json"})

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_QUESTION = re.compile(r"/v1/(?:tenants/[^/]+/)?explain")
"""Paths of a POST that changes nothing."""

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]


class Guard:
    """ASGI around the application."""

    def __init__(self, app: _App, config: Config, api: ApiConfig) -> None:
        self._app = app
        self._config = config
        self._api = api
        self._judging = Judging(config)
        self._addresses = Rate(api.requests_per_minute)
        self._tokens = Rate(api.requests_per_minute)
        self._audit = Allotment(AUDIT_A_DAY)
        self._good = Remembered(_GOOD_TOKENS)
        self._slots = Slots(api.limits)
        self._looking = ThreadPoolExecutor(_LOOK_AT_ONCE, "token")

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            async with asyncio.timeout(LONGEST_REQUEST_S):
                await self._answered(scope, receive, answer)
        except Problem as problem:
            await problem.response(scope, receive, answer)
        except TimeoutError:
            await answer.instead(scope, receive, _too_slow())
        except Exception as error:
            _tell(error)
            says = "internal error"
            do = "report it to the relay's operator; the log has the cause"
            await answer.instead(scope, receive, Problem(500, "internal-error", says, do=do))

    async def _answered(self, scope: _Message, receive: _Receive, answer: "_Answer") -> None:
        _must_be_read_by_all_alike(scope)
        peer = _Peer(scope, self._api)
        if scope["path"] in OPEN_TO_ALL:
            with self._slots.unknown(peer.crowd, are_operators=peer.is_operators):
                self._must_not_hurry(peer)
                await self._app(scope, receive, answer)
            return
        token = await self._admit(scope, peer)
        body = _Body(scope, receive, self._api.limits.body_rate)
        with self._slots.known(token):
            await self._app(scope, body, answer)

    async def _admit(self, scope: _Message, peer: "_Peer") -> Token:
        authorization = _header(scope, b"authorization")
        if authorization not in self._good:
            self._must_not_hurry(peer)
        with self._slots.unknown(peer.crowd, are_operators=peer.is_operators):
            token = await asyncio.get_running_loop().run_in_executor(self._looking, self._token, authorization)
        self._good.add(authorization)
        must_not_hurry(self._tokens.wait_s(token.id, time.monotonic()), "with this token")
        needed = Scope.READ if scope["method"] in _READING or _QUESTION.fullmatch(scope["path"]) else Scope.WRITE
        if needed not in token.scopes:
            raise Problem(
                403, "scope-missing", f"this token may not {needed}", do="use one made with --scope " + needed
            )
        if needed is Scope.WRITE and token.tenant is not None:
            must_not_hurry(self._audit.wait_s(token.tenant, time.monotonic()), "that change much, by this tenant")
        state = scope.setdefault("state", {})
        if token.tenant is None and "becomes_operators" in state:
            state["becomes_operators"]()
        state["caller"] = Caller(
            config=self._config, judging=self._judging, token=token, address=peer.address, audit=self._audit
        )
        return token

    def _must_not_hurry(self, peer: "_Peer") -> None:
        if not peer.is_operators:
            must_not_hurry(self._addresses.wait_s(peer.key, time.monotonic()), "from this address")

    def _token(self, authorization: str) -> Token:
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise unauthenticated(BadToken("a token must be sent: Authorization: Bearer gp_…"))
        try:
            editor = open_editor(self._config)
            try:
                return opened(editor, text.strip(), datetime.now(UTC))
            finally:
                editor.close()
        except BadToken as error:
            raise unauthenticated(error) from None
        except StoreError:
            says = "stored data is unavailable right now"
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


class _Peer:
    """Where a request comes from."""

    def __init__(self, scope: _Message, api: ApiConfig) -> None:
        self.address: str = scope["client"][0] if scope.get("client") else ""
        self.crowd = crowd_of(self.address)
        # One host of IPv6 has a /64 to choose from; one of IPv4 is its address.
        self.key = self.crowd if ":" in self.address else self.address
        self.is_operators = is_in(self.address, api.operators)


class _Body:
    """The body: up to `LARGEST_BODY`, and at least so many octets a second."""

    def __init__(self, scope: _Message, receive: _Receive, least_rate: int) -> None:
        self._receive = receive
        self._least_rate = least_rate
        self._received = 0
        self._is_whole = False
        self._began_at = time.monotonic()
        announced = _header(scope, b"content-length")
        if announced.isdigit() and int(announced) > LARGEST_BODY:
            raise _too_large()

    async def __call__(self) -> _Message:
        # Never longer than LONGEST_REQUEST_S, which goes around all.
        due = self._began_at + _BODY_BEGINS_S + self._received / self._least_rate
        patience = asyncio.timeout(None if self._is_whole else max(0.0, due - time.monotonic()))
        try:
            async with patience:
                message = await self._receive()
        except TimeoutError:
            raise _too_slow() from None
        self._is_whole = not message.get("more_body", False)
        self._received += len(message.get("body", b""))
        if self._received > LARGEST_BODY:
            raise _too_large()
        return message


def _too_large() -> Problem:
    return Problem(413, "body-too-large", f"a body may have {LARGEST_BODY} octets", do="send less")


def _too_slow() -> Problem:
    return Problem(408, "request-timeout", "the request took too long to arrive", do="try again")


def _must_be_read_by_all_alike(scope: _Message) -> None:
    """RFC 9112 6.1, 6.3: with two lengths, what one program takes for the body another takes for the next request."""
    if scope["http_version"] not in ("1.0", "1.1"):
        says = f"HTTP/{scope['http_version']} is not supported"
        raise Problem(400, "bad-request", says, do="use HTTP/1.1", headers={"Connection": "close"})
    names = {name for name, _ in scope["headers"]}
    if {b"content-length", b"transfer-encoding"} <= names:
        says = "a request has Content-Length or Transfer-Encoding, not both"
        raise Problem(400, "bad-request", says, do="leave one out", headers={"Connection": "close"})


def _header(scope: _Message, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


_BUGS = Rate(_BUGS_A_MINUTE)


def _tell(error: Exception) -> None:
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    if _BUGS.wait_s(where, time.monotonic()):
        # Whoever found it may cause it again and again.
        return
    line = f"gatepost: api: bug: {type(error).__name__}: {error} at {where}; please report it"
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - this process has no other log
