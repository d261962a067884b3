"""Accepted domains: who claims which, and who owns it.

Several tenants may claim a domain; the first that proves it, by DNS or by the operator's word, owns it. Laws: a claim
without proof changes nothing for anybody else and lapses some time after; nobody but the operator learns of another's.
A sub-domain of an owned domain is claimed and proven like any other, and once verified takes the names below it along.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from shlex import quote

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.limits import must_have_room
from gatepost.admin.directory.lookups import domain_named, tenant_named
from gatepost.admin.directory.ownership import record_name, unowned_names_of_enabled
from gatepost.errors import AlreadyExists, OwnedByAnother, Said
from gatepost.mail.domain import parents
from gatepost.tenancy.allowance import Owned
from gatepost.tenancy.notation import accepted_domain
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
    """Claim a domain for the tenant. With `verified` the operator vouches for it, and no check takes that back."""
    name = accepted_domain(text)
    with editor.change():
        owner = tenant_named(editor, tenant)
        if editor.accepted_domain(name, owner.name):
            raise already_exists(owner.name, name)
        must_have_room(editor, owner, Owned.DOMAINS)
        if not verified:
            must_have_room(editor, owner, Owned.UNVERIFIED_DOMAINS)
        domain = AcceptedDomain(
            domain=name,
            tenant=owner.name,
            token=secrets.token_hex(16),
            match_subdomains=match_subdomains,
            claimed_at=at,
        )
        return put(editor, _vouched(editor, domain, at) if verified else domain, "add")


def already_exists(tenant: str, name: str) -> AlreadyExists:
    return AlreadyExists(
        f"{name} is a domain of {tenant} already",
        next_step=f"see: gatepost domain show {name} --tenant {quote(tenant)}",
    )


def change(
    editor: DirectoryEditor,
    text: str,
    *,
    match_subdomains: bool | None,
    verified: bool | None,
    at: datetime,
    tenant: str | None = None,
) -> DomainChange:
    """None: leave as it is. `verified=False` takes verification back, whoever gave it."""
    with editor.change():
        domain = domain_named(editor, text, tenant)
        if match_subdomains is not None:
            domain = replace(domain, match_subdomains=match_subdomains)
        if verified and not (domain.verified_by_operator and domain.verified and domain.lost_at is None):
            domain = _vouched(editor, domain, at)
        elif verified is False:
            domain = unverified(domain, at)
        return put(editor, domain, "set")


def every(editor: DirectoryEditor, tenant: str | None) -> Iterator[AcceptedDomain]:
    return editor.all_domains(tenant_named(editor, tenant).name if tenant else None)


def remove(editor: DirectoryEditor, text: str, tenant: str | None = None) -> DomainChange:
    with editor.change():
        domain = domain_named(editor, text, tenant)
        before = _unowned_names_around(editor, domain) if domain.verified else frozenset()
        editor.remove_domain(domain)
        after = _unowned_names_around(editor, domain) if domain.verified else frozenset()
        return _changed(domain, _lines(after - before))


def put(editor: DirectoryEditor, domain: AcceptedDomain, action: str) -> DomainChange:
    """Store `domain`, and see which connectors that silences. A claim that stays unproven silences none, and so takes
    as long whoever owns the domain."""
    with editor.change():
        stored = editor.accepted_domain(domain.domain, domain.tenant)
        if not domain.verified and not (stored and stored.verified):
            editor.put_domain(domain, action)
            return DomainChange(domain=domain)
        before = _unowned_names_around(editor, domain)
        editor.put_domain(domain, action)
        return _changed(domain, _lines(_unowned_names_around(editor, domain) - before))


def unverified(domain: AcceptedDomain, at: datetime) -> AcceptedDomain:
    """A claim again, which has as long as a new one to be proven."""
    if not domain.verified:
        return domain
    return replace(domain, verified=False, verified_by_operator=False, verified_at=None, lost_at=None, claimed_at=at)


def must_have_no_other_owner(editor: DirectoryEditor, domain: AcceptedDomain) -> None:
    """Raises `OwnedByAnother`. To be asked only once the proof is there: before that nobody is to learn of it."""
    owner = editor.nearest_owner(domain.domain)
    if owner and owner.domain == domain.domain and owner.tenant != domain.tenant:
        raise owned_by_another(owner)


def owned_by_another(owner: AcceptedDomain) -> OwnedByAnother:
    name = owner.domain
    lost = f", and its record is missing since {owner.lost_at:%Y-%m-%d}" if owner.lost_at else ""
    return OwnedByAnother(
        f"{name} is verified for tenant {owner.tenant}{lost}, and a domain has one owner",
        next_step=f"if that is wrong: gatepost domain set {name} --tenant {quote(owner.tenant)} --no-verified",
        to_tenant=Said(
            message=f"{name} is already verified at this relay by somebody else",
            next_step=f"if it is yours, remove every other gatepost-verification record at {record_name(name)} and "
            "verify again after the grace time, or ask the relay's operator",
        ),
    )


def _changed(domain: AcceptedDomain, stopped: tuple[str, ...]) -> DomainChange:
    return DomainChange(domain=domain, stopped=stopped, warnings=(stopped_warning(stopped),) if stopped else ())


def _vouched(editor: DirectoryEditor, domain: AcceptedDomain, at: datetime) -> AcceptedDomain:
    must_have_no_other_owner(editor, domain)
    return replace(domain, verified=True, verified_by_operator=True, verified_at=at, lost_at=None)


def _unowned_names_around(editor: DirectoryEditor, domain: AcceptedDomain) -> frozenset[tuple[str, str, str]]:
    """What does not count at the domain's tenant and at the owner above it: the two whom a change can concern."""
    above = next((owner for parent in parents(domain.domain) if (owner := editor.nearest_owner(parent))), None)
    tenants = {domain.tenant} | ({above.tenant} if above else set())
    return frozenset((tenant, *each) for tenant in tenants for each in unowned_names_of_enabled(editor, tenant))


def _lines(silenced: frozenset[tuple[str, str, str]]) -> tuple[str, ...]:
    return tuple(f"{tenant}/{connector}: {name}" for tenant, connector, name in sorted(silenced))


def stopped_warning(stopped: Sequence[str]) -> str:
    return f"these connectors no longer count, because their certificate name is no longer owned: {', '.join(stopped)}"
