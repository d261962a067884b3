"""What every request passes before anything is made of it: its framing, the size of its body, the time it may take.

    octets that all programs read alike ─▶ who asks (the face's affair) ─▶ the application ─▶ an answer, always

Law: an error inside is one line in our log and a plain 500 outside.
"""

import asyncio
import math
import sys
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, Final

from starlette.responses import Response

from gatepost.config import HttpsConfig
from gatepost.https.places import crowd_of, is_in
from gatepost.https.problem import Problem
from gatepost.https.rates import Rate

LARGEST_BODY: Final = 1024 * 1024
LONGEST_REQUEST_S: Final = 30.0
_BODY_BEGINS_S: Final = 5.0
_BUGS_A_MINUTE: Final = 60

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Gate(ABC):
    """ASGI around the application of `face`."""

    def __init__(self, app: App, face: str) -> None:
        self._app = app
        self._face = face

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = Answer(send)
        try:
            async with asyncio.timeout(LONGEST_REQUEST_S):
                _must_be_read_by_all_alike(scope)
                await self.answer(scope, receive, answer)
        except Problem as problem:
            await self.refusal(problem, scope)(scope, receive, answer)
        except TimeoutError:
            await self._instead(_too_slow(), scope, receive, answer)
        except Exception as error:
            _tell(self._face, error)
            says = "internal error"
            do = "report it to the relay's operator; the log has the cause"
            await self._instead(Problem(500, "internal-error", says, do=do), scope, receive, answer)

    @abstractmethod
    async def answer(self, scope: Message, receive: Receive, answer: "Answer") -> None:
        """Raises `Problem`."""

    def refusal(self, problem: Problem, scope: Message) -> Response:
        """How this face says no."""
        return problem.response

    async def _instead(self, problem: Problem, scope: Message, receive: Receive, answer: "Answer") -> None:
        if not answer.begun:
            await self.refusal(problem, scope)(scope, receive, answer)


class Answer:
    """What has been said already cannot be taken back."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        self.begun = True
        await self._send(message)


def must_not_hurry(wait_s: float, who: str) -> None:
    """Raises `Problem` where there is something to wait for."""
    if wait_s:
        seconds = str(math.ceil(wait_s))
        says = f"too many requests {who}"
        raise Problem(429, "too-many-requests", says, do=f"wait {seconds} s", headers={"Retry-After": seconds})


class Peer:
    """Where a request comes from."""

    def __init__(self, scope: Message, settings: HttpsConfig) -> None:
        self.address: str = scope["client"][0] if scope.get("client") else ""
        self.crowd = crowd_of(self.address)
        # One host of IPv6 has a /64 to choose from; one of IPv4 is its address.
        self.key = self.crowd if ":" in self.address else self.address
        self.is_operators = is_in(self.address, settings.operators)


class Body:
    """The body: up to `LARGEST_BODY`, and at least so many octets a second."""

    def __init__(self, scope: Message, receive: Receive, least_rate: int) -> None:
        self._receive = receive
        self._least_rate = least_rate
        self._received = 0
        self._is_whole = False
        self._began_at = time.monotonic()
        announced = header(scope, b"content-length")
        if announced.isdigit() and int(announced) > LARGEST_BODY:
            raise _too_large()

    async def __call__(self) -> Message:
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


def _must_be_read_by_all_alike(scope: Message) -> None:
    """RFC 9112 6.1, 6.3: with two lengths, what one program takes for the body another takes for the next request."""
    if scope["http_version"] not in ("1.0", "1.1"):
        says = f"HTTP/{scope['http_version']} is not supported"
        raise Problem(400, "bad-request", says, do="use HTTP/1.1", headers={"Connection": "close"})
    names = {name for name, _ in scope["headers"]}
    if {b"content-length", b"transfer-encoding"} <= names:
        says = "a request has Content-Length or Transfer-Encoding, not both"
        raise Problem(400, "bad-request", says, do="leave one out", headers={"Connection": "close"})


def header(scope: Message, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


_BUGS = Rate(_BUGS_A_MINUTE)


def _tell(face: str, error: Exception) -> None:
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    if _BUGS.wait_s(where, time.monotonic()):
        # Whoever found it may cause it again and again.
        return
    line = f"gatepost: {face}: bug: {type(error).__name__}: {error} at {where}; please report it"
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - this process has no other log
