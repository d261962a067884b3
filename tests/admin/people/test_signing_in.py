"""A link opens once; a session holds as long as its person and password; wrong is wrong, for whatever reason."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from gatepost.admin.people import people, signing_in
from gatepost.errors import BadRequest, NotAllowed, Refused
from gatepost.store.directory.editor import SqliteDirectoryEditor
from gatepost.tenancy.person import ActivityFilter

PASSWORD = "long enough for anybody"
FROM = "192.0.2.1"


class Plain:
    """Not slow."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []

    def hashed(self, password: str) -> str:
        return f"hash of {password}"

    def fits(self, hashed: str | None, password: str) -> bool:
        self.asked.append(hashed)
        return hashed == self.hashed(password)


@pytest.fixture
def secret(editor: SqliteDirectoryEditor, at: datetime) -> str:
    """Of Ann's link."""
    people.add(editor, "fred", "fabrikam", None, at)
    return people.add(editor, "ann", "contoso", None, at)[1]


@pytest.fixture
def session(editor: SqliteDirectoryEditor, at: datetime, secret: str) -> str:
    return signing_in.set_password(editor, Plain(), secret, PASSWORD, FROM, at)[1]


def test_a_link_opens_once(editor: SqliteDirectoryEditor, at: datetime, secret: str, session: str) -> None:
    assert (found := signing_in.entered(editor, session, at)) and found.person.name == "ann"
    with pytest.raises(NotAllowed, match="used already"):
        signing_in.set_password(editor, Plain(), secret, PASSWORD, FROM, at)


def test_a_link_is_not_used_up_by_looking_or_by_a_short_password(
    editor: SqliteDirectoryEditor, at: datetime, secret: str
) -> None:
    signing_in.invited(editor, secret, at)
    with pytest.raises(BadRequest, match="12 characters"):
        signing_in.set_password(editor, Plain(), secret, "short", FROM, at)
    assert signing_in.invited(editor, secret, at).name == "ann"


def test_a_link_ends_after_a_day(editor: SqliteDirectoryEditor, at: datetime, secret: str) -> None:
    with pytest.raises(NotAllowed):
        signing_in.invited(editor, secret, at + timedelta(hours=24))


def test_every_wrong_sign_in_reads_the_same_and_takes_as_long(
    editor: SqliteDirectoryEditor, at: datetime, session: str
) -> None:
    said = set()
    for name, password in (("ann", "wrong"), ("nobody", PASSWORD), ("fred", PASSWORD), ("", ""), ("ann", "")):
        passwords = Plain()
        with pytest.raises(NotAllowed) as refused:
            signing_in.sign_in(editor, passwords, name, password, FROM, at)
        said.add(str(refused.value))
        assert len(passwords.asked) == 1
    assert len(said) == 1
    assert [each.what for each in people.activities(editor, ActivityFilter(person="fred"), 10)] == ["failed to sign in"]


def test_each_sign_in_has_a_session_of_its_own(editor: SqliteDirectoryEditor, at: datetime, session: str) -> None:
    _, other = signing_in.sign_in(editor, Plain(), "Ann", PASSWORD, FROM, at)
    found = signing_in.entered(editor, other, at)
    assert other != session and found
    signing_in.sign_out(editor, found, at)
    assert signing_in.entered(editor, other, at) is None and signing_in.entered(editor, session, at)
    assert [each.what for each in people.activities(editor, ActivityFilter(person="ann"), 10)] == [
        "signed out",
        "signed in",
        "signed in",
    ]


def test_use_keeps_a_session_alive_until_its_age_ends_it(
    editor: SqliteDirectoryEditor, at: datetime, session: str
) -> None:
    for _ in range(35):
        at += timedelta(minutes=20)
        assert signing_in.entered(editor, session, at)
    assert signing_in.entered(editor, session, at + timedelta(minutes=20)) is None
    assert signing_in.entered(editor, session, at) is None, "one that has ended is gone"


def test_use_does_not_bring_back_a_session_that_ended_meanwhile(
    editor: SqliteDirectoryEditor, at: datetime, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (read,) = editor.people.sessions_of("ann")
    people.end_sessions(editor, "ann")
    monkeypatch.setattr(editor.people, "signed_in", lambda sha256: read)
    signing_in.entered(editor, session, at + timedelta(minutes=2))
    assert editor.people.sessions_of("ann") == []


@pytest.mark.parametrize(
    "end",
    [
        lambda editor, at: people.remove(editor, "ann"),
        lambda editor, at: signing_in.set_password(
            editor, Plain(), people.link(editor, "ann", at)[1], PASSWORD, FROM, at
        ),
    ],
    ids=["removed", "new password"],
)
def test_a_session_ends_with_its_person_and_its_password(
    editor: SqliteDirectoryEditor,
    at: datetime,
    session: str,
    end: Callable[[SqliteDirectoryEditor, datetime], object],
) -> None:
    end(editor, at)
    assert signing_in.entered(editor, session, at) is None


@pytest.mark.parametrize("text", ["", "x", "\udc80", "' OR 1=1", "x" * 10000])
def test_what_is_no_secret_opens_nothing(editor: SqliteDirectoryEditor, at: datetime, text: str) -> None:
    assert signing_in.entered(editor, text, at) is None
    with pytest.raises(Refused):
        signing_in.invited(editor, text, at)
