"""The gate every request passes: rates, the token, how many at once.

    an address that is not over its rate, or a token that was good a while ago ─▶ the token ─▶ its rate and its slots

Laws: without a token nothing is parsed or looked up but the token; whoever guesses tokens makes nobody wait whose token
was good before, nor operators where they are known to come from.
"""

import re
from contextlib import closing
from datetime import UTC, datetime

from gatepost.admin.directory.tokens import opened
from gatepost.api.caller import Caller
from gatepost.api.problems import unauthenticated
from gatepost.app import open_editor
from gatepost.app.admin_wiring import Judging
from gatepost.config import Config, HttpsConfig
from gatepost.errors import BadToken
from gatepost.https.admission import Admission
from gatepost.https.gate import Answer, App, Gate, Message, Peer, Receive, header
from gatepost.https.problem import Problem, unavailable
from gatepost.https.rates import Remembered
from gatepost.queue.store import StoreError
from gatepost.tenancy.token import Scope, Token

_GOOD_TOKENS = 1_000

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
        self._good = Remembered(_GOOD_TOKENS)
        self._admission = Admission(api, "token")

    async def answer(self, scope: Message, receive: Receive, answer: Answer) -> None:
        peer = Peer(scope, self._api)
        if scope["path"] in OPEN_TO_ALL:
            with self._admission.unknown(peer):
                self._admission.count_address(peer)
                await self._app(scope, receive, answer)
            return
        token = await self._admit(scope, peer)
        body = self._admission.body(scope, receive)
        with self._admission.known(token.id, token.tenant):
            await self._app(scope, body, answer)

    async def _admit(self, scope: Message, peer: Peer) -> Token:
        authorization = header(scope, b"authorization")
        if authorization not in self._good:
            self._admission.count_address(peer)
        token = await self._admission.looked_up(peer, self._token, authorization)
        self._good.add(authorization)
        self._admission.count_caller(token.id, "with this token")
        needed = Scope.READ if scope["method"] in _READING or _QUESTION.fullmatch(scope["path"]) else Scope.WRITE
        if needed not in token.scopes:
            raise Problem(
                403, "scope-missing", f"this token may not {needed}", do="use one made with --scope " + needed
            )
        if needed is Scope.WRITE:
            self._admission.count_write(token.tenant)
        state = scope.setdefault("state", {})
        if token.tenant is None and "becomes_operators" in state:
            state["becomes_operators"]()
        state["caller"] = Caller(
            config=self._config,
            judging=self._judging,
            who=f"token {token.id}",
            of_tenant=token.tenant,
            address=peer.address,
            audit=self._admission.audit,
            token=token,
        )
        return token

    def _token(self, authorization: str) -> Token:
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise unauthenticated(BadToken("a token must be sent: Authorization: Bearer gp_…"))
        try:
            with closing(open_editor(self._config)) as editor:
                return opened(editor, text.strip(), datetime.now(UTC))
        except BadToken as error:
            raise unauthenticated(error) from None
        except StoreError:
            raise unavailable() from None
