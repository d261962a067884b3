"""The directory as use cases change it. Every change carries an action for the audit: `add`, `set`, `enable` ..."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from gatepost.tenancy.directory import Directory
from gatepost.tenancy.tenant import AcceptedDomain, AuditEntry, InboundConnector, SendConnector, Tenant


class DirectoryEditor(Directory, Protocol):
    """Look-ups as in `Directory`, never stale; listings; changes, each with its audit entry."""

    def change(self) -> AbstractContextManager[None]:
        """What is read and written inside is one transaction; an exception undoes it. May be nested."""

    def inbound_connector(self, tenant: str, name: str) -> InboundConnector | None: ...

    def send_connector(self, name: str) -> SendConnector | None: ...

    def all_tenants(self) -> Iterator[Tenant]: ...

    def all_domains(self, tenant: str | None = None) -> Iterator[AcceptedDomain]: ...

    def all_inbound_connectors(self, tenant: str | None = None) -> Iterator[InboundConnector]: ...

    def all_send_connectors(self, tenant: str | None = None) -> Iterator[SendConnector]:
        """With `tenant`, that tenant's own; without, every one."""

    def domains_last_checked_before(self, at: datetime) -> Iterator[AcceptedDomain]:
        """Verified domains under daily check, the longest unchecked first."""

    def tenant_names(self, like: str, limit: int) -> Sequence[str]:
        """Up to `limit` names, those that begin as `like` does first."""

    def put_tenant(self, tenant: Tenant, action: str) -> None: ...

    def remove_tenant(self, tenant: Tenant) -> None:
        """Once nothing belongs to it any more."""

    def put_domain(self, domain: AcceptedDomain, action: str) -> None: ...

    def note_domain_checked(self, domain: AcceptedDomain, at: datetime) -> None:
        """Remembered, but no change of the directory."""

    def remove_domain(self, domain: AcceptedDomain) -> None: ...

    def put_inbound_connector(self, connector: InboundConnector, action: str) -> None: ...

    def remove_inbound_connector(self, connector: InboundConnector) -> None: ...

    def put_send_connector(self, connector: SendConnector, action: str) -> None: ...

    def remove_send_connector(self, connector: SendConnector) -> None: ...

    def audit(self, *, subject: str | None = None, after: int = 0, limit: int = -1) -> Sequence[AuditEntry]: ...

    def audit_entry(self, version: int) -> AuditEntry | None: ...
