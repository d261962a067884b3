"""Accepted domains: who owns which, and how the owner proves it.

A domain has one owner. A sub-domain can be another tenant's, and once verified takes the names below it along.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gatepost.admin.declined import AlreadyThere
from gatepost.admin.directory_editor import DirectoryEditor
from gatepost.admin.lookups import domain_named, tenant_named
from gatepost.admin.notation import accepted_domain
from gatepost.admin.ownership import unowned_names_of_enabled
from gatepost.mail.domain import parents
from gatepost.tenancy.tenant import AcceptedDomain


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainChange:
    """A changed domain, and the connectors that stop counting because of it."""

    domain: AcceptedDomain
    stopped: tuple[str, ...] = ()
    """One line each: `contoso/mail: mail.contoso.com`."""
    warnings: tuple[str, ...] = ()


def add(
    editor: DirectoryEditor, tenant: str, text: str, *, match_subdomains: bool, verified: bool, at: datetime
) -> DomainChange:
    """With `verified` the operator vouches for the owner, and no check takes that back."""
    name = accepted_domain(text)
    with editor.change():
        owner = tenant_named(editor, tenant)
        if existing := editor.accepted_domain(name):
            raise _already_there(existing, owner.name)
        domain = AcceptedDomain(
            domain=name, tenant=owner.name, token=secrets.token_hex(16), match_subdomains=match_subdomains
        )
        return put(editor, _vouched(domain, at) if verified else domain, "add")


def change(
    editor: DirectoryEditor, text: str, *, match_subdomains: bool | None, verified: bool | None, at: datetime
) -> DomainChange:
    """None: leave as it is. `verified=False` takes verification back, whoever gave it."""
    with editor.change():
        domain = domain_named(editor, text)
        if match_subdomains is not None:
            domain = replace(domain, match_subdomains=match_subdomains)
        if verified and not (domain.verified_by_operator and domain.verified and domain.lost_at is None):
            domain = _vouched(domain, at)
        elif verified is False:
            domain = unverified(domain)
        return put(editor, domain, "set")


def every(editor: DirectoryEditor, tenant: str | None) -> Iterator[AcceptedDomain]:
    return editor.all_domains(tenant_named(editor, tenant).name if tenant else None)


def remove(editor: DirectoryEditor, text: str) -> DomainChange:
    with editor.change():
        domain = domain_named(editor, text)
        before = _unowned_names_around(editor, domain)
        editor.remove_domain(domain)
        return _changed(domain, _lines(_unowned_names_around(editor, domain) - before))


def put(editor: DirectoryEditor, domain: AcceptedDomain, action: str) -> DomainChange:
    """Store `domain`, and see which connectors that silences."""
    with editor.change():
        before = _unowned_names_around(editor, domain)
        editor.put_domain(domain, action)
        return _changed(domain, _lines(_unowned_names_around(editor, domain) - before))


def _changed(domain: AcceptedDomain, stopped: tuple[str, ...]) -> DomainChange:
    return DomainChange(domain=domain, stopped=stopped, warnings=(stopped_warning(stopped),) if stopped else ())


def unverified(domain: AcceptedDomain) -> AcceptedDomain:
    return replace(domain, verified=False, verified_by_operator=False, verified_at=None)


def _vouched(domain: AcceptedDomain, at: datetime) -> AcceptedDomain:
    return replace(domain, verified=True, verified_by_operator=True, verified_at=at, lost_at=None)


def _already_there(existing: AcceptedDomain, tenant: str) -> AlreadyThere:
    if existing.tenant == tenant:
        return AlreadyThere(
            f"{existing.domain} is a domain of {tenant} already; see: gatepost domain show {existing.domain}"
        )
    return owned_by_another(existing)


def owned_by_another(existing: AcceptedDomain) -> AlreadyThere:
    """Why no second tenant can add the domain, and what to do."""
    name = existing.domain
    state = "has verified it" if existing.verified else "has added it, though not verified it"
    return AlreadyThere(
        f"{name} can have one owner only, and tenant {existing.tenant} {state}; a sub-domain can be another tenant's. "
        f"If it is not theirs: gatepost domain remove {name}",
        to_tenant=f"{name} can have one owner only, and was added by somebody else; ask the relay's operator",
    )


def _unowned_names_around(editor: DirectoryEditor, domain: AcceptedDomain) -> frozenset[tuple[str, str, str]]:
    """What does not count at the domain's tenant and at the owner above it: the two whom a change can concern."""
    above = next((owner for parent in parents(domain.domain) if (owner := editor.nearest_owner(parent))), None)
    tenants = {domain.tenant} | ({above.tenant} if above else set())
    return frozenset((tenant, *each) for tenant in tenants for each in unowned_names_of_enabled(editor, tenant))


def _lines(silenced: frozenset[tuple[str, str, str]]) -> tuple[str, ...]:
    return tuple(f"{tenant}/{connector}: {name}" for tenant, connector, name in sorted(silenced))


def stopped_warning(stopped: Sequence[str]) -> str:
    return f"from now on these do not count, their certificate name is no longer owned: {', '.join(stopped)}"
