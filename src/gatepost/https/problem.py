"""An answer that is an error: known to a face, and not to the use cases.

{"error": {"code": "kebab-case", "says": "one line", "field": "certificate_names" or null, "do": "…" or null}}
"""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

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
