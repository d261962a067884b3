"""`gatepost send-connector …`"""

from datetime import UTC, datetime
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from gatepost.admin.directory.send_connectors import Saved, SendConnectorChanges
from gatepost.cli import context
from gatepost.cli.editing import administration, given, list_change, print_facts, print_table
from gatepost.tenancy.record import Record, send_connector_record, time_text
from gatepost.tenancy.tenant import SendConnector

if TYPE_CHECKING:
    from gatepost.admin.forecast.own_credentials import OwnCertificate

send_connector_app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Where mail leaves, and how."
)

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="Of the connector.")]
Tenant = Annotated[str | None, typer.Option(metavar="T", help="For this tenant's mail only; default: everybody's.")]
AddressSpaces = Annotated[
    list[str] | None,
    typer.Option("--address-space", metavar="SPACE[;COST]", help="*, domain or *.domain; cost 1-100; repeatable."),
]
SmartHosts = Annotated[
    list[str] | None,
    typer.Option("--smart-host", metavar="HOST[:PORT]", help="Next hop; repeatable; default: by MX."),
]
AddAddressSpaces = Annotated[
    list[str] | None, typer.Option("--add-address-space", metavar="SPACE[;COST]", help="Add to the list; repeatable.")
]
RemoveAddressSpaces = Annotated[
    list[str] | None,
    typer.Option("--remove-address-space", metavar="SPACE[;COST]", help="Take off the list; repeatable."),
]
AddSmartHosts = Annotated[
    list[str] | None, typer.Option("--add-smart-host", metavar="HOST[:PORT]", help="Add to the list; repeatable.")
]
RemoveSmartHosts = Annotated[
    list[str] | None, typer.Option("--remove-smart-host", metavar="HOST[:PORT]", help="Take off the list; repeatable.")
]
Certificate = Annotated[str | None, typer.Option(metavar="PEM", help="Chain to present, leaf first.")]
Key = Annotated[str | None, typer.Option(metavar="PEM", help="Its private key.")]
Tls = Annotated[str | None, typer.Option(metavar="none|opportunistic|encrypt|verify", help="Default: opportunistic.")]
TlsDomain = Annotated[str | None, typer.Option(metavar="D", help="--tls verify: the name its certificate must carry.")]
Fqdn = Annotated[str | None, typer.Option(metavar="NAME", help="EHLO name; default: this server's host name.")]
ProtocolLog = Annotated[str | None, typer.Option(metavar="on|off", help="Default: on.")]
AllowInternal = Annotated[
    str | None,
    typer.Option(metavar="on|off", help="Reach internal addresses and any port; default: what a --smart-host says."),
]
Json = Annotated[bool, typer.Option("--json", help="JSON, for programs.")]


@send_connector_app.command(help="Add a send connector.")
def add(
    name: Name,
    tenant: Tenant = None,
    address_space: AddressSpaces = None,
    smart_host: SmartHosts = None,
    certificate: Certificate = None,
    key: Key = None,
    tls: Tls = None,
    tls_domain: TlsDomain = None,
    fqdn: Fqdn = None,
    protocol_log: ProtocolLog = None,
    allow_internal: AllowInternal = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Store it without using it.")] = False,
) -> None:
    changes = SendConnectorChanges(
        tenant=tenant,
        address_spaces=given(address_space),
        smart_hosts=given(smart_host),
        certificate=certificate,
        key=key,
        tls=tls,
        tls_domain=tls_domain,
        fqdn=fqdn,
        protocol_log=protocol_log,
        allow_internal=allow_internal,
    )
    with administration() as admin:
        saved = admin.add_send_connector(name, changes, enabled=not disabled)
    _report(saved)
    context.say(f"added send connector {saved.connector.name}" + ("" if saved.connector.enabled else ", disabled"))
    context.suggest(f"gatepost send-connector show {quote(saved.connector.name)}")


@send_connector_app.command(
    "set",
    help="Change a send connector. A list replaces the stored one, '' empties a value; "
    "--add-… and --remove-… change a list.",
)
def set_connector(
    name: Name,
    tenant: Tenant = None,
    address_space: AddressSpaces = None,
    add_address_space: AddAddressSpaces = None,
    remove_address_space: RemoveAddressSpaces = None,
    smart_host: SmartHosts = None,
    add_smart_host: AddSmartHosts = None,
    remove_smart_host: RemoveSmartHosts = None,
    certificate: Certificate = None,
    key: Key = None,
    tls: Tls = None,
    tls_domain: TlsDomain = None,
    fqdn: Fqdn = None,
    protocol_log: ProtocolLog = None,
    allow_internal: AllowInternal = None,
) -> None:
    with administration() as admin:
        changes = SendConnectorChanges(
            tenant=tenant,
            address_spaces=list_change("address-space", address_space, add_address_space, remove_address_space),
            smart_hosts=list_change("smart-host", smart_host, add_smart_host, remove_smart_host),
            certificate=certificate,
            key=key,
            tls=tls,
            tls_domain=tls_domain,
            fqdn=fqdn,
            protocol_log=protocol_log,
            allow_internal=allow_internal,
        )
        saved = admin.change_send_connector(name, changes)
    _report(saved)
    context.say(f"changed send connector {saved.connector.name}")
    context.suggest(f"gatepost send-connector show {quote(saved.connector.name)}")


@send_connector_app.command(help="Show a send connector, its source servers and log folders.")
def show(name: Name, json: Json = False) -> None:
    with administration() as admin:
        found, sources = admin.send_connector(name)
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
    tenant: Annotated[str | None, typer.Option(metavar="T", help="That tenant's own only.")] = None, json: Json = False
) -> None:
    with administration() as admin:
        found = admin.send_connectors(tenant)
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


@send_connector_app.command(help="Use a send connector.")
def enable(name: Name) -> None:
    with administration() as admin:
        connector = admin.enable_send_connector(name, enabled=True)
    context.say(f"enabled send connector {connector.name}")


@send_connector_app.command(help="Stop using a send connector, without losing it.")
def disable(name: Name) -> None:
    with administration() as admin:
        connector = admin.enable_send_connector(name, enabled=False)
    context.say(f"disabled send connector {connector.name}")


@send_connector_app.command(help="Remove a send connector.")
def remove(name: Name) -> None:
    with administration() as admin:
        connector = admin.remove_send_connector(name)
    context.say(f"removed send connector {connector.name}")


def _report(saved: Saved) -> None:
    for warning in saved.warnings:
        context.warn(f"note: {warning}")


def _facts(connector: SendConnector) -> list[tuple[str, str]]:
    facts = [
        ("state", _state(connector)),
        ("for", connector.tenant or "everybody"),
        ("address spaces", _spaces(connector)),
        ("next hop", _next_hop(connector)),
        ("TLS", connector.tls.value),
        ("certificate must say", connector.tls_domain or ""),
        ("presents", connector.certificate or ""),
        ("EHLO name", connector.fqdn or ""),
        ("internal addresses", _internal(connector)),
        ("logs", "on" if connector.protocol_log else "off"),
    ]
    return [(label, value) for label, value in facts if value]


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
