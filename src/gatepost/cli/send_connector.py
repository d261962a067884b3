"""`gatepost send-connector …`"""

from datetime import UTC, datetime
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from gatepost.admin.directory import operations
from gatepost.admin.directory.changes import Changes
from gatepost.admin.directory.send_connectors import SavedSend
from gatepost.cli import context
from gatepost.cli.editing import administration, print_facts, print_table
from gatepost.cli.field_options import facts_of, takes_fields
from gatepost.tenancy.definitions import SEND_CONNECTOR
from gatepost.tenancy.fields import Record, time_text
from gatepost.tenancy.record import send_connector_record
from gatepost.tenancy.tenant import SendConnector

if TYPE_CHECKING:
    from gatepost.admin.forecast.own_credentials import OwnCertificate

send_connector_app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Manage send connectors."
)

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="Of the connector.")]
Tenant = Annotated[str | None, typer.Option(metavar="T", help="Only for this tenant's mail; default: all tenants.")]
Json = Annotated[bool, typer.Option("--json", help="Output JSON.")]


@send_connector_app.command(help="Add a send connector.")
@takes_fields(SEND_CONNECTOR)
def add(
    name: Name,
    *,
    tenant: Tenant = None,
    changes: Changes,
    disabled: Annotated[bool, typer.Option("--disabled", help="Store it disabled.")] = False,
) -> None:
    with administration() as admin:
        saved = admin.do(
            operations.ADD_SEND_CONNECTOR, name=name, changes={**changes, "tenant": tenant}, enabled=not disabled
        )
    _report(saved)
    context.say(f"added send connector {saved.connector.name}" + ("" if saved.connector.enabled else ", disabled"))
    context.suggest(f"gatepost send-connector show {quote(saved.connector.name)}")


@send_connector_app.command(
    "set",
    help="Change a send connector. A list replaces the stored one, '' empties a value; "
    "--add-… and --remove-… change a list.",
)
@takes_fields(SEND_CONNECTOR, edits_lists=True)
def set_connector(name: Name, *, tenant: Tenant = None, changes: Changes) -> None:
    with administration() as admin:
        saved = admin.do(operations.CHANGE_SEND_CONNECTOR, name=name, changes={**changes, "tenant": tenant})
    _report(saved)
    context.say(f"changed send connector {saved.connector.name}")
    context.suggest(f"gatepost send-connector show {quote(saved.connector.name)}")


@send_connector_app.command(help="Show a send connector, its source servers and log folders.")
def show(name: Name, json: Json = False) -> None:
    with administration() as admin:
        found, sources = admin.do(operations.SEND_CONNECTOR, name=name)
    shown = _presented(found)
    if json:
        context.print_json(
            {**send_connector_record(found), "presented": shown and _presented_record(shown), "source_servers": sources}
        )
        return
    facts = _facts(found)
    if shown:
        facts[-1:-1] = _certificate_facts(shown)
    for source in sources:
        facts += [("source server", str(source["server"])), ("protocol log", str(source["protocol_log_folder"]))]
    print_facts(f"send connector {found.name}", facts)
    if not found.enabled:
        context.suggest(f"gatepost send-connector enable {quote(found.name)}")


@send_connector_app.command("list", help="List send connectors.")
def list_connectors(
    tenant: Annotated[str | None, typer.Option(metavar="T", help="Only this tenant's.")] = None, json: Json = False
) -> None:
    with administration() as admin:
        found = admin.do(operations.SEND_CONNECTORS, tenant=tenant)
    if json:
        context.print_json([send_connector_record(each) for each in found])
        return
    rows = [
        [each.name, each.tenant or "everybody", _spaces(each), _next_hop(each), each.tls.value, _state(each)]
        for each in found
    ]
    print_table("", ["name", "for", "address spaces", "next hop", "TLS", "state"], rows)
    if found:
        context.suggest(f"gatepost send-connector show {quote(found[0].name)}")


@send_connector_app.command(help="Enable a send connector.")
def enable(name: Name) -> None:
    with administration() as admin:
        connector = admin.do(operations.ENABLE_SEND_CONNECTOR, name=name)
    context.say(f"enabled send connector {connector.name}")


@send_connector_app.command(help="Disable a send connector.")
def disable(name: Name) -> None:
    with administration() as admin:
        connector = admin.do(operations.DISABLE_SEND_CONNECTOR, name=name)
    context.say(f"disabled send connector {connector.name}")


@send_connector_app.command(help="Remove a send connector.")
def remove(name: Name) -> None:
    with administration() as admin:
        connector = admin.do(operations.REMOVE_SEND_CONNECTOR, name=name)
    context.say(f"removed send connector {connector.name}")


def _report(saved: SavedSend) -> None:
    for warning in saved.warnings:
        context.warn(f"note: {warning}")


def _facts(connector: SendConnector) -> list[tuple[str, str]]:
    return [("state", _state(connector)), *facts_of(connector, SEND_CONNECTOR, _SHOWN)]


def _presented(connector: SendConnector) -> "OwnCertificate | None":
    """Which certificate that is now; the files are on the relay, so not with `--server`."""
    if context.INVOCATION.server or not connector.certificate:
        return None
    from gatepost.app.own_credentials import of_send_connector

    return of_send_connector(context.config(), connector)


def _presented_record(shown: "OwnCertificate") -> Record:
    return {
        "subject": shown.subject,
        "names": list(shown.names),
        "sha256": shown.sha256,
        "not_after": time_text(shown.not_after),
        "renewed_is_kept_back": shown.kept_back,
        "problem": shown.problem or None,
    }


def _certificate_facts(shown: "OwnCertificate") -> list[tuple[str, str]]:
    if shown.problem:
        return [("certificate", shown.problem)]
    over = " (expired)" if shown.has_ended(datetime.now(UTC)) else ""
    facts = [("certificate", f"{', '.join(shown.names) or shown.subject}, until {shown.until}{over}")]
    if shown.kept_back:
        facts.append(("renewed", "a later certificate is in the file, and is not presented: gatepost hybrid verify"))
    return facts


def _spaces(connector: SendConnector) -> str:
    return " ".join(map(str, connector.address_spaces))


def _internal(connector: SendConnector) -> str:
    """What differs from what a connector of its kind may do."""
    if connector.allow_internal is None:
        return ""
    return "allowed" if connector.allow_internal else "not by MX" if connector.tenant is None else "not allowed"


def _next_hop(connector: SendConnector) -> str:
    return ", ".join(map(str, connector.smart_hosts)) or "by MX"


def _state(connector: SendConnector) -> str:
    return "enabled" if connector.enabled else "disabled"


_SHOWN = {
    "tenant": lambda connector: connector.tenant or "everybody",
    "address_spaces": _spaces,
    "smart_hosts": _next_hop,
    "protocol_log": lambda connector: "on" if connector.protocol_log else "off",
    "allow_internal": _internal,
}
