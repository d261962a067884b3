"""Who may use the console: added, listed and removed by the operator, each let in once by a link."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.lookups import tenant_named
from gatepost.errors import AlreadyExists, BadRequest, NotFound
from gatepost.tenancy.definitions import PERSON
from gatepost.tenancy.person import LINK_LIFETIME, Activity, Person, Role, secret_sha256

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}\Z", re.ASCII)


def add(editor: DirectoryEditor, name: str, tenant: str | None, role: str | None, at: datetime) -> tuple[Person, str]:
    """The new person, and the secret of the link that lets them in."""
    if not _NAME.match(name):
        raise BadRequest(f"'{name}' must be up to 64 letters, digits and . _ @ + -, and begin with a letter or digit")
    with editor.change():
        if editor.people.named(name):
            raise AlreadyExists(f"there is a person '{name}'", next_step=f"for a new link: gatepost person link {name}")
        owner = None if tenant is None else tenant_named(editor, tenant).name
        person = Person(name=name, tenant=owner, role=_role(role, owner), created_at=at)
        return _with_link(editor, person, "add", at)


def link(editor: DirectoryEditor, name: str, at: datetime) -> tuple[Person, str]:
    """Another link, in the place of any that is open. The password stays good until the link is used."""
    with editor.change():
        return _with_link(editor, named(editor, name), "link", at)


def remove(editor: DirectoryEditor, name: str) -> Person:
    with editor.change():
        person = named(editor, name)
        editor.people.remove(person)
        return person


def every(editor: DirectoryEditor, tenant: str | None) -> Sequence[Person]:
    return editor.people.every(tenant_named(editor, tenant).name if tenant else None)


def activities(editor: DirectoryEditor, name: str | None, limit: int) -> Sequence[Activity]:
    """Newest first. One who was removed still has some."""
    return editor.people.activities(name, limit)


def named(editor: DirectoryEditor, name: str) -> Person:
    person = editor.people.named(name)
    if person is None:
        raise NotFound(f"there is no person '{name}'", next_step="see: gatepost person list")
    return person


def _with_link(editor: DirectoryEditor, person: Person, action: str, at: datetime) -> tuple[Person, str]:
    secret = secrets.token_urlsafe(32)
    person = replace(person, link_sha256=secret_sha256(secret), link_expires_at=at + LINK_LIFETIME)
    editor.people.put(person, action)
    return person, secret


def _role(text: str | None, tenant: str | None) -> Role:
    if text is None:
        return Role.OPERATOR if tenant is None else Role.TENANT_ADMIN
    fitting = [each for each in Role if each.is_of_tenant is (tenant is not None)]
    if text not in fitting:
        raise BadRequest(PERSON["role"], f" {text}: must be {' or '.join(fitting)}")
    return Role(text)
