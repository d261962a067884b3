"""What people may do, and how long a session holds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gatepost.tenancy.person import SESSION_IDLE, SESSION_LIFETIME, Person, Role, SignedIn

AT = datetime(2026, 1, 2, tzinfo=UTC)


def person(password_set_at: datetime | None = AT, link_expires_at: datetime | None = None) -> Person:
    return Person(
        name="ann",
        tenant="contoso",
        role=Role.TENANT_READ,
        created_at=AT,
        password_set_at=password_set_at,
        link_expires_at=link_expires_at,
        password="hash",
        link_sha256="hash",
    )


def session(begun_at: datetime, used_at: datetime) -> SignedIn:
    return SignedIn(secret_sha256="00", person="ann", address="192.0.2.1", begun_at=begun_at, used_at=used_at)


def test_a_session_ends_with_idleness_and_with_its_age() -> None:
    fresh = session(AT, AT)
    assert fresh.holds_for(person(), AT + SESSION_IDLE - timedelta(seconds=1))
    assert not fresh.holds_for(person(), AT + SESSION_IDLE)
    end = AT + SESSION_LIFETIME
    assert session(AT, end).holds_for(person(), end - timedelta(seconds=1))
    assert not session(AT, end).holds_for(person(), end)


def test_a_session_ends_with_the_password_that_it_was_begun_by() -> None:
    assert not session(AT, AT).holds_for(person(AT + timedelta(seconds=1)), AT + timedelta(seconds=2))
    assert session(AT, AT).holds_for(person(None), AT), "begun without a password"


def test_a_session_ends_when_the_person_is_disabled() -> None:
    assert not session(AT, AT).holds_for(replace(person(), disabled_at=AT), AT)


def test_a_link_opens_until_it_expires() -> None:
    assert person(link_expires_at=AT).is_opened_by_link(AT - timedelta(seconds=1))
    assert not person(link_expires_at=AT).is_opened_by_link(AT)
    assert not person().is_opened_by_link(AT)


@pytest.mark.parametrize(
    ("role", "of_operators", "of_tenant", "writes"),
    [
        (Role.OPERATOR, True, False, True),
        (Role.OPERATOR_READ, True, False, False),
        (Role.TENANT_ADMIN, False, True, True),
        (Role.TENANT_READ, False, True, False),
        (Role.TRACE_WITHOUT_SUBJECT, True, True, False),
    ],
)
def test_each_role_is_what_its_name_says(role: Role, of_operators: bool, of_tenant: bool, writes: bool) -> None:
    assert (role.fits(None), role.fits("contoso"), role.may_write) == (of_operators, of_tenant, writes)
    assert role.sees_trace_only is (of_operators and of_tenant)


def test_no_secret_is_shown_where_a_person_is() -> None:
    assert "hash" not in repr(person()) and "00" not in repr(session(AT, AT)).partition("person")[0]
