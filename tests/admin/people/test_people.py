"""People are added with a role that fits, and let in by a link."""

from datetime import datetime

import pytest

from gatepost.admin.people import people
from gatepost.errors import AlreadyExists, BadRequest, NotFound
from gatepost.store.directory.editor import SqliteDirectoryEditor
from gatepost.tenancy.person import LINK_LIFETIME, ActivityFilter, Role


@pytest.mark.parametrize(
    ("tenant", "role", "gets"),
    [
        (None, None, Role.OPERATOR),
        (None, "operator-read", Role.OPERATOR_READ),
        ("contoso", None, Role.TENANT_ADMIN),
        ("Contoso", "tenant-read", Role.TENANT_READ),
    ],
)
def test_a_role_fits_what_the_person_sees(
    editor: SqliteDirectoryEditor, at: datetime, tenant: str | None, role: str | None, gets: Role
) -> None:
    person, _ = people.add(editor, "ann", tenant, role, at)
    assert (person.role, person.tenant) == (gets, tenant and "contoso")
    assert person.link_expires_at == at + LINK_LIFETIME


@pytest.mark.parametrize(
    ("tenant", "role"), [(None, "tenant-read"), ("contoso", "operator"), ("contoso", "king"), (None, "")]
)
def test_a_role_that_does_not_fit_is_refused(
    editor: SqliteDirectoryEditor, at: datetime, tenant: str | None, role: str
) -> None:
    with pytest.raises(BadRequest, match="must be"):
        people.add(editor, "ann", tenant, role, at)
    assert people.every(editor, None) == []


@pytest.mark.parametrize("name", ["", "two words", "-x", "ä", "a\n", "x" * 65, "../a"])
def test_a_name_is_one_plain_word(editor: SqliteDirectoryEditor, at: datetime, name: str) -> None:
    with pytest.raises(BadRequest):
        people.add(editor, name, None, None, at)


def test_nobody_is_there_twice_and_a_tenant_must_exist(editor: SqliteDirectoryEditor, at: datetime) -> None:
    people.add(editor, "ann", "contoso", None, at)
    with pytest.raises(AlreadyExists, match="person link ANN"):
        people.add(editor, "ANN", "fabrikam", None, at)
    with pytest.raises(NotFound):
        people.add(editor, "bob", "tailspin", None, at)
    assert [each.name for each in people.every(editor, "contoso")] == ["ann"]
    assert people.every(editor, "fabrikam") == []


def test_a_new_link_ends_the_one_before(editor: SqliteDirectoryEditor, at: datetime) -> None:
    person, first = people.add(editor, "ann", "contoso", None, at)
    again, second = people.link(editor, "ann", at)
    assert first != second and person.link_sha256 != again.link_sha256
    assert editor.people.with_link(person.link_sha256 or "") is None


def test_one_who_does_not_exist_is_not_found(editor: SqliteDirectoryEditor, at: datetime) -> None:
    for act in (lambda: people.link(editor, "ann", at), lambda: people.remove(editor, "ann")):
        with pytest.raises(NotFound, match="person list"):
            act()
    assert people.activities(editor, ActivityFilter(person="ann"), 10) == []
