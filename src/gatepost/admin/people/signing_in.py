"""How people come in and stay in: by a link once, by a password, and then by the secret of their session.

Laws: who does not exist takes as long as a wrong password; a session's secret is new with every sign-in; a new password
ends every session that was begun with the one before; whose role follows a provider's groups comes in by the provider
alone, which is asked for the groups each time.
"""

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.errors import BadRequest, NotAllowed
from gatepost.tenancy.person import SESSION_IDLE, Activity, Person, SignedIn, secret_sha256

SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 1000
_USE_NOTED_EVERY: Final = timedelta(minutes=1)
_ACTIVITIES_KEPT: Final = timedelta(days=90)


class Passwords(Protocol):
    """Slow on purpose."""

    def hashed(self, password: str) -> str: ...

    def fits(self, hashed: str | None, password: str) -> bool:
        """None takes as long, and is False."""


class Entered(NamedTuple):
    person: Person
    session: SignedIn


def invited(editor: DirectoryEditor, secret: str, at: datetime) -> Person:
    """Whom the link lets in. Raises `NotAllowed`."""
    person = editor.people.with_link(secret_sha256(secret))
    if person is None or person.disabled_at is not None or not person.is_opened_by_link(at):
        raise NotAllowed("this link was used already or has expired", next_step="ask the relay's operator for another")
    return person


def must_not_follow_groups(person: Person) -> None:
    """What is proven here alone would keep a role that the provider has taken back. Raises `NotAllowed`."""
    if person.role_by_groups:
        raise NotAllowed(
            f"the role of person {person.name} follows a provider's groups, so they sign in with the provider only",
            next_step="sign in with the provider",
        )


def set_password(
    editor: DirectoryEditor, passwords: Passwords, secret: str, password: str, address: str, at: datetime
) -> tuple[Person, str]:
    """By a link, which is used up by that. The person is signed in: the session's secret comes with it."""
    must_not_follow_groups(invited(editor, secret, at))
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadRequest(f"the password must have at least {SHORTEST_PASSWORD} characters")
    hashed = passwords.hashed(password)
    with editor.change():
        # Read again: two may have come with the same link.
        person = replace(
            invited(editor, secret, at), password=hashed, password_set_at=at, link_sha256=None, link_expires_at=None
        )
        editor.people.put(person, "set-password")
        editor.people.end_sessions_of(person.name)
        return begin(editor, person, address, "with a link", at)


def sign_in(
    editor: DirectoryEditor, passwords: Passwords, name: str, password: str, address: str, at: datetime
) -> tuple[Person, str]:
    """Raises `NotAllowed`."""
    person = editor.people.named(name)
    if not passwords.fits(person.password if person else None, password[:LONGEST_PASSWORD]) or person is None:
        if person is not None:
            note(editor, person.name, address, "failed to sign in", "", at)
        raise NotAllowed("this name and password do not belong together", next_step="try again, or ask for a new link")
    must_not_follow_groups(person)
    with editor.change():
        return begin(editor, person, address, "with a password", at)


def begin(editor: DirectoryEditor, person: Person, address: str, how: str, at: datetime) -> tuple[Person, str]:
    """A session for somebody who has proven who they are; its secret. Raises `NotAllowed`."""
    if person.disabled_at is not None:
        raise NotAllowed(f"person {person.name} is disabled", next_step="ask the relay's operator")
    editor.people.forget(at - SESSION_IDLE, at - _ACTIVITIES_KEPT)
    secret = secrets.token_urlsafe(32)
    editor.people.keep_session(
        SignedIn(secret_sha256=secret_sha256(secret), person=person.name, address=address, begun_at=at, used_at=at)
    )
    note(editor, person.name, address, "signed in", how, at)
    return person, secret


def entered(editor: DirectoryEditor, secret: str, at: datetime) -> Entered | None:
    """Whose session it is; None where it has ended."""
    session = editor.people.signed_in(secret_sha256(secret))
    person = editor.people.named(session.person) if session else None
    if session is None or person is None:
        return None
    if not session.holds_for(person, at):
        editor.people.end_session(session.secret_sha256)
        return None
    if at - session.used_at > _USE_NOTED_EVERY:
        session = replace(session, used_at=at)
        editor.people.note_session_used(session)
    return Entered(person, session)


def sign_out(editor: DirectoryEditor, entered: Entered, at: datetime) -> None:
    editor.people.end_session(entered.session.secret_sha256)
    note(editor, entered.person.name, entered.session.address, "signed out", "", at)


def note(editor: DirectoryEditor, person: str, address: str, what: str, about: str, at: datetime) -> None:
    editor.people.note_activity(Activity(at=at, person=person, address=address, what=what, about=about[:200]))
