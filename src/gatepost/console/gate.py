"""Who comes in: rates, the session behind the cookie, what a write must show, and what each role may open.

    an address within its rate ─▶ the session ─▶ the person's rate and slots ─▶ the page, if the role may open it

Laws: a page is open to whom `pages.PAGES` says, and to nobody else; a write comes from a page of the same session; what
is refused is a page like any other, with what to do next.
"""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gatepost.admin.people import signing_in
from gatepost.admin.people.signing_in import Entered
from gatepost.app import open_editor, open_identity_providers
from gatepost.app.admin_wiring import Judging
from gatepost.config import Config, ConsoleConfig
from gatepost.console.attempts import Attempts
from gatepost.console.page import Page, Who
from gatepost.console.rendering import HEADERS, link, page
from gatepost.console.visit import COOKIE, Visit, Visitor, csrf_of
from gatepost.errors import NotFound, Refused, with_options
from gatepost.https.gate import Answer, App, Body, Gate, Message, Peer, Receive, header, must_not_hurry
from gatepost.https.problem import Problem
from gatepost.https.rates import Allotment, Rate
from gatepost.https.slots import Slots
from gatepost.queue.store import StoreError

AUDIT_A_DAY: Final = 32 * 1024 * 1024
"""Octets that one tenant's people may add to the audit, which is never thrown away."""
_LARGEST_FORM: Final = 64 * 1024
_LOOK_AT_ONCE: Final = 8


class ConsoleGate(Gate):
    """ASGI around the application."""

    def __init__(self, app: App, config: Config, console: ConsoleConfig) -> None:
        super().__init__(app, "console")
        self._config = config
        self._console = console
        self._judging = Judging(config)
        self._attempts = Attempts(console.requests_per_minute)
        self._providers = open_identity_providers(console)
        self._addresses = Rate(console.requests_per_minute)
        self._people = Rate(console.requests_per_minute)
        self._audit = Allotment(AUDIT_A_DAY)
        self._slots = Slots(console.limits)
        self._looking = ThreadPoolExecutor(_LOOK_AT_ONCE, "session")

    async def answer(self, scope: Message, receive: Receive, answer: Answer) -> None:
        peer = Peer(scope, self._console)
        cookies = _cookies(scope)
        secret = cookies.get(COOKIE, "")[:100]
        entered = await self._entered(peer, secret) if secret else None
        query = _pairs(scope.get("query_string", b"").decode("latin-1"))
        visit = self._visit(scope, peer, cookies, entered, query)
        scope.setdefault("state", {})["visit"] = visit
        if entered is None:
            if not peer.is_operators:
                must_not_hurry(self._addresses.wait_s(peer.key, time.monotonic()), "from this address")
            with self._slots.unknown(peer.crowd, are_operators=peer.is_operators):
                await self._app(scope, Body(scope, receive, self._console.limits.body_rate), answer)
            return
        person = entered.person
        must_not_hurry(self._people.wait_s(person.name, time.monotonic()), "by this person")
        if scope["method"] == "POST" and person.tenant is not None and scope["path"] != "/sign-out":
            must_not_hurry(self._audit.wait_s(person.tenant, time.monotonic()), "that change much, by this tenant")
        with self._slots.known(person.name, person.tenant):
            await self._app(scope, Body(scope, receive, self._console.limits.body_rate), answer)

    def refusal(self, problem: Problem, scope: Message) -> Response:
        visit = scope.get("state", {}).get("visit") or self._visit(scope, None, {}, None, {})
        return refused(visit, problem)

    async def _entered(self, peer: Peer, secret: str) -> Entered | None:
        with self._slots.unknown(peer.crowd, are_operators=peer.is_operators):
            return await asyncio.get_running_loop().run_in_executor(self._looking, self._look, secret)

    def _look(self, secret: str) -> Entered | None:
        try:
            with closing(open_editor(self._config)) as editor:
                return signing_in.entered(editor, secret, datetime.now(UTC))
        except StoreError:
            raise _unavailable() from None

    def _visit(
        self,
        scope: Message,
        peer: Peer | None,
        cookies: Mapping[str, str],
        entered: Entered | None,
        query: Mapping[str, str],
    ) -> Visit:
        address = peer.address if peer else ""
        visitor = None
        if entered is not None:
            visitor = Visitor(
                config=self._config,
                judging=self._judging,
                who=f"person {entered.person.name}",
                of_tenant=entered.person.tenant,
                address=address,
                audit=self._audit,
                entered=entered,
                sees_subjects=not entered.person.role.sees_trace_only,
                csrf=csrf_of(cookies[COOKIE][:100]),
            )
        return Visit(
            config=self._config,
            attempts=self._attempts,
            providers=self._providers,
            address=address,
            path=scope["path"],
            query=query,
            part={},
            form={},
            cookies=cookies,
            visitor=visitor,
        )


async def opened(each: Page, request: Request) -> Response:
    """`each`, for whom it is open."""
    response = await _shown(each, request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


async def _shown(each: Page, request: Request) -> Response:
    visit: Visit = request.state.visit
    visitor = visit.visitor
    try:
        if visitor is None and each.who is not Who.ANYBODY:
            return _to_sign_in(request, visit)
        if visitor is not None and not each.is_open_to(visitor.entered.person):
            raise Problem(403, "role", "your role may not open this page", do="ask the relay's operator")
        form = await _form(request, visit) if each.method == "POST" else {}
        return await run_in_threadpool(each.show, visit.with_request(dict(request.path_params), form))
    except Problem as problem:
        return refused(visit, problem)
    except Refused as error:
        said = error.said if visitor is None or visitor.is_operator else error.to_tenant
        status = 404 if isinstance(error, NotFound) else 409
        do = with_options(said.next_step) or None
        return refused(visit, Problem(status, error.code, with_options(said.message), do=do))
    except StoreError:
        return refused(visit, _unavailable())


def refused(visit: Visit, problem: Problem) -> Response:
    response = page(visit, "refused.html", problem.status_code, problem=problem)
    response.headers.update(problem.headers or {})
    return response


async def _form(request: Request, visit: Visit) -> Mapping[str, str]:
    """What a form says, once it is known to come from one of our pages."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin" or not _is_of_this_origin(request):
        raise _from_elsewhere()
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        raise Problem(415, "bad-request", "this is not a form")
    body = await request.body()
    if len(body) > _LARGEST_FORM:
        raise Problem(413, "body-too-large", f"a form may have {_LARGEST_FORM} octets", do="send less")
    form = _pairs(body.decode("latin-1"))
    if visit.visitor is not None and form.get("csrf") != visit.visitor.csrf:
        raise _from_elsewhere()
    return form


def _is_of_this_origin(request: Request) -> bool:
    origin = request.headers.get("origin")
    return origin is None or origin == f"https://{request.headers.get('host', '')}"


def _from_elsewhere() -> Problem:
    return Problem(403, "foreign-form", "the form did not come from a page of this session", do="open the page again")


def _to_sign_in(request: Request, visit: Visit) -> Response:
    back = None
    if request.method == "GET" and visit.path != "/":
        back = visit.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(link("/sign-in", back=back), 303)


def _pairs(text: str) -> dict[str, str]:
    """Octets that are no UTF-8 are replaced; of a name that stands twice, the last counts."""
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=100))
    except ValueError:
        raise Problem(400, "bad-request", "there are too many fields") from None


def _cookies(scope: Message) -> Mapping[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header(scope, b"cookie")).items()}
    except CookieError:
        return {}


def _unavailable() -> Problem:
    says = "stored data is unavailable right now"
    return Problem(503, "store-unavailable", says, do="try again", headers={"Retry-After": "5"})
