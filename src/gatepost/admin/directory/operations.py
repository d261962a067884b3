"""Every operation on the directory that commands ask for: how it is carried out here, and how elsewhere.

The use cases that do it stand in the modules of each object; the Management API calls the same ones.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from gatepost.admin.directory import (
    audit,
    connector_use,
    domains,
    inbound_connectors,
    routes,
    send_connectors,
    tenants,
    verification,
)
from gatepost.admin.directory.changes import Changes
from gatepost.admin.directory.connector_use import use_from
from gatepost.admin.directory.domains import DomainChange
from gatepost.admin.directory.inbound_connectors import SavedInbound
from gatepost.admin.directory.lookups import domain_named, inbound_connector_named, send_connector_named, tenant_named
from gatepost.admin.directory.operation import (
    NEW,
    Here,
    Operation,
    Relay,
    delete,
    each,
    get,
    make,
    send,
    unchanged,
)
from gatepost.admin.directory.ownership import Missing, what_is_missing
from gatepost.admin.directory.send_connectors import SavedSend
from gatepost.admin.directory.tenants import TenantContents
from gatepost.errors import AlreadyExists, BadRequest, NameNotOwned
from gatepost.tenancy import definitions
from gatepost.tenancy.fields import Record
from gatepost.tenancy.notation import object_name
from gatepost.tenancy.record import (
    audit_from,
    domain_from,
    inbound_connector_from,
    inbound_connector_record,
    send_connector_from,
    send_connector_record,
    tenant_from,
)
from gatepost.tenancy.seen_server import ConnectorUse
from gatepost.tenancy.tenant import AcceptedDomain, AuditEntry, InboundConnector, SendConnector, Tenant

# --- tenants ----------------------------------------------------------------------------------------------------------


def _change_tenant_there(
    relay: Relay,
    *,
    name: str,
    contact: str | None,
    trace_subject: bool | None,
    limits: Mapping[str, int | None],
) -> Tenant:
    path = routes.TENANT(relay, {"name": name})
    found = relay.ask("GET", path)
    own = {**found.body["limits"], **limits}
    body = {
        "contact": found.body["contact"] if contact is None else contact or None,
        "trace_subject": trace_subject,
        "limits": {each: limit for each, limit in own.items() if limit is not None},
    }
    return tenant_from(relay.ask("PUT", path, body, unchanged(found)).body)


def _contents_there(relay: Relay, *, name: str) -> TenantContents:
    tenant = tenant_from(relay.read(routes.TENANT(relay, {"name": name})))
    return TenantContents(
        tenant=tenant,
        domains=tuple(DOMAINS.there(relay, tenant=tenant.name)),
        inbound_connectors=tuple(INBOUND_CONNECTORS.there(relay, tenant=tenant.name)),
        send_connectors=tuple(SEND_CONNECTORS.there(relay, tenant=tenant.name)),
    )


def _remove_tenant_there(relay: Relay, *, name: str, with_contents: bool) -> TenantContents:
    found = _contents_there(relay, name=name)
    relay.ask("DELETE", routes.TENANT(relay, {"name": name}) + ("?with_holding=true" if with_contents else ""))
    return found


ADD_TENANT = Operation[Tenant](
    here=lambda here, name: tenants.add(here.editor, name, here.now),
    there=make(routes.TENANT, (), tenant_from, tenants.already_exists, kind="tenant"),
)
TENANTS = Operation[list[Tenant]](
    here=lambda here: list(tenants.every(here.editor)),
    there=each(routes.TENANTS, tenant_from),
)
CHANGE_TENANT = Operation[Tenant](
    here=lambda here, name, **changes: tenants.change(here.editor, name, **changes),
    there=_change_tenant_there,
)
TENANT_CONTENTS = Operation[TenantContents](
    here=lambda here, name: tenants.contents(here.editor, name),
    there=_contents_there,
)
REMOVE_TENANT = Operation[TenantContents](
    here=lambda here, name, with_contents: tenants.remove(here.editor, name, with_contents=with_contents),
    there=_remove_tenant_there,
)

# --- domains: of one that several tenants claim, `tenant` says which is meant; None: the owner, or the only one -------


def _change_from(body: Any) -> DomainChange:
    return DomainChange(domain=domain_from(body), warnings=tuple(body["warnings"]))


def _key(domain: AcceptedDomain) -> Mapping[str, str]:
    return {"tenant": domain.tenant, "domain": domain.domain}


def _verify_domain(here: Here, name: str, tenant: str | None) -> tuple[DomainChange, InboundConnector | None]:
    """With a connector that nothing keeps from being enabled now, if there is one."""
    made = asyncio.run(verification.verify(here.editor, here.lookup, name, here.now, tenant))
    return made, next(inbound_connectors.ready_to_enable(here.editor, made.domain.tenant), None)


def _verify_domain_there(
    relay: Relay, *, name: str, tenant: str | None
) -> tuple[DomainChange, InboundConnector | None]:
    found = DOMAIN.there(relay, name=name, tenant=tenant)
    made = _change_from(relay.ask("POST", routes.DOMAIN_VERIFICATION(relay, _key(found))).body)
    connectors = relay.every(routes.INBOUND_CONNECTORS(relay, {"tenant": found.tenant}))
    ready = (inbound_connector_from(each) for each in connectors if not each["enabled"] and each["missing"] is None)
    return made, next(ready, None)


def _change_domain_there(
    relay: Relay, *, name: str, tenant: str | None, match_subdomains: bool | None, verified: bool | None
) -> DomainChange:
    answer = relay.ask("GET", routes.DOMAIN(relay, {"domain": name, "tenant": tenant}))
    found = domain_from(answer.body)
    body = {
        "match_subdomains": found.match_subdomains if match_subdomains is None else match_subdomains,
        "verified": verified,
    }
    return _change_from(relay.ask("PUT", routes.DOMAIN(relay, _key(found)), body, unchanged(answer)).body)


def _remove_domain_there(relay: Relay, *, name: str, tenant: str | None) -> DomainChange:
    found = DOMAIN.there(relay, name=name, tenant=tenant)
    relay.ask("DELETE", routes.DOMAIN(relay, _key(found)))
    return DomainChange(domain=found)


ADD_DOMAIN = Operation[DomainChange](
    here=lambda here, tenant, name, **asked: domains.add(here.editor, tenant, name, at=here.now, **asked),
    there=make(routes.DOMAIN, ("match_subdomains", "verified"), _change_from, domains.already_exists),
)
VERIFY_DOMAIN = Operation[tuple[DomainChange, InboundConnector | None]](
    here=_verify_domain,
    there=_verify_domain_there,
)
CHANGE_DOMAIN = Operation[DomainChange](
    here=lambda here, name, **asked: domains.change(here.editor, name, at=here.now, **asked),
    there=_change_domain_there,
)
DOMAIN = Operation[AcceptedDomain](
    here=lambda here, name, tenant: domain_named(here.editor, name, tenant),
    there=get(routes.DOMAIN, domain_from),
)
DOMAINS = Operation[list[AcceptedDomain]](
    here=lambda here, tenant: list(domains.every(here.editor, tenant)),
    there=each(routes.DOMAINS, domain_from),
)
REMOVE_DOMAIN = Operation[DomainChange](
    here=lambda here, name, tenant: domains.remove(here.editor, name, tenant),
    there=_remove_domain_there,
)

# --- inbound connectors -----------------------------------------------------------------------------------------------


def _saved_inbound(body: Any) -> SavedInbound:
    return SavedInbound(connector=inbound_connector_from(body), warnings=tuple(body["warnings"]))


def _put_inbound(relay: Relay, connector: InboundConnector, headers: Mapping[str, str], **said: Any) -> SavedInbound:
    path = routes.INBOUND_CONNECTOR(relay, {"tenant": connector.tenant, "name": connector.name})
    query = "?beyond_limits=true" if relay.beyond_limits else ""
    record = {**inbound_connector_record(connector), **said}
    return _saved_inbound(relay.ask("PUT", path + query, record, headers).body)


def _add_inbound_there(relay: Relay, *, tenant: str, name: str, changes: Changes, enabled: bool) -> SavedInbound:
    object_name(name, "connector")
    new = InboundConnector(tenant=tenant, name=name, enabled=enabled)
    asked = inbound_connectors.apply_changes(new, changes)
    try:
        return _put_inbound(relay, asked, NEW)
    except NameNotOwned:
        stored = _put_inbound(relay, asked, NEW, enabled=False)
        _, missing = INBOUND_CONNECTOR.there(relay, tenant=tenant, name=name)
        return SavedInbound(connector=stored.connector, warnings=stored.warnings, not_enabled_because=missing)
    except AlreadyExists:
        raise inbound_connectors.already_exists(tenant, name) from None


def _change_inbound_there(relay: Relay, *, tenant: str, name: str, changes: Changes) -> SavedInbound:
    answer = relay.ask("GET", routes.INBOUND_CONNECTOR(relay, {"tenant": tenant, "name": name}))
    asked = inbound_connectors.apply_changes(inbound_connector_from(answer.body), changes)
    return _put_inbound(relay, asked, unchanged(answer))


def _inbound(here: Here, tenant: str, name: str) -> tuple[InboundConnector, Missing | None]:
    found = inbound_connector_named(here.editor, tenant, name)
    return found, what_is_missing(here.editor, found)


def _inbound_and_missing(body: Any) -> tuple[InboundConnector, Missing | None]:
    missing = body["missing"]
    return inbound_connector_from(body), Missing(to_operator=missing, to_tenant=missing) if missing else None


def _uses(here: Here, tenant: str | None) -> Sequence[ConnectorUse]:
    """Inbound connectors that were not used are not there."""
    owner = tenant_named(here.editor, tenant).name if tenant else None
    return connector_use.uses(here.editor, here.seen, here.now, owner)


ADD_INBOUND_CONNECTOR = Operation[SavedInbound](
    here=lambda here, tenant, name, changes, enabled: inbound_connectors.add(
        here.editor, tenant, name, changes, enabled=enabled
    ),
    there=_add_inbound_there,
)
CHANGE_INBOUND_CONNECTOR = Operation[SavedInbound](
    here=lambda here, tenant, name, changes: inbound_connectors.change(here.editor, tenant, name, changes),
    there=_change_inbound_there,
)
ENABLE_INBOUND_CONNECTOR = Operation[SavedInbound](
    here=lambda here, tenant, name: inbound_connectors.enable(here.editor, tenant, name),
    there=send("PATCH", routes.INBOUND_CONNECTOR, {"enabled": True}, _saved_inbound),
)
DISABLE_INBOUND_CONNECTOR = Operation[InboundConnector](
    here=lambda here, tenant, name: inbound_connectors.disable(here.editor, tenant, name),
    there=send("PATCH", routes.INBOUND_CONNECTOR, {"enabled": False}, inbound_connector_from),
)
INBOUND_CONNECTOR = Operation[tuple[InboundConnector, Missing | None]](
    here=_inbound,
    there=get(routes.INBOUND_CONNECTOR, _inbound_and_missing),
)
INBOUND_CONNECTORS = Operation[list[InboundConnector]](
    here=lambda here, tenant: list(inbound_connectors.every(here.editor, tenant)),
    there=each(routes.INBOUND_CONNECTORS, inbound_connector_from),
)
REMOVE_INBOUND_CONNECTOR = Operation[InboundConnector](
    here=lambda here, tenant, name: inbound_connectors.remove(here.editor, tenant, name),
    there=delete(routes.INBOUND_CONNECTOR, inbound_connector_from),
)
CONNECTOR_USES = Operation[Sequence[ConnectorUse]](
    here=_uses,
    there=each(routes.CONNECTOR_USE, use_from),
)

# --- send connectors --------------------------------------------------------------------------------------------------


def _put_send(
    relay: Relay, path: str, connector: SendConnector, changes: Changes, headers: Mapping[str, str]
) -> SavedSend:
    record = send_connector_record(connector)
    if changes.get("allow_internal") is None:
        # The relay knows whose connector it is, and what its smart hosts need.
        del record["allow_internal"]
    body = relay.ask("PUT", path, record, headers).body
    return SavedSend(connector=send_connector_from(body), warnings=tuple(body["warnings"]))


def _add_send_there(relay: Relay, *, name: str, changes: Changes, enabled: bool) -> SavedSend:
    object_name(name, "connector")
    send_connectors.must_name_spaces(changes)
    new = SendConnector(name=name, address_spaces=(), enabled=enabled)
    asked = send_connectors.apply_changes_but_tenant(new, changes)
    path = routes.SEND_CONNECTOR(relay, {"name": name, "tenant": changes.get("tenant")})
    try:
        return _put_send(relay, path, asked, changes, NEW)
    except AlreadyExists:
        raise send_connectors.already_exists(name) from None


def _change_send_there(relay: Relay, *, name: str, changes: Changes) -> SavedSend:
    path = routes.SEND_CONNECTOR(relay, {"name": name})
    answer = relay.ask("GET", path)
    found = send_connector_from(answer.body)
    if changes.get("tenant") not in (None, found.tenant or ""):
        elsewhere = " cannot be changed from elsewhere: do that on the relay, or make a new connector"
        raise BadRequest(definitions.SEND_CONNECTOR["tenant"], elsewhere)
    asked = send_connectors.apply_changes_but_tenant(found, changes)
    return _put_send(relay, path, asked, changes, unchanged(answer))


def _send_there(relay: Relay, *, name: str) -> tuple[SendConnector, list[Record]]:
    source = {"server": relay.who["hostname"], "protocol_log_folder": relay.who["protocol_log_folder"]}
    return send_connector_from(relay.read(routes.SEND_CONNECTOR(relay, {"name": name}))), [source]


ADD_SEND_CONNECTOR = Operation[SavedSend](
    here=lambda here, name, changes, enabled: send_connectors.add(
        here.editor, name, changes, here.check, enabled=enabled
    ),
    there=_add_send_there,
)
CHANGE_SEND_CONNECTOR = Operation[SavedSend](
    here=lambda here, name, changes: send_connectors.change(here.editor, name, changes, here.check),
    there=_change_send_there,
)
ENABLE_SEND_CONNECTOR = Operation[SendConnector](
    here=lambda here, name: send_connectors.enable(here.editor, name, enabled=True),
    there=send("PATCH", routes.SEND_CONNECTOR, {"enabled": True}, send_connector_from),
)
DISABLE_SEND_CONNECTOR = Operation[SendConnector](
    here=lambda here, name: send_connectors.enable(here.editor, name, enabled=False),
    there=send("PATCH", routes.SEND_CONNECTOR, {"enabled": False}, send_connector_from),
)
SEND_CONNECTOR = Operation[tuple[SendConnector, list[Record]]](
    # With the servers it sends from, and where they log.
    here=lambda here, name: (send_connector_named(here.editor, name), here.source_servers),
    there=_send_there,
)
SEND_CONNECTORS = Operation[list[SendConnector]](
    here=lambda here, tenant: list(send_connectors.every(here.editor, tenant)),
    there=each(routes.SEND_CONNECTORS, send_connector_from),
)
REMOVE_SEND_CONNECTOR = Operation[SendConnector](
    here=lambda here, name: send_connectors.remove(here.editor, name),
    there=delete(routes.SEND_CONNECTOR, send_connector_from),
)

# --- the audit --------------------------------------------------------------------------------------------------------


def _changes_there(relay: Relay, *, subject: str | None, after: int, limit: int) -> Sequence[AuditEntry]:
    found: list[AuditEntry] = []
    for entry in map(audit_from, relay.every(routes.AUDIT(relay, {}))):
        if entry.version <= after or (limit and len(found) >= limit):
            break
        if entry.subject.startswith(subject or ""):
            found.append(entry)
    return found


AUDIT = Operation[Sequence[AuditEntry]](
    here=lambda here, subject, after, limit: audit.changes(here.editor, subject=subject, after=after, limit=limit),
    there=_changes_there,
)
AUDITED_CHANGE = Operation[AuditEntry](
    here=lambda here, version: audit.change(here.editor, version),
    there=get(routes.AUDITED_CHANGE, audit_from),
)
