"""Tenants: the organisations that relay through this server."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from shlex import quote

from gatepost.admin.directory.changes import changed
from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.lookups import tenant_named
from gatepost.errors import AlreadyExists, NotAllowed
from gatepost.tenancy.definitions import TENANT
from gatepost.tenancy.notation import object_name
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector, SendConnector, Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantContents:
    """A tenant with everything that belongs to it."""

    tenant: Tenant
    domains: tuple[AcceptedDomain, ...]
    inbound_connectors: tuple[InboundConnector, ...]
    send_connectors: tuple[SendConnector, ...]

    @property
    def summary(self) -> str:
        counts = (
            (len(self.domains), "accepted domain"),
            (len(self.inbound_connectors), "inbound connector"),
            (len(self.send_connectors), "send connector"),
        )
        return ", ".join(f"{count} {noun}{'s' if count > 1 else ''}" for count, noun in counts if count)


def add(editor: DirectoryEditor, name: str, at: datetime) -> Tenant:
    object_name(name, "tenant")
    with editor.change():
        if existing := editor.tenant(name):
            raise already_exists(existing.name)
        tenant = Tenant(name=name, created_at=at)
        editor.put_tenant(tenant, "add")
        return tenant


def already_exists(name: str) -> AlreadyExists:
    return AlreadyExists(f"tenant {name} exists already", next_step=f"see: gatepost tenant show {quote(name)}")


def change(
    editor: DirectoryEditor,
    name: str,
    *,
    contact: str | None = None,
    trace_subject: bool | None = None,
    limits: Mapping[str, int | None] | None = None,
) -> Tenant:
    """`contact`: a mailbox, or empty for none; None, here and below, leaves it as it is. `limits`: those that change;
    None in it: as for everybody."""
    with editor.change():
        tenant = tenant_named(editor, name)
        if contact is not None:
            tenant = changed(tenant, TENANT, {"contact": contact})
        if trace_subject is not None:
            tenant = replace(tenant, trace_subject=trace_subject)
        if limits:
            tenant = replace(tenant, limits=replace(tenant.limits, **limits))
        editor.put_tenant(tenant, "set")
        return tenant


def every(editor: DirectoryEditor) -> Iterator[Tenant]:
    return editor.all_tenants()


def contents(editor: DirectoryEditor, name: str) -> TenantContents:
    tenant = tenant_named(editor, name)
    return TenantContents(
        tenant=tenant,
        domains=tuple(editor.all_domains(tenant.name)),
        inbound_connectors=tuple(editor.all_inbound_connectors(tenant.name)),
        send_connectors=tuple(editor.all_send_connectors(tenant.name)),
    )


def remove(editor: DirectoryEditor, name: str, *, with_contents: bool) -> TenantContents:
    """Remove a tenant; what belongs to it only when that is wanted too. Its tokens go in any case: they must not open
    a later tenant of the same name."""
    with editor.change():
        found = contents(editor, name)
        if found.summary and not with_contents:
            raise NotAllowed(
                f"tenant {found.tenant.name} still has {found.summary}",
                next_step=f"to remove all of it: gatepost tenant remove {found.tenant.name} --yes",
            )
        for token in list(editor.all_tokens(found.tenant.name)):
            editor.remove_token(token)
        for send_connector in found.send_connectors:
            editor.remove_send_connector(send_connector)
        for inbound_connector in found.inbound_connectors:
            editor.remove_inbound_connector(inbound_connector)
        for domain in found.domains:
            editor.remove_domain(domain)
        editor.remove_tenant(found.tenant)
        return found
