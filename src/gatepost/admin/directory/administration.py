"""What an administrator does with the directory, whoever carries it out: this process, or a relay elsewhere.

`Administration` is what the command line asks; `LocalAdministration` answers with the use cases on a directory of this
machine. Its counterpart speaks to a relay's Management API.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from gatepost.admin.directory import (
    audit,
    connector_use,
    domains,
    inbound_connectors,
    send_connectors,
    tenants,
    verification,
)
from gatepost.admin.directory.changes import Changes
from gatepost.admin.directory.connector_use import SeenUse
from gatepost.admin.directory.domains import DomainChange
from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.inbound_connectors import SavedInbound
from gatepost.admin.directory.lookups import domain_named, inbound_connector_named, send_connector_named, tenant_named
from gatepost.admin.directory.ownership import Missing, what_is_missing
from gatepost.admin.directory.send_connectors import CredentialCheck, SavedSend
from gatepost.admin.directory.tenants import TenantContents
from gatepost.admin.directory.verification import TxtLookup
from gatepost.tenancy.fields import Record
from gatepost.tenancy.sighting import ConnectorUse
from gatepost.tenancy.tenant import AcceptedDomain, AuditEntry, InboundConnector, SendConnector, Tenant


class Administration(Protocol):
    """Every method raises `Refused` or `StoreError`, and then has changed nothing."""

    def add_tenant(self, name: str) -> Tenant: ...

    def change_tenant(self, name: str, *, contact: str | None, limits: Mapping[str, int | None]) -> Tenant: ...

    def tenants(self) -> Sequence[Tenant]: ...

    def holding(self, name: str) -> TenantContents: ...

    def remove_tenant(self, name: str, *, with_holding: bool) -> TenantContents: ...

    def add_domain(self, tenant: str, name: str, *, match_subdomains: bool, verified: bool) -> DomainChange: ...

    # Of a domain that several tenants claim, `tenant` says whose is meant; None: the owner's, or the only one.

    def verify_domain(self, name: str, tenant: str | None) -> tuple[DomainChange, InboundConnector | None]:
        """With a connector that nothing keeps from being enabled now, if there is one."""

    def change_domain(
        self, name: str, tenant: str | None, *, match_subdomains: bool | None, verified: bool | None
    ) -> DomainChange: ...

    def domain(self, name: str, tenant: str | None) -> AcceptedDomain: ...

    def domains(self, tenant: str | None) -> Sequence[AcceptedDomain]: ...

    def remove_domain(self, name: str, tenant: str | None) -> DomainChange: ...

    def add_inbound_connector(self, tenant: str, name: str, changes: Changes, *, enabled: bool) -> SavedInbound: ...

    def change_inbound_connector(self, tenant: str, name: str, changes: Changes) -> SavedInbound: ...

    def enable_inbound_connector(self, tenant: str, name: str) -> SavedInbound: ...

    def disable_inbound_connector(self, tenant: str, name: str) -> InboundConnector: ...

    def inbound_connector(self, tenant: str, name: str) -> tuple[InboundConnector, Missing | None]: ...

    def inbound_connectors(self, tenant: str | None) -> Sequence[InboundConnector]: ...

    def remove_inbound_connector(self, tenant: str, name: str) -> InboundConnector: ...

    def uses(self, tenant: str | None) -> Sequence[ConnectorUse]:
        """How inbound connectors, of a tenant or of all, were used; those that were not are not there."""

    def add_send_connector(self, name: str, changes: Changes, *, enabled: bool) -> SavedSend: ...

    def change_send_connector(self, name: str, changes: Changes) -> SavedSend: ...

    def enable_send_connector(self, name: str, *, enabled: bool) -> SendConnector: ...

    def send_connector(self, name: str) -> tuple[SendConnector, list[Record]]:
        """With the servers it sends from, and where they log."""

    def send_connectors(self, tenant: str | None) -> Sequence[SendConnector]: ...

    def remove_send_connector(self, name: str) -> SendConnector: ...

    def changes(self, *, subject: str | None, after: int, limit: int) -> Sequence[AuditEntry]: ...

    def change(self, version: int) -> AuditEntry: ...


class LocalAdministration:
    """On a directory of this machine."""

    def __init__(
        self,
        editor: DirectoryEditor,
        check: CredentialCheck,
        lookup: TxtLookup,
        source_servers: list[Record],
        seen: SeenUse,
    ) -> None:
        self._seen = seen
        self._editor = editor
        self._check = check
        self._lookup = lookup
        self._source_servers = source_servers

    def add_tenant(self, name: str) -> Tenant:
        return tenants.add(self._editor, name, _now())

    def change_tenant(self, name: str, *, contact: str | None, limits: Mapping[str, int | None]) -> Tenant:
        return tenants.change(self._editor, name, contact=contact, limits=limits)

    def tenants(self) -> Sequence[Tenant]:
        return list(tenants.every(self._editor))

    def holding(self, name: str) -> TenantContents:
        return tenants.holding(self._editor, name)

    def remove_tenant(self, name: str, *, with_holding: bool) -> TenantContents:
        return tenants.remove(self._editor, name, with_holding=with_holding)

    def add_domain(self, tenant: str, name: str, *, match_subdomains: bool, verified: bool) -> DomainChange:
        return domains.add(self._editor, tenant, name, match_subdomains=match_subdomains, verified=verified, at=_now())

    def verify_domain(self, name: str, tenant: str | None) -> tuple[DomainChange, InboundConnector | None]:
        made = asyncio.run(verification.verify(self._editor, self._lookup, name, _now(), tenant))
        return made, next(inbound_connectors.ready_to_enable(self._editor, made.domain.tenant), None)

    def change_domain(
        self, name: str, tenant: str | None, *, match_subdomains: bool | None, verified: bool | None
    ) -> DomainChange:
        said = {"match_subdomains": match_subdomains, "verified": verified}
        return domains.change(self._editor, name, **said, at=_now(), tenant=tenant)

    def domain(self, name: str, tenant: str | None) -> AcceptedDomain:
        return domain_named(self._editor, name, tenant)

    def domains(self, tenant: str | None) -> Sequence[AcceptedDomain]:
        return list(domains.every(self._editor, tenant))

    def remove_domain(self, name: str, tenant: str | None) -> DomainChange:
        return domains.remove(self._editor, name, tenant)

    def add_inbound_connector(self, tenant: str, name: str, changes: Changes, *, enabled: bool) -> SavedInbound:
        return inbound_connectors.add(self._editor, tenant, name, changes, enabled=enabled)

    def change_inbound_connector(self, tenant: str, name: str, changes: Changes) -> SavedInbound:
        return inbound_connectors.change(self._editor, tenant, name, changes)

    def enable_inbound_connector(self, tenant: str, name: str) -> SavedInbound:
        return inbound_connectors.enable(self._editor, tenant, name)

    def disable_inbound_connector(self, tenant: str, name: str) -> InboundConnector:
        return inbound_connectors.disable(self._editor, tenant, name)

    def inbound_connector(self, tenant: str, name: str) -> tuple[InboundConnector, Missing | None]:
        found = inbound_connector_named(self._editor, tenant, name)
        return found, what_is_missing(self._editor, found)

    def inbound_connectors(self, tenant: str | None) -> Sequence[InboundConnector]:
        return list(inbound_connectors.every(self._editor, tenant))

    def remove_inbound_connector(self, tenant: str, name: str) -> InboundConnector:
        return inbound_connectors.remove(self._editor, tenant, name)

    def uses(self, tenant: str | None) -> Sequence[ConnectorUse]:
        owner = tenant_named(self._editor, tenant).name if tenant else None
        return connector_use.uses(self._editor, self._seen, _now(), owner)

    def add_send_connector(self, name: str, changes: Changes, *, enabled: bool) -> SavedSend:
        return send_connectors.add(self._editor, name, changes, self._check, enabled=enabled)

    def change_send_connector(self, name: str, changes: Changes) -> SavedSend:
        return send_connectors.change(self._editor, name, changes, self._check)

    def enable_send_connector(self, name: str, *, enabled: bool) -> SendConnector:
        return send_connectors.enable(self._editor, name, enabled=enabled)

    def send_connector(self, name: str) -> tuple[SendConnector, list[Record]]:
        return send_connector_named(self._editor, name), self._source_servers

    def send_connectors(self, tenant: str | None) -> Sequence[SendConnector]:
        return list(send_connectors.every(self._editor, tenant))

    def remove_send_connector(self, name: str) -> SendConnector:
        return send_connectors.remove(self._editor, name)

    def changes(self, *, subject: str | None, after: int, limit: int) -> Sequence[AuditEntry]:
        return audit.changes(self._editor, subject=subject, after=after, limit=limit)

    def change(self, version: int) -> AuditEntry:
        return audit.change(self._editor, version)


def _now() -> datetime:
    return datetime.now(UTC)
