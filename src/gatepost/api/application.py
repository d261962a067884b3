"""The application: routes, one error shape, the document that describes them."""

from collections.abc import Sequence
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from starlette.routing import Route

from gatepost import __version__
from gatepost.api import (
    connector_routes,
    directory_routes,
    explain_routes,
    forecast_routes,
    one_time_address_routes,
    operation_routes,
    problems,
    signing_key_routes,
    trace_routes,
)
from gatepost.api.guard import Guard
from gatepost.api.problems import ErrorBody
from gatepost.config import Config, HttpsConfig
from gatepost.https.process import run

_ROUTERS = tuple(
    each.router
    for each in (
        directory_routes,
        signing_key_routes,
        connector_routes,
        explain_routes,
        operation_routes,
        trace_routes,
        one_time_address_routes,
        forecast_routes,
    )
)

_PROBLEMS = {
    400: "The request is malformed, or the cursor does not belong to this list.",
    401: "The token is missing, unknown, expired or revoked.",
    403: "The token may not do this.",
    404: "It does not exist, or is not the caller's.",
    405: "Method not allowed.",
    408: "The request took too long to arrive.",
    409: "The relay refuses the change and gives the reason.",
    412: "If-Match or If-None-Match does not hold.",
    413: "The body is too large.",
    422: "The body or a parameter is not as described here.",
    429: "Too many requests; see Retry-After.",
    431: "The header has too many fields or octets.",
    500: "Internal error.",
    501: "Another Transfer-Encoding than chunked.",
    503: "Stored data is unavailable, or the relay is busy; see Retry-After.",
}


def main(config: Config, arguments: Sequence[str], descriptors: Sequence[int]) -> int:
    """The process that the supervisor has started; see `run`."""
    return run(config, "api", lambda config: config.api, application, descriptors)


def application(config: Config, api: HttpsConfig) -> FastAPI:
    app = _routed()
    problems.install(app, [route for each in _ROUTERS for route in each.routes if isinstance(route, Route)])
    app.add_middleware(Guard, config=config, api=api)
    return app


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    return _routed().openapi()


def _routed() -> FastAPI:
    responses: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorBody, "description": text} for status, text in _PROBLEMS.items()
    }
    app = FastAPI(
        title="Gatepost Management API",
        version=__version__,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=responses,
        # The guard has looked at the token before any of this; here it is for the document.
        dependencies=[Depends(HTTPBearer(auto_error=False, description="A token of gatepost token add."))],
    )
    for router in _ROUTERS:
        app.include_router(router)
    return app
