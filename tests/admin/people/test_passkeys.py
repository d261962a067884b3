"""A passkey is of one person, and counts as far as it is proven."""

from datetime import datetime
from typing import NoReturn

import pytest

from gatepost.admin.people import passkeys, people, signing_in
from gatepost.errors import AlreadyExists, BadRequest, NotAllowed, NotFound
from gatepost.store.directory.editor import SqliteDirectoryEditor
from gatepost.tenancy.person import Passkey

FROM = "192.0.2.1"


@pytest.fixture
def phone(editor: SqliteDirectoryEditor, at: datetime) -> Passkey:
    people.add(editor, "ann", "contoso", None, at)
    people.add(editor, "fred", "fabrikam", None, at)
    phone = Passkey(id="cGhvbmU", person="ann", public_key=b"cose", sign_count=3, label="phone", created_at=at)
    passkeys.add(editor, phone)
    return phone


def test_who_proves_it_is_signed_in_and_its_count_is_kept(
    editor: SqliteDirectoryEditor, at: datetime, phone: Passkey
) -> None:
    person, secret = passkeys.sign_in(editor, phone.id, lambda passkey: passkey.sign_count + 1, FROM, at)
    assert person.name == "ann" and signing_in.entered(editor, secret, at)
    assert (found := editor.people.passkey(phone.id)) and (found.sign_count, found.used_at) == (4, at)


def test_what_is_not_proven_changes_nothing(editor: SqliteDirectoryEditor, at: datetime, phone: Passkey) -> None:
    def disproven(passkey: Passkey) -> NoReturn:
        raise NotAllowed("no")

    with pytest.raises(NotAllowed):
        passkeys.sign_in(editor, phone.id, disproven, FROM, at)
    assert editor.people.passkey(phone.id) == phone and editor.people.sessions_of("ann") == []
    with pytest.raises(NotAllowed, match="not registered"):
        passkeys.sign_in(editor, "other", lambda passkey: 0, FROM, at)


def test_one_is_added_once_and_removed_by_its_person(
    editor: SqliteDirectoryEditor, at: datetime, phone: Passkey
) -> None:
    with pytest.raises(AlreadyExists):
        passkeys.add(editor, phone)
    with pytest.raises(NotFound):
        passkeys.remove(editor, people.named(editor, "fred"), phone.id)
    passkeys.remove(editor, people.named(editor, "ANN"), phone.id)
    with pytest.raises(NotFound):
        passkeys.remove(editor, people.named(editor, "ann"), phone.id)


@pytest.mark.parametrize("label", ["", "x" * 61, "a\nb", "\x1b[31m"])
def test_its_name_is_one_short_line(editor: SqliteDirectoryEditor, at: datetime, phone: Passkey, label: str) -> None:
    with pytest.raises(BadRequest):
        passkeys.add(editor, Passkey(id="b", person="ann", public_key=b"", sign_count=0, label=label, created_at=at))
