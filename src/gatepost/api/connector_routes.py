"""Inbound connectors and send connectors."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from gatepost.admin.directory import connector_use, inbound_connectors, routes, send_connectors
from gatepost.admin.directory.connector_use import use_record
from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.inbound_connectors import SavedInbound
from gatepost.admin.directory.lookups import inbound_connector_named, send_connector_named
from gatepost.api.bodies import (
    ConnectorUseShown,
    InboundConnectorBody,
    InboundConnectorChange,
    InboundConnectorShown,
    PageShown,
    SendConnectorBody,
    SendConnectorChange,
    SendConnectorShown,
)
from gatepost.api.caller import Caller, CallerOf
from gatepost.api.conditional import Conditions, ConditionsOf, written
from gatepost.api.names import ConnectorName, StoredConnectorName, TenantName
from gatepost.api.objects import (
    changes_of,
    inbound_connector_shown,
    send_connector_shown,
)
from gatepost.api.paging import Page, PageOf
from gatepost.app import open_seen_servers
from gatepost.app.admin_wiring import check_credentials
from gatepost.errors import NotFound
from gatepost.tenancy.definitions import INBOUND_CONNECTOR, SEND_CONNECTOR
from gatepost.tenancy.seen_server import ConnectorUse
from gatepost.tenancy.tenant import InboundConnector, SendConnector

router = APIRouter()

_CREDENTIALS = ("certificate", "key")
_OPERATORS = (*_CREDENTIALS, "allow_internal")

BeyondLimits = Annotated[
    bool, Query(description="More than the tenant's limits, and networks wider than /16 or /32 (operator).")
]

# --- inbound connectors -----------------------------------------------------------------------------------------------


@router.get(routes.INBOUND_CONNECTORS.of_all, response_model=PageShown[InboundConnectorShown])
def list_all_inbound_connectors(caller: CallerOf, page: PageOf, conditions: ConditionsOf) -> Response:
    """List the inbound connectors of all tenants (operator)."""
    caller.must_be_operator()
    with caller.directory() as editor:
        found = editor.all_inbound_connectors(None, page.after)
        return conditions.read(
            page.of(found, lambda each: each.label, lambda each: inbound_connector_shown(caller, editor, each))
        )


@router.get(routes.INBOUND_CONNECTORS.of_tenant, response_model=PageShown[InboundConnectorShown])
def list_inbound_connectors(caller: CallerOf, tenant: TenantName, page: PageOf, conditions: ConditionsOf) -> Response:
    """List the inbound connectors of a tenant."""
    with caller.directory() as editor:
        found = editor.all_inbound_connectors(caller.tenant(editor, tenant), page.after)
        return conditions.read(
            page.of(found, lambda each: each.name, lambda each: inbound_connector_shown(caller, editor, each))
        )


@router.get(routes.INBOUND_CONNECTOR.of_tenant, response_model=InboundConnectorShown)
def show_inbound_connector(
    caller: CallerOf, tenant: TenantName, name: ConnectorName, conditions: ConditionsOf
) -> Response:
    """Show an inbound connector, and what prevents it from being enabled."""
    with caller.directory() as editor:
        found = inbound_connector_named(editor, caller.tenant(editor, tenant), name)
        return conditions.read(inbound_connector_shown(caller, editor, found))


@router.put(
    routes.INBOUND_CONNECTOR.of_tenant,
    response_model=InboundConnectorShown,
    responses={201: {"model": InboundConnectorShown}},
)
def put_inbound_connector(
    caller: CallerOf,
    tenant: TenantName,
    name: ConnectorName,
    body: InboundConnectorBody,
    conditions: ConditionsOf,
    beyond_limits: BeyondLimits = False,
) -> Response:
    """Create or replace an inbound connector: omitted fields get their defaults."""
    with caller.directory(beyond_limits=beyond_limits) as editor, editor.change():
        owner = caller.tenant(editor, tenant)
        existing = editor.inbound_connector(owner, name)
        conditions.must_hold(existing and inbound_connector_shown(caller, editor, existing))
        changes = changes_of(body, INBOUND_CONNECTOR, type(body).model_fields)
        saved = inbound_connectors.put(editor, owner, name, changes, enabled=body.enabled)
        shown = inbound_connector_shown(caller, editor, saved.connector)
        return written(shown, created=existing is None)


@router.patch(routes.INBOUND_CONNECTOR.of_tenant, response_model=InboundConnectorShown)
def change_inbound_connector(
    caller: CallerOf,
    tenant: TenantName,
    name: ConnectorName,
    body: InboundConnectorChange,
    conditions: ConditionsOf,
    beyond_limits: BeyondLimits = False,
) -> Response:
    """Change the fields given; a list replaces the stored one."""
    with caller.directory(beyond_limits=beyond_limits) as editor, editor.change():
        existing = inbound_connector_named(editor, caller.tenant(editor, tenant), name)
        conditions.must_hold(inbound_connector_shown(caller, editor, existing))
        saved = _changed_inbound(editor, existing, body)
        return written(inbound_connector_shown(caller, editor, saved.connector))


def _changed_inbound(editor: DirectoryEditor, existing: InboundConnector, body: InboundConnectorChange) -> SavedInbound:
    tenant, name, mentioned = existing.tenant, existing.name, body.model_fields_set
    if mentioned == {"enabled"}:
        if body.enabled:
            return inbound_connectors.enable(editor, tenant, name)
        return SavedInbound(connector=inbound_connectors.disable(editor, tenant, name))
    enabled = body.enabled if "enabled" in mentioned else None
    return inbound_connectors.put(editor, tenant, name, changes_of(body, INBOUND_CONNECTOR, mentioned), enabled=enabled)


@router.delete(routes.INBOUND_CONNECTOR.of_tenant, status_code=204, response_class=Response)
def remove_inbound_connector(
    caller: CallerOf, tenant: TenantName, name: ConnectorName, conditions: ConditionsOf
) -> None:
    """Remove an inbound connector."""
    with caller.directory() as editor, editor.change():
        existing = inbound_connector_named(editor, caller.tenant(editor, tenant), name)
        conditions.must_hold(inbound_connector_shown(caller, editor, existing))
        inbound_connectors.remove(editor, existing.tenant, existing.name)


# --- how they are used ------------------------------------------------------------------------------------------------


@router.get(routes.CONNECTOR_USE.of_all, response_model=PageShown[ConnectorUseShown])
def list_all_connector_use(caller: CallerOf, page: PageOf, conditions: ConditionsOf) -> Response:
    """List the last session of each inbound connector, and its messages in 24 hours and 30 days (operator)."""
    caller.must_be_operator()
    return _uses(caller, None, page, conditions)


@router.get(routes.CONNECTOR_USE.of_tenant, response_model=PageShown[ConnectorUseShown])
def list_connector_use(caller: CallerOf, tenant: TenantName, page: PageOf, conditions: ConditionsOf) -> Response:
    """List the same for a tenant's inbound connectors; a connector that is missing was not used."""
    with caller.directory() as editor:
        owner = caller.tenant(editor, tenant)
    return _uses(caller, owner, page, conditions)


def _uses(caller: Caller, tenant: str | None, page: Page, conditions: Conditions) -> Response:
    with caller.directory() as editor:
        found = connector_use.uses(editor, open_seen_servers(caller.config), datetime.now(UTC), tenant)
    ordered = sorted(found, key=_label)
    return conditions.read(page.of((each for each in ordered if _label(each) > page.after), _label, use_record))


def _label(use: ConnectorUse) -> str:
    return f"{use.tenant}/{use.connector}"


# --- send connectors of a tenant --------------------------------------------------------------------------------------


@router.get(routes.SEND_CONNECTORS.of_tenant, response_model=PageShown[SendConnectorShown])
def list_send_connectors(caller: CallerOf, tenant: TenantName, page: PageOf, conditions: ConditionsOf) -> Response:
    """List a tenant's own send connectors."""
    with caller.directory() as editor:
        found = editor.all_send_connectors(caller.tenant(editor, tenant), page.after)
        return conditions.read(page.of(found, lambda each: each.name, lambda each: _shown(caller, each)))


@router.get(routes.SEND_CONNECTOR.of_tenant, response_model=SendConnectorShown)
def show_send_connector(
    caller: CallerOf, tenant: TenantName, name: ConnectorName, conditions: ConditionsOf
) -> Response:
    """Show one of a tenant's own send connectors."""
    with caller.directory() as editor:
        return conditions.read(_shown(caller, _of_tenant(editor, caller.tenant(editor, tenant), name)))


@router.put(
    routes.SEND_CONNECTOR.of_tenant,
    response_model=SendConnectorShown,
    responses={201: {"model": SendConnectorShown}},
)
def put_send_connector(
    caller: CallerOf, tenant: TenantName, name: ConnectorName, body: SendConnectorBody, conditions: ConditionsOf
) -> Response:
    """Create or replace a send connector for this tenant's mail: omitted fields get their defaults."""
    with caller.directory() as editor, editor.change():
        owner = caller.tenant(editor, tenant)
        stored = send_connectors.stored_name(editor, owner, name)
        return _put(caller, editor, stored, body, type(body).model_fields, conditions, owner)


@router.patch(routes.SEND_CONNECTOR.of_tenant, response_model=SendConnectorShown)
def change_send_connector(
    caller: CallerOf, tenant: TenantName, name: ConnectorName, body: SendConnectorChange, conditions: ConditionsOf
) -> Response:
    """Change the fields given; a list replaces the stored one."""
    with caller.directory() as editor, editor.change():
        existing = _of_tenant(editor, caller.tenant(editor, tenant), name)
        return _put(caller, editor, existing.name, body, body.model_fields_set, conditions, existing.tenant)


@router.delete(routes.SEND_CONNECTOR.of_tenant, status_code=204, response_class=Response)
def remove_send_connector(caller: CallerOf, tenant: TenantName, name: ConnectorName, conditions: ConditionsOf) -> None:
    """Remove one of a tenant's own send connectors."""
    with caller.directory() as editor, editor.change():
        existing = _of_tenant(editor, caller.tenant(editor, tenant), name)
        conditions.must_hold(_shown(caller, existing))
        send_connectors.remove(editor, existing.name)


# --- send connectors of the server ------------------------------------------------------------------------------------


@router.get(routes.SEND_CONNECTORS.of_all, response_model=PageShown[SendConnectorShown])
def list_all_send_connectors(caller: CallerOf, page: PageOf, conditions: ConditionsOf) -> Response:
    """List every send connector, by its server-wide name (operator)."""
    caller.must_be_operator()
    with caller.directory() as editor:
        found = editor.all_send_connectors(None, page.after)
        return conditions.read(page.of(found, lambda each: each.name, _shown_to_operator))


@router.get(routes.SEND_CONNECTOR.of_all, response_model=SendConnectorShown)
def show_any_send_connector(caller: CallerOf, name: StoredConnectorName, conditions: ConditionsOf) -> Response:
    """Show a send connector, by its server-wide name (operator)."""
    caller.must_be_operator()
    with caller.directory() as editor:
        return conditions.read(_shown_to_operator(send_connector_named(editor, name)))


@router.put(
    routes.SEND_CONNECTOR.of_all,
    response_model=SendConnectorShown,
    responses={201: {"model": SendConnectorShown}},
)
def put_any_send_connector(
    caller: CallerOf, name: StoredConnectorName, body: SendConnectorBody, conditions: ConditionsOf
) -> Response:
    """Create a send connector for all tenants, or replace any (operator)."""
    caller.must_be_operator()
    with caller.directory() as editor, editor.change():
        return _put(caller, editor, name, body, type(body).model_fields, conditions, None)


@router.patch(routes.SEND_CONNECTOR.of_all, response_model=SendConnectorShown)
def change_any_send_connector(
    caller: CallerOf, name: StoredConnectorName, body: SendConnectorChange, conditions: ConditionsOf
) -> Response:
    """Change the fields given (operator)."""
    caller.must_be_operator()
    with caller.directory() as editor, editor.change():
        existing = send_connector_named(editor, name)
        return _put(caller, editor, existing.name, body, body.model_fields_set, conditions, None)


@router.delete(routes.SEND_CONNECTOR.of_all, status_code=204, response_class=Response)
def remove_any_send_connector(caller: CallerOf, name: StoredConnectorName, conditions: ConditionsOf) -> None:
    """Remove any send connector (operator)."""
    caller.must_be_operator()
    with caller.directory() as editor, editor.change():
        existing = send_connector_named(editor, name)
        conditions.must_hold(_shown_to_operator(existing))
        send_connectors.remove(editor, existing.name)


def _put(
    caller: Caller,
    editor: DirectoryEditor,
    stored: str,
    body: SendConnectorBody,
    mentioned: Collection[str],
    conditions: Conditions,
    tenant: str | None,
) -> Response:
    """`tenant` None: whosever it is."""
    existing = editor.send_connector(stored)
    show = _shown_to_operator if tenant is None else lambda connector: _shown(caller, connector)
    conditions.must_hold(existing and show(existing))
    if not caller.is_operator:
        _leave_credentials(caller, body)
        if getattr(body, "allow_internal", None) and not (existing and existing.reaches_internal):
            caller.must_be_operator("allow_internal")
        mentioned = set(mentioned) - {*_OPERATORS}
    saved = send_connectors.put(
        editor,
        stored,
        {**changes_of(body, SEND_CONNECTOR, mentioned), "tenant": tenant},
        check_credentials,
        enabled=body.enabled if "enabled" in mentioned else None,
    )
    shown = {**show(saved.connector), "warnings": list(saved.warnings) if caller.is_operator else []}
    return written(shown, created=existing is None)


def _leave_credentials(caller: Caller, body: SendConnectorBody) -> None:
    """Files of the relay are the operator's to name: a tenant could present another's certificate."""
    for field in _CREDENTIALS:
        if getattr(body, field) is not None:
            caller.must_be_operator(field)


def _of_tenant(editor: DirectoryEditor, tenant: str, name: str) -> SendConnector:
    found = editor.send_connector(send_connectors.stored_name(editor, tenant, name))
    if found is None:
        raise NotFound(f"there is no send connector '{name}'")
    return found


def _shown(caller: Caller, connector: SendConnector) -> dict[str, Any]:
    shown = send_connector_shown(connector)
    return shown if caller.is_operator else {**shown, "certificate": None, "key": None}


def _shown_to_operator(connector: SendConnector) -> dict[str, Any]:
    return {**send_connector_shown(connector), "name": connector.name}
