"""Tokens of the Management API: which there are, when they were used last and end; made, shown once, and revoked.

Law: a tenant's administrator makes and sees tokens of its tenant alone.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from starlette.responses import RedirectResponse, Response

from gatepost.admin.directory import tokens
from gatepost.console.page import Page, Who
from gatepost.console.rendering import page
from gatepost.console.visit import Visit
from gatepost.errors import BadRequest, NotFound, Refused
from gatepost.tenancy.token import Scope

_EXPIRES: Final = {"30d": "30 days", "90d": "90 days", "365d": "a year", "never": "never"}


def _list(visit: Visit) -> Response:
    return _listed(visit, {"expires": "90d", **{f"scope-{each}": "on" for each in (Scope.READ, Scope.WRITE)}})


def _listed(visit: Visit, form: Mapping[str, str], refused: Refused | None = None) -> Response:
    with visit.person.directory() as directory:
        found = list(tokens.every(directory, visit.person.of_tenant))
    problem = refused and (refused.said if visit.person.is_operator else refused.to_tenant)
    now = datetime.now(UTC)
    valid = [each for each in found if each.revoked_at is None and not each.has_expired(now)]
    return page(
        visit,
        "tokens.html",
        409 if refused else 200,
        valid=sorted(valid, key=lambda each: each.created_at, reverse=True),
        ended=[each for each in found if each not in valid],
        scopes=list(Scope),
        expires=_EXPIRES,
        form=form,
        problem=problem,
        now=now,
    )


def _add(visit: Visit) -> Response:
    form = visit.form
    tenant = form.get("tenant", "").strip() or None if visit.person.is_operator else visit.person.of_tenant
    scopes = [each for each in Scope if form.get(f"scope-{each}")]
    try:
        if not scopes:
            raise BadRequest("choose at least one thing that the token may do")
        with visit.person.directory() as directory:
            token, text = tokens.add(directory, tenant, scopes, form.get("expires") or "90d", datetime.now(UTC))
    except Refused as error:
        return _listed(visit, form, error)
    return page(visit, "token.html", token=token, text=text)


def _revoke(visit: Visit) -> Response:
    id, tenant = visit.part["id"], visit.person.of_tenant
    with visit.person.directory() as directory:
        found = directory.token(id)
        if found is None or (tenant is not None and found.tenant != tenant):
            raise NotFound(f"there is no token '{id}'", next_step="see: gatepost token list")
        tokens.revoke(directory, id, datetime.now(UTC))
    return RedirectResponse("/tokens", 303)


PAGES: Final = (
    Page("/tokens", Who.ADMINS, _list),
    Page("/tokens", Who.WRITERS, _add, "POST"),
    Page("/tokens/{id}/revoke", Who.WRITERS, _revoke, "POST"),
)
