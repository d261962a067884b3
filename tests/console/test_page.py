"""Which role opens what."""

from datetime import UTC, datetime

import pytest
from starlette.responses import Response

from gatepost.console.page import Page, Who
from gatepost.tenancy.person import Person, Role


@pytest.mark.parametrize(
    ("who", "roles"),
    [
        (Who.ANYBODY, set(Role)),
        (Who.TRACERS, set(Role)),
        (Who.PEOPLE, set(Role) - {Role.TRACE_WITHOUT_SUBJECT}),
        (Who.WRITERS, {Role.OPERATOR, Role.TENANT_ADMIN}),
        (Who.ADMINS, {Role.OPERATOR, Role.OPERATOR_READ, Role.TENANT_ADMIN}),
        (Who.OPERATORS, {Role.OPERATOR, Role.OPERATOR_READ}),
    ],
)
def test_a_page_is_open_to_the_roles_that_it_names(who: Who, roles: set[Role]) -> None:
    page = Page("/", who, lambda visit: Response())
    at = datetime.now(UTC)
    people = [
        Person(name="x", tenant=tenant, role=role, created_at=at)
        for role in Role
        for tenant in (None, "t")
        if role.fits(tenant)
    ]
    assert {each.role for each in people if page.is_open_to(each)} == roles
