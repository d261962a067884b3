"""Who comes in: rates, the session behind the cookie, what a write must show, and what each role may open.

    an address within its rate ─▶ the session ─▶ the person's rate and slots ─▶ the page, if the role may open it

Laws: a page is open to whom `pages.PAGES` says, and to nobody else; a write comes from a page of the same session; what
is refused is a page like any other, with what to do next.
"""

from collections.abc import Mapping
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
from gatepost.console.rendering import HEADERS, in_words, link, page
from gatepost.console.visit import COOKIE, Visit, Visitor, csrf_of
from gatepost.errors import Refused
from gatepost.https.admission import Admission
from gatepost.https.gate import Answer, App, Gate, Message, Peer, Receive, header
from gatepost.https.problem import Problem, refusal, unavailable
from gatepost.queue.store import StoreError

_LARGEST_FORM: Final = 64 * 1024


class ConsoleGate(Gate):
    """ASGI around the application."""

    def __init__(self, app: App, config: Config, console: ConsoleConfig) -> None:
        super().__init__(app, "console")
        self._config = config
        self._console = console
        self._judging = Judging(config)
        self._attempts = Attempts(console.requests_per_minute)
        self._providers = open_identity_providers(console)
        self._admission = Admission(console, "session")

    async def answer(self, scope: Message, receive: Receive, answer: Answer) -> None:
        peer = Peer(scope, self._console)
        cookies = _cookies(scope)
        secret = cookies.get(COOKIE, "")[:100]
        entered = await self._admission.looked_up(peer, self._look, secret) if secret else None
        query = _pairs(scope.get("query_string", b"").decode("latin-1"))
        visit = self._visit(scope, peer, cookies, entered, query)
        scope.setdefault("state", {})["visit"] = visit
        if entered is None:
            self._admission.count_address(peer)
            with self._admission.unknown(peer):
                await self._app(scope, self._admission.body(scope, receive), answer)
            return
        person = entered.person
        self._admission.count_caller(person.name, "by this person")
        if scope["method"] == "POST" and scope["path"] != "/sign-out":
            self._admission.count_write(person.tenant)
        with self._admission.known(person.name, person.tenant):
            await self._app(scope, self._admission.body(scope, receive), answer)

    def refusal(self, problem: Problem, scope: Message) -> Response:
        visit = scope.get("state", {}).get("visit") or self._visit(scope, None, {}, None, {})
        return refused(visit, problem)

    def _look(self, secret: str) -> Entered | None:
        try:
            with closing(open_editor(self._config)) as editor:
                return signing_in.entered(editor, secret, datetime.now(UTC))
        except StoreError:
            raise unavailable() from None

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
                audit=self._admission.audit,
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
        to_tenant = visitor is not None and not visitor.is_operator
        return refused(visit, refusal(error, in_words, to_tenant=to_tenant))
    except StoreError:
        return refused(visit, unavailable())


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
