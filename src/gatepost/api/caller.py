"""Who asks: a token, and what it may do.

Law: a tenant's token sees its own tenant alone. What is another's is answered exactly as what does not exist, before
anything is looked up.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.lookups import tenant_named
from gatepost.api.problems import Problem
from gatepost.api.rates import Allotment
from gatepost.app import open_editor
from gatepost.app.admin_wiring import Judging
from gatepost.config import Config
from gatepost.errors import NotFound
from gatepost.tenancy.token import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    config: Config
    judging: Judging
    token: Token
    address: str
    audit: Allotment
    """What each tenant may add to the audit by its tokens."""

    @property
    def is_operator(self) -> bool:
        return self.token.tenant is None

    @contextmanager
    def directory(self, *, beyond_limits: bool = False) -> Iterator[DirectoryEditor]:
        """The directory for one request; changes are audited under the token, and held to what it may."""
        if beyond_limits:
            self.must_be_operator("beyond_limits")
        editor = open_editor(
            self.config,
            f"token {self.token.id}",
            self.address,
            by_tenant=not self.is_operator,
            beyond_limits=beyond_limits,
        )
        try:
            yield editor
        finally:
            if self.token.tenant is not None and editor.audited_octets:
                self.audit.use(self.token.tenant, editor.audited_octets, time.monotonic())
            editor.close()

    def tenant(self, editor: DirectoryEditor, name: str) -> str:
        """The tenant called `name`, as it is written; `NotFound` where it is not the caller's."""
        own = self.token.tenant
        if own is None:
            return tenant_named(editor, name).name
        if name.casefold() != own.casefold():
            raise NotFound(f"there is no tenant '{name}'")
        return own

    def must_be_operator(self, field: str | None = None) -> None:
        if not self.is_operator:
            what = f"only the operator may set {field}" if field else "only the operator may do this"
            raise Problem(403, "operator-only", what, field=field, do="ask the relay's operator")


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


CallerOf = Annotated[Caller, Depends(_caller)]
