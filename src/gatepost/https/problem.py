"""An answer that is an error: known to a face, and not to the use cases.

{"error": {"code": "kebab-case", "says": "one line", "field": "certificate_names" or null, "do": "…" or null}}
"""

from collections.abc import Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from gatepost.errors import NotFound, Refused, Sentence
from gatepost.mail.visible import visible


class Problem(HTTPException):
    def __init__(
        self,
        status: int,
        code: str,
        says: str,
        *,
        field: str | None = None,
        do: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, says, dict(headers or {}))
        self.code = code
        # One line, whatever a name that it repeats holds.
        self.says = visible(says)
        self.field = field
        self.do = do and visible(do)

    @property
    def response(self) -> JSONResponse:
        error = {"code": self.code, "says": self.says, "field": self.field, "do": self.do}
        return JSONResponse({"error": error}, self.status_code, self.headers)


def refusal(error: Refused, write: Callable[[Sentence], str], *, to_tenant: bool) -> Problem:
    """422 is for what a document does not allow; what it allows and the relay will not do is a conflict. `write`: names
    fields as whoever reads it knows them."""
    said = error.to_tenant if to_tenant else error.said
    return Problem(
        404 if isinstance(error, NotFound) else 409,
        error.code,
        write(said.message),
        field=error.field.name if error.field else None,
        do=write(said.next_step) or None,
    )


def unavailable() -> Problem:
    """The store cannot be read or written."""
    says = "stored data is unavailable right now"
    return Problem(503, "store-unavailable", says, do="try again", headers={"Retry-After": "5"})
