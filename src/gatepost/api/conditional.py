"""Reads say which version they show; writes may say which version they mean (RFC 9110 8.8.3, 13.1).

Law: a write with `If-Match` happens only to what its writer has seen, and only whole.
"""

import json
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import JSONResponse, Response

from gatepost.https.problem import Problem


def etag(shown: Any) -> str:
    return f'"{sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:32]}"'


class Conditions:
    """What the request says about the version it means."""

    def __init__(self, request: Request) -> None:
        self._match = _listed(request.headers.get("if-match"))
        self._none_match = _listed(request.headers.get("if-none-match"))

    def must_hold(self, shown: Any) -> None:
        """`shown` is the object as it would be read now; None: there is none."""
        stands = None if shown is None else etag(shown)
        if self._match and (stands is None or not {"*", stands} & self._match):
            raise Problem(412, "precondition-failed", "it has changed in the meantime", do="read it again, then retry")
        if self._none_match and stands is not None and {"*", stands} & self._none_match:
            raise Problem(412, "precondition-failed", "it already exists", do="read it first")

    def read(self, shown: Any) -> Response:
        """The answer to a read."""
        tag = etag(shown)
        if tag in self._none_match:
            return Response(status_code=304, headers={"ETag": tag})
        return JSONResponse(shown, headers={"ETag": tag})


def written(shown: Any, *, created: bool = False) -> Response:
    return JSONResponse(shown, 201 if created else 200, headers={"ETag": etag(shown)})


def _listed(header: str | None) -> frozenset[str]:
    return frozenset(each.strip() for each in (header or "").split(",") if each.strip())


ConditionsOf = Annotated[Conditions, Depends()]
