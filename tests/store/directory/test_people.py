"""People in the directory file: audited without secrets; sessions and activities are no changes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gatepost.admin.directory import tenants
from gatepost.store.directory.editor import SqliteDirectoryEditor
from gatepost.tenancy.person import Activity, ActivityFilter, Identity, Passkey, Person, Role, SignedIn

AT = datetime(2026, 1, 2, tzinfo=UTC)
ANN = Person(
    name="ann", tenant="contoso", role=Role.TENANT_ADMIN, created_at=AT, password="secret-hash", link_sha256="link-hash"
)
ALL = ActivityFilter()
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
    people.note_session_used(later)
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
    assert people.activities(ALL, 10) == [second, first]
    people.forget(AT + timedelta(days=1), AT + timedelta(days=1))
    assert people.signed_in("c") is None and people.activities(ALL, 10) == []
    assert editor.version == version


def test_activities_are_found_by_who_what_and_when_and_by_tenant(editor: SqliteDirectoryEditor) -> None:
    people = editor.people
    for minute, (name, what, about) in enumerate(
        [("ann", "looked at", "message A"), ("olga", "looked at", "message B"), ("Ann", "signed in", "")]
    ):
        at = AT + timedelta(minutes=minute)
        people.note_activity(Activity(at=at, person=name, address="192.0.2.1", what=what, about=about))

    def found(**said: object) -> list[str]:
        return [f"{each.what} {each.about}".strip() for each in people.activities(ActivityFilter(**said), 10)]

    assert found(person="ann") == ["signed in", "looked at message A"] == found(tenant="CONTOSO")
    assert found(tenant="fabrikam") == []
    assert found(what="at MESSAGE") == ["looked at message B", "looked at message A"]
    assert found(since=AT + timedelta(minutes=1), until=AT + timedelta(minutes=2)) == ["looked at message B"]
    newest = people.activities(ALL, 1)[0]
    assert found(before=newest.id) == ["looked at message B", "looked at message A"]


def test_what_a_removed_tenants_people_did_is_not_a_later_ones(editor: SqliteDirectoryEditor) -> None:
    editor.people.note_activity(Activity(at=AT, person="ann", address="192.0.2.1", what="signed in", about=""))
    tenants.remove(editor, "contoso", with_contents=False)
    tenants.add(editor, "contoso", AT)
    assert editor.people.activities(ActivityFilter(tenant="contoso"), 10) == []
    assert len(editor.people.activities(ALL, 10)) == 1


def test_an_identity_is_found_exactly_as_it_is_written(editor: SqliteDirectoryEditor) -> None:
    identity = Identity("https://login.example/A", "aBc")
    editor.people.put(replace(ANN, identity=identity), "set")
    assert editor.people.with_identity(identity) == editor.people.named("ann")
    for issuer, subject in (
        ("https://login.example/a", "aBc"),
        ("https://login.example/A", "abc"),
        ("https://login.example/A/", "aBc"),
        ("https://login.example/A", "aBc "),
    ):
        assert editor.people.with_identity(Identity(issuer, subject)) is None
    assert editor.audit(subject="person ann")[0].after == {
        **(editor.audit(subject="person ann")[1].after or {}),
        "identity": {"issuer": "https://login.example/A", "subject": "aBc"},
    }


def test_passkeys_are_audited_without_their_keys_and_go_with_their_person(editor: SqliteDirectoryEditor) -> None:
    people = editor.people
    phone = Passkey(id="cGhvbmU", person="ann", public_key=b"cose", sign_count=1, label="phone", created_at=AT)
    laptop = replace(phone, id="bGFwdG9w", label="laptop", created_at=AT + timedelta(hours=1))
    for each in (laptop, phone):
        people.put_passkey(each)
    assert people.passkeys_of("ANN") == [phone, laptop] and people.passkey("bGFwdG9w") == laptop
    version = editor.version
    used = replace(phone, sign_count=5, used_at=AT + timedelta(days=1))
    people.note_passkey_used(used)
    assert people.passkey(phone.id) == used and editor.version == version
    people.remove_passkey(used)
    assert people.passkey(phone.id) is None
    found = editor.audit(tenant="contoso", subject="person ann")
    assert [each.action for each in found] == ["remove-passkey", "add-passkey", "add-passkey", "add"]
    assert "cose" not in str(found)
    people.remove(ANN)
    assert people.passkey(laptop.id) is None


def test_a_ticket_is_used_once_and_the_key_stays(editor: SqliteDirectoryEditor, tmp_path: Path) -> None:
    other = SqliteDirectoryEditor(tmp_path / "directory.sqlite", who="another console")
    assert editor.people.key() == other.people.key() and len(editor.people.key()) == 32
    assert editor.people.use_ticket("a", AT) and not other.people.use_ticket("a", AT)
    editor.people.forget(AT + timedelta(days=1), AT)
    assert other.people.use_ticket("a", AT)


def test_sessions_of_a_person_are_listed_by_use(editor: SqliteDirectoryEditor) -> None:
    old, new = session("a", "ann"), session("b", "ann", AT + timedelta(minutes=1))
    for each in (new, old, session("c", "olga")):
        editor.people.keep_session(each)
    assert editor.people.sessions_of("ann") == [new, old]
