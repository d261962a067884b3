"""Passkeys of people: added by whoever is signed in, removed by them or by whoever manages them, and signed in with.

Laws: a passkey is its person's alone, and counts only as far as `proof` says so; whose role follows a provider's groups
has none, and comes in by none.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.people import signing_in
from gatepost.errors import AlreadyExists, BadRequest, LimitReached, NotAllowed, NotFound
from gatepost.tenancy.person import Passkey, Person

MOST: Final = 20
"""Of one person."""
LONGEST_LABEL: Final = 60


def add(editor: DirectoryEditor, passkey: Passkey) -> None:
    with editor.change():
        if not 0 < len(passkey.label) <= LONGEST_LABEL or not passkey.label.isprintable():
            raise BadRequest(f"the name of a passkey must have 1 to {LONGEST_LABEL} characters")
        if person := editor.people.named(passkey.person):
            signing_in.must_not_follow_groups(person)
        if editor.people.passkey(passkey.id):
            raise AlreadyExists("this passkey is registered already")
        if len(editor.people.passkeys_of(passkey.person)) >= MOST:
            raise LimitReached(f"a person has at most {MOST} passkeys", next_step="remove one first")
        editor.people.put_passkey(passkey)


def remove(editor: DirectoryEditor, person: Person, id: str) -> None:
    with editor.change():
        passkey = editor.people.passkey(id)
        if passkey is None or passkey.person.casefold() != person.name.casefold():
            raise NotFound("there is no such passkey")
        editor.people.remove_passkey(passkey)


def sign_in(
    editor: DirectoryEditor, id: str, proof: Callable[[Passkey], int], address: str, at: datetime
) -> tuple[Person, str]:
    """The person, and the secret of their new session. `proof`: the new count of the passkey. Raises `NotAllowed`."""
    with editor.change():
        passkey = editor.people.passkey(id)
        person = editor.people.named(passkey.person) if passkey else None
        if passkey is None or person is None:
            raise NotAllowed("this passkey is not registered here", next_step="sign in another way, and add it again")
        signing_in.must_not_follow_groups(person)
        editor.people.note_passkey_used(replace(passkey, sign_count=proof(passkey), used_at=at))
        return signing_in.begin(editor, person, address, f"with passkey {passkey.label}", at)
