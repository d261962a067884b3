"""`gatepost inbound-connector …`"""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from gatepost.admin.directory import operations
from gatepost.admin.directory.changes import Changes
from gatepost.admin.directory.connector_use import by_connector, use_record
from gatepost.admin.directory.inbound_connectors import SavedInbound
from gatepost.admin.directory.trust_anchors import read_trust_anchors
from gatepost.cli import context
from gatepost.cli.editing import (
    administration,
    ago,
    day_and_time,
    given,
    print_facts,
    print_table,
)
from gatepost.cli.field_options import facts_of, takes_fields
from gatepost.errors import with_options
from gatepost.tenancy.definitions import INBOUND_CONNECTOR
from gatepost.tenancy.record import inbound_connector_record
from gatepost.tenancy.seen_server import ConnectorUse
from gatepost.tenancy.tenant import InboundConnector

inbound_connector_app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Manage inbound connectors: how a tenant's servers are recognised.",
)

Tenant = Annotated[str, typer.Argument(metavar="TENANT", show_default=False, help="Tenant that operates the server.")]
Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="Of the connector.")]
BeyondLimits = Annotated[
    bool, typer.Option("--yes", help="Allow more than the tenant's limits and networks wider than /16 (IPv6: /32).")
]
Json = Annotated[bool, typer.Option("--json", help="Output JSON.")]


def _certificates_in(files: Sequence[str] | None) -> list[str] | None:
    """As the directory keeps them: the files may move."""
    named = given(files)
    return None if named is None else [anchor for file in named for anchor in read_trust_anchors(Path(file))]


@inbound_connector_app.command(help="Add a connector. Exit code 1: stored, but not enabled.")
@takes_fields(INBOUND_CONNECTOR, read={"trust_anchors": _certificates_in})
def add(
    tenant: Tenant,
    name: Name,
    changes: Changes,
    yes: BeyondLimits = False,
    disabled: Annotated[bool, typer.Option("--disabled", help="Store it disabled.")] = False,
) -> None:
    with administration(beyond_limits=yes) as admin:
        saved = admin.do(
            operations.ADD_INBOUND_CONNECTOR, tenant=tenant, name=name, changes=changes, enabled=not disabled
        )
    _report(saved)
    connector = saved.connector
    if saved.not_enabled_because:
        context.fail(f"{connector.label} is stored but not enabled: {saved.not_enabled_because}", context.NO)
    context.say(f"added inbound connector {connector.label}" + ("" if connector.enabled else ", disabled"))
    context.suggest(f"gatepost inbound-connector show {_arguments(connector)}")


@inbound_connector_app.command(
    "set", help="Change a connector. A list replaces the stored one, '' empties it; --add-… and --remove-… change it."
)
@takes_fields(INBOUND_CONNECTOR, edits_lists=True, read={"trust_anchors": _certificates_in})
def set_connector(tenant: Tenant, name: Name, changes: Changes, yes: BeyondLimits = False) -> None:
    with administration(beyond_limits=yes) as admin:
        saved = admin.do(operations.CHANGE_INBOUND_CONNECTOR, tenant=tenant, name=name, changes=changes)
    _report(saved)
    context.say(f"changed inbound connector {saved.connector.label}")
    context.suggest(f"gatepost inbound-connector show {_arguments(saved.connector)}")


@inbound_connector_app.command(help="Show a connector.")
def show(tenant: Tenant, name: Name, json: Json = False) -> None:
    with administration() as admin:
        found, missing = admin.do(operations.INBOUND_CONNECTOR, tenant=tenant, name=name)
        use = by_connector(admin.do(operations.CONNECTOR_USES, tenant=found.tenant)).get((found.tenant, found.name))
    because = str(missing) if missing else None
    if json:
        context.print_json({**inbound_connector_record(found), "missing": because, "use": use and use_record(use)})
        return
    print_facts(f"inbound connector {found.label}", [*_facts(found, because), *_use_facts(use)])
    if found.enabled:
        context.suggest("gatepost explain --certificate PEM --mail-from A --rcpt-to B")
    elif not missing:
        context.suggest(f"gatepost inbound-connector enable {_arguments(found)}")


@inbound_connector_app.command("list", help="List connectors of all tenants or one.")
def list_connectors(
    tenant: Annotated[
        str | None, typer.Argument(metavar="TENANT", show_default=False, help="Only this tenant's connectors.")
    ] = None,
    json: Json = False,
) -> None:
    with administration() as admin:
        found = admin.do(operations.INBOUND_CONNECTORS, tenant=tenant)
        used = by_connector(admin.do(operations.CONNECTOR_USES, tenant=tenant))
    uses = [used.get((each.tenant, each.name)) for each in found]
    if json:
        shown = zip(found, uses, strict=True)
        context.print_json([{**inbound_connector_record(each), "use": use and use_record(use)} for each, use in shown])
        return
    rows = [
        [
            each.tenant,
            each.name,
            each.type.value,
            _identifies(each),
            _state(each),
            ago(use.last_at) if use else "never",
            str(use.messages_30d) if use else "0",
        ]
        for each, use in zip(found, uses, strict=True)
    ]
    print_table("", ["tenant", "name", "type", "recognised by", "state", "used", "30 d"], rows)
    if found:
        context.suggest(f"gatepost inbound-connector show {_arguments(found[0])}")


@inbound_connector_app.command(help="Enable a connector. Exit code 1: not enabled.")
def enable(tenant: Tenant, name: Name) -> None:
    with administration() as admin:
        saved = admin.do(operations.ENABLE_INBOUND_CONNECTOR, tenant=tenant, name=name)
    _report(saved)
    context.say(f"enabled inbound connector {saved.connector.label}")


@inbound_connector_app.command(help="Disable a connector.")
def disable(tenant: Tenant, name: Name) -> None:
    with administration() as admin:
        connector = admin.do(operations.DISABLE_INBOUND_CONNECTOR, tenant=tenant, name=name)
    context.say(f"disabled inbound connector {connector.label}")


@inbound_connector_app.command(help="Remove a connector.")
def remove(tenant: Tenant, name: Name) -> None:
    with administration() as admin:
        connector = admin.do(operations.REMOVE_INBOUND_CONNECTOR, tenant=tenant, name=name)
    context.say(f"removed inbound connector {connector.label}")


def _report(saved: SavedInbound) -> None:
    for warning in saved.warnings:
        context.warn(f"note: {with_options(warning)}")


def _facts(connector: InboundConnector, missing: str | None) -> list[tuple[str, str]]:
    facts = [("state", _state(connector))]
    if missing:
        facts.append(("does not count" if connector.enabled else "cannot be enabled", missing))
    return facts + facts_of(connector, INBOUND_CONNECTOR, _SHOWN)


def _use_facts(use: ConnectorUse | None) -> list[tuple[str, str]]:
    if use is None:
        return [("last session", "none in 90 days")]
    shown = f"{day_and_time(use.last_at)} from {use.address}"
    facts = [("last session", f"{shown} ({ago(use.last_at)} ago)")]
    if use.certificate:
        names = ", ".join(use.certificate.names) or use.certificate.subject
        end = f", until {use.certificate.not_after:%Y-%m-%d}" if use.certificate.not_after else ""
        facts.append(("it presented", f"{names}{end}"))
    return [*facts, ("messages", f"{use.messages_24h} in 24 hours, {use.messages_30d} in 30 days")]


def _anchors(connector: InboundConnector) -> list[str]:
    if not connector.trust_anchors:
        return []
    from gatepost.app.own_credentials import anchors_of

    return [f"{each.subject}, until {each.until}" for each in anchors_of(connector)]


def _pins(connector: InboundConnector, pins: Sequence[str]) -> str:
    return ", ".join(f"{pin} ({'proved' if pin in connector.proven_pins else 'not proved'})" for pin in pins)


_SHOWN = {
    "certificate_sha256": lambda connector: _pins(connector, connector.certificate_sha256),
    "public_key_sha256": lambda connector: _pins(connector, connector.public_key_sha256),
    "restrict_to_certificate": lambda connector: "yes" if connector.restrict_to_certificate else "",
    "restrict_to_address": lambda connector: "yes" if connector.restrict_to_address else "",
    "trust_anchors": lambda connector: "; ".join(_anchors(connector)),
}


def _identifies(connector: InboundConnector) -> str:
    pins = [f"{len(connector.pins)} pinned"] if connector.pins else []
    return ", ".join([*connector.certificate_names, *pins, *map(str, connector.addresses)]) or "sender domain"


def _state(connector: InboundConnector) -> str:
    return "enabled" if connector.enabled else "disabled"


def _arguments(connector: InboundConnector) -> str:
    return f"{quote(connector.tenant)} {quote(connector.name)}"
