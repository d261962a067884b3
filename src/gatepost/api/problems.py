"""How the API says no: one shape for every error, whoever notices it.

    {"error": {"code": "kebab-case", "says": "one line", "field": "certificate_names" or null, "do": "…" or null}}

Laws: nothing that fails inside is told outside; a tenant reads no other tenant's name.
"""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Route

from gatepost.errors import BadToken, Refused, with_keys
from gatepost.https.problem import Problem, refusal, unavailable
from gatepost.queue.store import StoreError


class ErrorDetail(BaseModel):
    code: str
    says: str
    field: str | None
    do: str | None


class ErrorBody(BaseModel):
    error: ErrorDetail


def unauthenticated(error: BadToken) -> Problem:
    # RFC 6750 3: what a client is asked for.
    return Problem(
        401,
        error.code,
        with_keys(error.said.message),
        do=with_keys(error.said.next_step) or None,
        headers={"WWW-Authenticate": 'Bearer realm="gatepost"'},
    )


_STATUS_PROBLEMS = {
    404: ("not-found", "not found", "see /v1/openapi.json for what there is"),
    405: ("method-not-allowed", "method not allowed", "see the Allow header"),
}


def install(app: FastAPI, routes: Sequence[Route]) -> None:
    @app.exception_handler(Problem)
    def own(request: Request, error: Problem) -> JSONResponse:
        return error.response

    @app.exception_handler(Refused)
    def refused(request: Request, error: Refused) -> JSONResponse:
        return refusal(error, with_keys, to_tenant=not request.state.caller.is_operator).response

    @app.exception_handler(StoreError)
    def store(request: Request, error: StoreError) -> JSONResponse:
        return unavailable().response

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        first: dict[str, Any] = error.errors()[0]
        place = [str(each) for each in first["loc"] if each not in ("body", "query", "path", "header")]
        field = ".".join(place) if first["type"] != "json_invalid" else None
        return Problem(422, "invalid", f"{field or 'the body'}: {first['msg'].lower()}", field=field or None).response

    @app.exception_handler(HTTPException)
    def routing(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:
            # The body is not even text.
            return Problem(422, "invalid", "the body is not JSON").response
        code, says, do = _STATUS_PROBLEMS.get(error.status_code, ("bad-request", "the request is malformed", None))
        headers = {"Allow": _allowed(routes, request.url.path)} if error.status_code == 405 else error.headers
        return Problem(error.status_code, code, says, do=do, headers=headers).response


def _allowed(routes: Sequence[Route], path: str) -> str:
    """RFC 9110 10.2.1: of all routes of this path; the router names those of one."""
    methods = {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}
    return ", ".join(sorted(methods or {"GET"}))
