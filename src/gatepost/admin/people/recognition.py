"""People whom an identity provider vouches for: known by their identity, let in by a link, or made by a group.

    an assertion ─▶ the person with that identity ─▶ the role that the groups give, where groups decide ─▶ signed in
                 └▶ whoever a one-time link invites ─▶ linked
                 └▶ a group with a role ─▶ a new person

Laws: an identity is linked where the operator said so, by a command or a link, and is made where a group of the
configuration says so, never because names are alike; whom a group made comes in while a group gives a role, and an
assertion without groups gives none; a role that the operator gave is not changed by groups; a link used with a provider
ends what was proven before, as one used for a password does.
"""

import re
import secrets
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.lookups import tenant_named
from gatepost.admin.people import people, signing_in
from gatepost.errors import NotAllowed, NotFound
from gatepost.tenancy.person import Identity, Person
from gatepost.tenancy.provider import Assertion, GroupRole, Provider

_LONGEST_NAME: Final = 40
_UNFIT: Final = re.compile(r"[^A-Za-z0-9._+-]")


class _RoleTakenBack(NotAllowed):
    def __init__(self, person: Person, says: str) -> None:
        super().__init__(says, next_step="ask the relay's operator")
        self.person = person


class IdentityProvider(Protocol):
    @property
    def provider(self) -> Provider: ...

    def address(self, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Where the browser is sent. Raises `ProviderFault`."""

    def assertion(self, code: str, issuer: str | None, redirect_uri: str, nonce: str, verifier: str) -> Assertion:
        """What the provider says of whoever came back with `code`. Raises `ProviderFault`."""


def recognise(
    editor: DirectoryEditor, provider: Provider, said: Assertion, link: str | None, address: str, at: datetime
) -> tuple[Person, str]:
    """Who it is, and the secret of their new session. Raises `NotAllowed`."""
    try:
        with editor.change():
            known = _linked(editor, said.identity, link, at) if link else editor.people.with_identity(said.identity)
            person = _made(editor, provider, said, at) if known is None else _in_role(editor, provider, said, known)
            return signing_in.begin(editor, person, address, f"with provider {provider.name}", at)
    except _RoleTakenBack as refused:
        # In a change of its own: the one that was refused is undone.
        people.end_sessions(editor, refused.person.name)
        raise


def _linked(editor: DirectoryEditor, identity: Identity, link: str, at: datetime) -> Person:
    """Whoever had the password or a session before may be why the link was asked for."""
    person = signing_in.invited(editor, link, at)
    owner = editor.people.with_identity(identity)
    if owner is not None and owner.name != person.name:
        raise NotAllowed("this identity belongs to another person", next_step="sign in, or ask the relay's operator")
    person = replace(
        person, identity=identity, password=None, password_set_at=None, link_sha256=None, link_expires_at=None
    )
    editor.people.put(person, "link-identity")
    editor.people.end_sessions_of(person.name)
    return person


def _made(editor: DirectoryEditor, provider: Provider, said: Assertion, at: datetime) -> Person:
    given = provider.role_of(said.groups or ())
    if given is None:
        issuer, subject = said.identity.issuer, said.identity.subject
        raise NotAllowed(
            f"nobody here has the identity {subject} of {issuer}",
            next_step=f"ask the relay's operator for: gatepost person add NAME --oidc {issuer} {subject}",
        )
    person = Person(
        name=_free_name(editor, provider, said),
        tenant=_tenant(editor, provider, given),
        role=given.role,
        created_at=at,
        identity=said.identity,
        role_by_groups=True,
    )
    editor.people.put(person, "add")
    return person


def _in_role(editor: DirectoryEditor, provider: Provider, said: Assertion, person: Person) -> Person:
    if not person.role_by_groups:
        return person
    if said.groups is None:
        raise NotAllowed(
            f"provider {provider.name} did not send your groups, which decide your role here",
            next_step=f"ask the relay's operator to check the claim {provider.groups_claim} at the provider",
        )
    given = provider.role_of(said.groups)
    if given is None:
        raise _RoleTakenBack(person, f"none of your groups at {provider.name} has a role here any more")
    changed = replace(person, role=given.role, tenant=_tenant(editor, provider, given))
    if changed != person:
        editor.people.put(changed, "set-role")
    return changed


def _tenant(editor: DirectoryEditor, provider: Provider, given: GroupRole) -> str | None:
    try:
        return None if given.tenant is None else tenant_named(editor, given.tenant).name
    except NotFound:
        raise NotAllowed(
            f"group {given.group} of provider {provider.name} belongs to tenant {given.tenant}, which does not exist",
            next_step="ask the relay's operator",
        ) from None


def _free_name(editor: DirectoryEditor, provider: Provider, said: Assertion) -> str:
    """With the provider behind it, so that it is nobody's whom the operator added."""
    wished = _UNFIT.sub("", (said.preferred_name or "").partition("@")[0])[:_LONGEST_NAME].lstrip("._+-")
    name = f"{wished or 'person'}@{provider.name}"[:59]
    return name if editor.people.named(name) is None else f"{name}-{secrets.token_hex(2)}"
