"""Who may use the console: added, listed and removed by the operator, each let in once by a link."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.lookups import tenant_named
from gatepost.errors import AlreadyExists, BadRequest, LimitReached, NotAllowed, NotFound
from gatepost.tenancy.definitions import PERSON
from gatepost.tenancy.person import LINK_LIFETIME, Activity, ActivityFilter, Identity, Person, Role, secret_sha256

MOST_OF_A_TENANT: Final = 500
"""That its administrators may add; an operator may add more."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}\Z", re.ASCII)


def add(editor: DirectoryEditor, name: str, tenant: str | None, role: str | None, at: datetime) -> tuple[Person, str]:
    """The new person, and the secret of the link that lets them in."""
    with editor.change():
        return _with_link(editor, _new(editor, name, tenant, role, at), "add", at)


def add_known_elsewhere(
    editor: DirectoryEditor, name: str, tenant: str | None, role: str | None, identity: Identity, at: datetime
) -> Person:
    """Somebody whom a provider lets in, by exactly this identity; they need no link."""
    with editor.change():
        if not (identity.issuer.isprintable() and identity.subject.isprintable() and identity.subject):
            raise BadRequest(PERSON["identity"], " must be an issuer and a subject, as the provider writes them")
        if owner := editor.people.with_identity(identity):
            raise AlreadyExists(f"this identity belongs to person {owner.name}")
        person = replace(_new(editor, name, tenant, role, at), identity=identity)
        editor.people.put(person, "add")
        return person


def link(editor: DirectoryEditor, name: str, at: datetime) -> tuple[Person, str]:
    """Another link, in the place of any that is open. The password stays good until the link is used."""
    with editor.change():
        return _with_link(editor, named(editor, name), "link", at)


def set_role(editor: DirectoryEditor, name: str, role: str) -> Person:
    """From now on the operator decides it, whatever groups say."""
    with editor.change():
        person = named(editor, name)
        changed = replace(person, role=_role(role, person.tenant), role_by_groups=False)
        if changed.role is not Role.OPERATOR:
            _must_leave_an_operator(editor, person)
        if changed != person:
            editor.people.put(changed, "set-role")
        return changed


def disable(editor: DirectoryEditor, name: str, at: datetime) -> Person:
    """Their sessions end at once, and nothing lets them in until they are enabled."""
    with editor.change():
        person = named(editor, name)
        if person.disabled_at is None:
            _must_leave_an_operator(editor, person)
            person = replace(person, disabled_at=at, link_sha256=None, link_expires_at=None)
            editor.people.put(person, "disable")
        editor.people.end_sessions_of(person.name)
        return person


def enable(editor: DirectoryEditor, name: str) -> Person:
    with editor.change():
        person = named(editor, name)
        if person.disabled_at is not None:
            person = replace(person, disabled_at=None)
            editor.people.put(person, "enable")
        return person


def end_sessions(editor: DirectoryEditor, name: str) -> Person:
    with editor.change():
        person = named(editor, name)
        editor.people.end_sessions_of(person.name)
        editor.note("end-sessions", f"person {person.name}", {"tenant": person.tenant})
        return person


def remove(editor: DirectoryEditor, name: str) -> Person:
    with editor.change():
        person = named(editor, name)
        editor.people.remove(person)
        return person


def every(editor: DirectoryEditor, tenant: str | None) -> Sequence[Person]:
    return editor.people.every(tenant_named(editor, tenant).name if tenant else None)


def activities(editor: DirectoryEditor, wanted: ActivityFilter, limit: int) -> Sequence[Activity]:
    """Newest first. One who was removed still has some."""
    return editor.people.activities(wanted, limit)


def named(editor: DirectoryEditor, name: str) -> Person:
    person = editor.people.named(name)
    if person is None:
        raise NotFound(f"there is no person '{name}'", next_step="see: gatepost person list")
    return person


def _new(editor: DirectoryEditor, name: str, tenant: str | None, role: str | None, at: datetime) -> Person:
    if not _NAME.match(name):
        raise BadRequest(f"'{name}' must be up to 64 letters, digits and . _ @ + -, and begin with a letter or digit")
    if editor.people.named(name):
        raise AlreadyExists(f"there is a person '{name}'", next_step=f"for a new link: gatepost person link {name}")
    owner = None if tenant is None else tenant_named(editor, tenant).name
    if owner is not None and editor.allowance.by_tenant and len(editor.people.every(owner)) >= MOST_OF_A_TENANT:
        raise LimitReached(f"tenant {owner} has {MOST_OF_A_TENANT} people", next_step="remove somebody first")
    return Person(name=name, tenant=owner, role=_role(role, owner), created_at=at)


def _must_leave_an_operator(editor: DirectoryEditor, person: Person) -> None:
    if person.role is not Role.OPERATOR or person.disabled_at is not None:
        return
    others = (each for each in editor.people.every(None) if each.name != person.name)
    if not any(each.role is Role.OPERATOR and each.disabled_at is None for each in others):
        raise NotAllowed(
            f"person {person.name} is the only operator", next_step="add another: gatepost person add NAME --operator"
        )


def _with_link(editor: DirectoryEditor, person: Person, action: str, at: datetime) -> tuple[Person, str]:
    if person.disabled_at is not None:
        raise NotAllowed(f"person {person.name} is disabled", next_step=f"run: gatepost person enable {person.name}")
    secret = secrets.token_urlsafe(32)
    person = replace(person, link_sha256=secret_sha256(secret), link_expires_at=at + LINK_LIFETIME)
    editor.people.put(person, action)
    return person, secret


def _role(text: str | None, tenant: str | None) -> Role:
    if text is None:
        return Role.OPERATOR if tenant is None else Role.TENANT_ADMIN
    fitting = [each for each in Role if each.fits(tenant)]
    if text not in fitting:
        raise BadRequest(PERSON["role"], f" {text}: must be {' or '.join(fitting)}")
    return Role(text)
