"""The application: every page, and our few files that pages are shown with."""

from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatepost.config import Config, ConsoleConfig
from gatepost.console import (
    account_pages,
    audit_pages,
    connector_pages,
    dashboard,
    diagnosis,
    directory_pages,
    doors,
    export,
    oidc_pages,
    passkey_pages,
    people_pages,
    queue_pages,
    search_page,
    session_pages,
    token_pages,
    trace_pages,
    unattributed,
)
from gatepost.console.gate import ConsoleGate, opened, refused
from gatepost.console.page import Page
from gatepost.console.rendering import HEADERS
from gatepost.https.problem import Problem
from gatepost.https.process import run

PAGES: Final[tuple[Page, ...]] = (
    *doors.PAGES,
    *oidc_pages.PAGES,
    *passkey_pages.PAGES,
    *account_pages.PAGES,
    *search_page.PAGES,
    *dashboard.PAGES,
    *trace_pages.PAGES,
    *export.PAGES,
    *session_pages.PAGES,
    *diagnosis.PAGES,
    *unattributed.PAGES,
    *directory_pages.PAGES,
    *connector_pages.PAGES,
    *queue_pages.PAGES,
    *audit_pages.PAGES,
    *token_pages.PAGES,
    *people_pages.PAGES,
)

_FILES: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "passkeys.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "uplot.min.js": "text/javascript; charset=utf-8",
    "uplot.min.css": "text/css; charset=utf-8",
}


def main(config: Config, arguments: Sequence[str], descriptors: Sequence[int]) -> int:
    """The process that the supervisor has started; see `run`."""
    return run(config, "console", lambda config: config.console, application, descriptors)


def application(config: Config, console: ConsoleConfig) -> Starlette:
    return Starlette(
        routes=[*map(_route, PAGES), *map(_file_route, _FILES)],
        middleware=[Middleware(ConsoleGate, config=config, console=console)],
        exception_handlers={404: _no_such_page, 405: _no_such_page},
    )


def _route(page: Page) -> Route:
    return Route(page.path, partial(opened, page), methods=[page.method], name=f"{page.method} {page.path}")


def _file_route(name: str) -> Route:
    content = (files("gatepost.console") / "static" / name).read_bytes()
    headers = {**HEADERS, "Cache-Control": "max-age=3600"}

    async def file(request: Request) -> Response:
        return Response(content, headers=headers, media_type=_FILES[name])

    return Route(f"/static/{name}", file)


def _no_such_page(request: Request, error: Exception) -> Response:
    return refused(request.state.visit, Problem(404, "not-found", "this page does not exist", do="search for it above"))
