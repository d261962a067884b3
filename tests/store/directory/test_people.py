"""People in the directory file: audited without secrets; sessions and activities are no changes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gatepost.admin.directory import tenants
from gatepost.store.directory.editor import SqliteDirectoryEditor
from gatepost.tenancy.person import Activity, Person, Role, SignedIn

AT = datetime(2026, 1, 2, tzinfo=UTC)
ANN = Person(
    name="ann", tenant="contoso", role=Role.TENANT_ADMIN, created_at=AT, password="secret-hash", link_sha256="link-hash"
)
OLGA = Person(name="olga", tenant=None, role=Role.OPERATOR, created_at=AT)


@pytest.fixture
def editor(tmp_path: Path) -> SqliteDirectoryEditor:
    editor = SqliteDirectoryEditor(tmp_path / "directory.sqlite", who="tester")
    tenants.add(editor, "contoso", AT)
    tenants.add(editor, "fabrikam", AT)
    for each in (ANN, OLGA):
        editor.people.put(each, "add")
    return editor


def session(secret: str, person: str, at: datetime = AT) -> SignedIn:
    return SignedIn(secret_sha256=secret, person=person, address="192.0.2.1", begun_at=at, used_at=at)


def test_what_is_stored_is_read_back(editor: SqliteDirectoryEditor) -> None:
    people = editor.people
    assert people.named("ANN") == ANN and people.with_link("link-hash") == ANN
    assert people.named("bob") is None and people.with_link("other") is None
    assert people.every() == [OLGA, ANN] and people.every("contoso") == [ANN] and people.every("fabrikam") == []


def test_the_audit_shows_each_change_and_no_secret(editor: SqliteDirectoryEditor) -> None:
    editor.people.put(replace(ANN, password="new-hash", link_sha256=None), "set-password")
    editor.people.remove(ANN)
    found = editor.audit(subject="person ann")
    assert [each.action for each in found] == ["remove", "set-password", "add"]
    assert "hash" not in str(found)
    assert editor.audit(tenant="contoso", subject="person ") == found


def test_a_tenant_that_is_removed_takes_its_people_along(editor: SqliteDirectoryEditor) -> None:
    editor.people.keep_session(session("s", "ann"))
    tenants.remove(editor, "contoso", with_contents=False)
    assert editor.people.every() == [OLGA] and editor.people.signed_in("s") is None
    assert [each.action for each in editor.audit(subject="person ann")] == ["remove", "add"]


def test_sessions_and_activities_are_no_changes(editor: SqliteDirectoryEditor) -> None:
    version = editor.version
    people = editor.people
    people.keep_session(session("a", "ann"))
    people.keep_session(session("b", "ann"))
    people.keep_session(session("c", "olga"))
    later = replace(session("a", "ann"), used_at=AT + timedelta(minutes=5))
    people.keep_session(later)
    assert people.signed_in("a") == later and people.signed_in("x") is None
    people.end_session("a")
    assert people.signed_in("a") is None
    people.end_sessions_of("ann")
    assert people.signed_in("b") is None and people.signed_in("c")
    first, second = (
        Activity(at=AT, person=name, address="192.0.2.1", what="looked at", about="x") for name in ("ann", "olga")
    )
    people.note_activity(first)
    people.note_activity(second)
    assert people.activities(None, 10) == [second, first] and people.activities("ann", 10) == [first]
    people.forget(AT + timedelta(days=1), AT + timedelta(days=1))
    assert people.signed_in("c") is None and people.activities(None, 10) == []
    assert editor.version == version
