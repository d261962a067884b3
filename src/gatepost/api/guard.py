"""The gate every request passes: rates, the token, how many at once.

    an address that is not over its rate, or a token that was good a while ago ─▶ the token ─▶ its rate and its slots

Laws: without a token nothing is parsed or looked up but the token; whoever guesses tokens makes nobody wait whose token
was good before, nor operators where they are known to come from.
"""

import asyncio
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from gatepost.admin.directory.tokens import opened
from gatepost.api.caller import Caller
from gatepost.api.problems import unauthenticated
from gatepost.app import open_editor
from gatepost.app.admin_wiring import Judging
from gatepost.config import Config, HttpsConfig
from gatepost.errors import BadToken
from gatepost.https.gate import Answer, App, Body, Gate, Message, Peer, Receive, header, must_not_hurry
from gatepost.https.problem import Problem
from gatepost.https.rates import Allotment, Rate, Remembered
from gatepost.https.slots import Slots
from gatepost.queue.store import StoreError
from gatepost.tenancy.token import Scope, Token

AUDIT_A_DAY = 32 * 1024 * 1024
"""Octets that one tenant's tokens may add to the audit, which is never thrown away."""
_GOOD_TOKENS = 1_000
_LOOK_AT_ONCE = 8

OPEN_TO_ALL = frozenset({"/v1/openapi.json"})

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_QUESTION = re.compile(r"/v1/(?:tenants/[^/]+/)?explain")
"""Paths of a POST that changes nothing."""


class Guard(Gate):
    """ASGI around the application."""

    def __init__(self, app: App, config: Config, api: HttpsConfig) -> None:
        super().__init__(app, "api")
        self._config = config
        self._api = api
        self._judging = Judging(config)
        self._addresses = Rate(api.requests_per_minute)
        self._tokens = Rate(api.requests_per_minute)
        self._audit = Allotment(AUDIT_A_DAY)
        self._good = Remembered(_GOOD_TOKENS)
        self._slots = Slots(api.limits)
        self._looking = ThreadPoolExecutor(_LOOK_AT_ONCE, "token")

    async def answer(self, scope: Message, receive: Receive, answer: Answer) -> None:
        peer = Peer(scope, self._api)
        if scope["path"] in OPEN_TO_ALL:
            with self._slots.unknown(peer.crowd, are_operators=peer.is_operators):
                self._must_not_hurry(peer)
                await self._app(scope, receive, answer)
            return
        token = await self._admit(scope, peer)
        body = Body(scope, receive, self._api.limits.body_rate)
        with self._slots.known(token.id, token.tenant):
            await self._app(scope, body, answer)

    async def _admit(self, scope: Message, peer: Peer) -> Token:
        authorization = header(scope, b"authorization")
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
            config=self._config,
            judging=self._judging,
            who=f"token {token.id}",
            of_tenant=token.tenant,
            address=peer.address,
            audit=self._audit,
            token=token,
        )
        return token

    def _must_not_hurry(self, peer: Peer) -> None:
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
