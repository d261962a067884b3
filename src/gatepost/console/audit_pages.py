"""The audit: who changed what, and who looked at what, found by who, what and when; a tenant's is its own.

Law: a page is read until it is full and never counted; what follows begins at what was shown last.
"""

import time
from datetime import UTC, datetime
from typing import Final

from starlette.responses import Response

from gatepost.admin.directory import audit
from gatepost.admin.people import people
from gatepost.admin.trace.choice import time_said
from gatepost.console.page import Page, Who
from gatepost.console.rendering import page, with_query
from gatepost.console.visit import Visit
from gatepost.errors import BadRequest, with_keys
from gatepost.tenancy.person import ActivityFilter
from gatepost.tenancy.tenant import AuditFilter

_ROWS: Final = 100
_LARGEST: Final = 2**62
_FILTERS: Final = ("who", "what", "since", "until")


def _changes(visit: Visit) -> Response:
    wanted, problem = AuditFilter(), None
    try:
        since, until = _time(visit, "since"), _time(visit, "until")
        wanted = AuditFilter(who=visit.said("who"), what=visit.said("what"), since=since, until=until)
    except BadRequest as error:
        problem = error
    before, owner = _before(visit), visit.person.of_tenant
    with visit.person.directory() as directory:
        if owner is None:
            found = directory.audit(wanted=wanted, before=before, limit=_ROWS + 1)
        else:
            found = audit.changes_of(directory, owner, before=before, limit=_ROWS + 1, wanted=wanted)
    following = with_query(visit, before=found[_ROWS - 1].version) if len(found) > _ROWS else None
    return _shown(visit, "audit.html", problem, entries=found[:_ROWS], following=following)


def _activity(visit: Visit) -> Response:
    wanted, problem = ActivityFilter(tenant=visit.person.of_tenant), None
    try:
        wanted = ActivityFilter(
            person=visit.said("who"),
            tenant=visit.person.of_tenant,
            what=visit.said("what"),
            since=_time(visit, "since"),
            until=_time(visit, "until"),
            before=_before(visit),
        )
    except BadRequest as error:
        problem = error
    with visit.person.directory() as directory:
        found = people.activities(directory, wanted, _ROWS + 1)
    following = with_query(visit, before=found[_ROWS - 1].id) if len(found) > _ROWS else None
    return _shown(visit, "activity.html", problem, activities=found[:_ROWS], following=following)


def _shown(visit: Visit, template: str, problem: BadRequest | None, /, **shown: object) -> Response:
    """Nothing but the problem where there is one: what else is shown would pass for what was asked."""
    return page(
        visit,
        template,
        409 if problem else 200,
        problem=problem and with_keys(problem.said.message),
        problem_field=problem and problem.field and problem.field.name,
        is_filtered=any(visit.said(each) for each in _FILTERS),
        **shown,
    )


def _time(visit: Visit, name: str) -> datetime | None:
    text = visit.said(name)
    return None if text is None else datetime.fromtimestamp(time_said(name, text, time.time()), UTC)


def _before(visit: Visit) -> int | None:
    text = visit.said("before") or ""
    return min(int(text), _LARGEST) if text.isascii() and text.isdigit() and len(text) < 20 else None


PAGES: Final = (
    Page("/audit", Who.ADMINS, _changes),
    Page("/audit/activity", Who.ADMINS, _activity),
)
