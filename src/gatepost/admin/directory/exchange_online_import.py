"""An organisation's move from Exchange Online: its exports become a tenant's domains and connectors.

A plan is the import itself, done and taken back: what it shows is what the audit would say. Laws: all that is imported
is one transaction; an object that cannot be taken is named and leaves the others alone; what is there already and was
not exported is not touched; importing twice changes nothing the second time.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from gatepost.admin.directory import domains, inbound_connectors, send_connectors, tenants
from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.exchange_online import Translation, WantedDomain, WantedInbound, WantedSend
from gatepost.admin.directory.lookups import tenant_named
from gatepost.admin.directory.ownership import what_is_missing
from gatepost.admin.directory.send_connectors import CredentialCheck
from gatepost.errors import NameNotOwned, Refused
from gatepost.exchange.translate import NoEqual
from gatepost.tenancy.tenant import AuditEntry

_MADE_ANEW = ("token", "created_at", "verified_at")
"""Fields that a plan cannot foretell."""

_NOT_OWNED_YET = (
    "its certificate name is not in a verified domain of the tenant; the import says which TXT record to publish"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTaken:
    object: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import changes, or has changed."""

    changes: tuple[AuditEntry, ...]
    """In order, one for each object that is new or different."""
    not_enabled: tuple[NotTaken, ...]
    """Connectors that are stored, disabled, until their name is owned."""
    not_taken: tuple[NotTaken, ...]
    no_equal: tuple[NoEqual, ...]


class _TakenBack(Exception):
    """Ends a plan: nothing of it stays."""


def plan(
    editor: DirectoryEditor, tenant: str, wanted: Translation, check: CredentialCheck, *, verified: bool, at: datetime
) -> Imported:
    planned: list[Imported] = []
    try:
        with editor.change():
            planned.append(_carried_out(editor, tenant, wanted, check, verified=verified, at=at))
            raise _TakenBack
    except _TakenBack:
        (whole,) = planned
        return replace(
            whole,
            changes=tuple(_as_planned(each) for each in whole.changes),
            # The TXT record has its value when the domain is stored, not before.
            not_enabled=tuple(replace(each, because=_NOT_OWNED_YET) for each in whole.not_enabled),
        )


def apply(
    editor: DirectoryEditor, tenant: str, wanted: Translation, check: CredentialCheck, *, verified: bool, at: datetime
) -> Imported:
    """`verified`: the operator vouches for the domains, and connectors that go by their names are enabled at once."""
    with editor.change():
        return _carried_out(editor, tenant, wanted, check, verified=verified, at=at)


def _carried_out(
    editor: DirectoryEditor, tenant: str, wanted: Translation, check: CredentialCheck, *, verified: bool, at: datetime
) -> Imported:
    before = editor.version
    not_taken: list[NotTaken] = []
    not_enabled: list[NotTaken] = []

    def attempt(subject: str, step: Callable[[], str | None]) -> None:
        try:
            if missing := step():
                not_enabled.append(NotTaken(object=subject, because=missing))
        except Refused as refused:
            not_taken.append(NotTaken(object=subject, because=str(refused)))

    if editor.tenant(tenant) is None:
        tenants.add(editor, tenant, at)
    owner = tenant_named(editor, tenant).name
    for domain in wanted.domains:
        attempt(f"domain {domain.domain}", partial(_domain, editor, owner, domain, verified, at))
    for inbound in wanted.inbound_connectors:
        attempt(f"inbound connector {inbound.name}", partial(_inbound, editor, owner, inbound))
    for send in wanted.send_connectors:
        attempt(f"send connector {send.name}", partial(_send, editor, owner, send, check))
    changes = sorted(editor.audit(after=before), key=lambda entry: entry.version)
    return Imported(
        changes=tuple(changes),
        not_enabled=tuple(not_enabled),
        not_taken=tuple(not_taken),
        no_equal=wanted.no_equal,
    )


def _domain(editor: DirectoryEditor, tenant: str, wanted: WantedDomain, verified: bool, at: datetime) -> None:
    if existing := editor.accepted_domain(wanted.domain, tenant):
        vouched = True if verified and not existing.verified else None
        subdomains = wanted.match_subdomains
        domains.change(editor, wanted.domain, match_subdomains=subdomains, verified=vouched, at=at, tenant=tenant)
    else:
        subdomains = wanted.match_subdomains
        domains.add(editor, tenant, wanted.domain, match_subdomains=subdomains, verified=verified, at=at)


def _inbound(editor: DirectoryEditor, tenant: str, wanted: WantedInbound) -> str | None:
    """Why it is stored but not enabled, where that is so. One that is in use keeps its form rather than be disabled."""
    try:
        inbound_connectors.put(editor, tenant, wanted.name, wanted.changes, enabled=wanted.enabled)
        return None
    except NameNotOwned:
        existing = editor.inbound_connector(tenant, wanted.name)
        if existing and existing.enabled:
            raise
        stored = inbound_connectors.put(editor, tenant, wanted.name, wanted.changes, enabled=False).connector
        return str(what_is_missing(editor, stored))


def _send(editor: DirectoryEditor, tenant: str, wanted: WantedSend, check: CredentialCheck) -> None:
    name = send_connectors.stored_name(editor, tenant, wanted.name)
    send_connectors.put(editor, name, wanted.changes, check, enabled=wanted.enabled)


def _as_planned(entry: AuditEntry) -> AuditEntry:
    """Without what is made anew when it is done."""
    after = entry.after
    if after is not None:
        after = {name: value for name, value in after.items() if name not in _MADE_ANEW}
    return replace(entry, after=after)
