"""`gatepost inbound-connector …`"""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from gatepost.admin.directory.connector_use import by_connector, use_record
from gatepost.admin.directory.inbound_connectors import InboundConnectorChanges, Saved
from gatepost.admin.directory.trust_anchors import read_trust_anchors
from gatepost.cli import context
from gatepost.cli.editing import (
    administration,
    ago,
    day_and_time,
    given,
    list_change,
    print_facts,
    print_table,
    yes_or_no,
)
from gatepost.tenancy.record import inbound_connector_record
from gatepost.tenancy.sighting import ConnectorUse
from gatepost.tenancy.tenant import InboundConnector

inbound_connector_app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="How a tenant's servers are recognised."
)

Tenant = Annotated[str, typer.Argument(metavar="TENANT", show_default=False, help="Whose server it is.")]
Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="Of the connector.")]
CertificateNames = Annotated[
    list[str] | None,
    typer.Option("--certificate-name", metavar="N", help="mail.contoso.com or *.contoso.com; repeatable."),
]
CertificatePins = Annotated[
    list[str] | None, typer.Option("--certificate-sha256", metavar="HEX", help="Pin a certificate; repeatable.")
]
KeyPins = Annotated[
    list[str] | None, typer.Option("--public-key-sha256", metavar="HEX", help="Pin a public key; repeatable.")
]
Addresses = Annotated[
    list[str] | None, typer.Option("--address", metavar="CIDR", help="Where it connects from; repeatable.")
]
Type = Annotated[str | None, typer.Option(metavar="on-premises|partner", help="Own server (default), or a partner's.")]
SenderDomains = Annotated[
    list[str] | None, typer.Option("--sender-domain", metavar="D", help="Partner: *, domain or *.domain; repeatable.")
]
RequireTls = Annotated[bool | None, typer.Option(help="Refuse its mail without TLS.")]
RestrictToCertificate = Annotated[bool | None, typer.Option(help="Partner: only with the certificate.")]
RestrictToAddress = Annotated[bool | None, typer.Option(help="Partner: only from the addresses.")]
TrustAnchors = Annotated[
    list[str] | None, typer.Option("--trust-anchor", metavar="PEM", help="The tenant's own authority; repeatable.")
]
AddCertificateNames = Annotated[
    list[str] | None, typer.Option("--add-certificate-name", metavar="N", help="Add to the list; repeatable.")
]
RemoveCertificateNames = Annotated[
    list[str] | None, typer.Option("--remove-certificate-name", metavar="N", help="Take off the list; repeatable.")
]
AddCertificatePins = Annotated[
    list[str] | None, typer.Option("--add-certificate-sha256", metavar="HEX", help="Add to the list; repeatable.")
]
RemoveCertificatePins = Annotated[
    list[str] | None, typer.Option("--remove-certificate-sha256", metavar="HEX", help="Take off the list; repeatable.")
]
AddKeyPins = Annotated[
    list[str] | None, typer.Option("--add-public-key-sha256", metavar="HEX", help="Add to the list; repeatable.")
]
RemoveKeyPins = Annotated[
    list[str] | None, typer.Option("--remove-public-key-sha256", metavar="HEX", help="Take off the list; repeatable.")
]
AddAddresses = Annotated[
    list[str] | None, typer.Option("--add-address", metavar="CIDR", help="Add to the list; repeatable.")
]
RemoveAddresses = Annotated[
    list[str] | None, typer.Option("--remove-address", metavar="CIDR", help="Take off the list; repeatable.")
]
AddSenderDomains = Annotated[
    list[str] | None, typer.Option("--add-sender-domain", metavar="D", help="Add to the list; repeatable.")
]
RemoveSenderDomains = Annotated[
    list[str] | None, typer.Option("--remove-sender-domain", metavar="D", help="Take off the list; repeatable.")
]
AddTrustAnchors = Annotated[
    list[str] | None, typer.Option("--add-trust-anchor", metavar="PEM", help="Add to the list; repeatable.")
]
RemoveTrustAnchors = Annotated[
    list[str] | None, typer.Option("--remove-trust-anchor", metavar="PEM", help="Take off the list; repeatable.")
]
BeyondLimits = Annotated[
    bool, typer.Option("--yes", help="Beyond the tenant's limits, and networks wider than /16 or /32 (IPv6).")
]
Json = Annotated[bool, typer.Option("--json", help="JSON, for programs.")]


@inbound_connector_app.command(help="Add a connector. Exit code 1: stored, but not enabled, and what to do.")
def add(
    tenant: Tenant,
    name: Name,
    certificate_name: CertificateNames = None,
    certificate_sha256: CertificatePins = None,
    public_key_sha256: KeyPins = None,
    address: Addresses = None,
    type: Type = None,
    sender_domain: SenderDomains = None,
    require_tls: RequireTls = None,
    restrict_to_certificate: RestrictToCertificate = None,
    restrict_to_address: RestrictToAddress = None,
    trust_anchor: TrustAnchors = None,
    yes: BeyondLimits = False,
    disabled: Annotated[bool, typer.Option("--disabled", help="Store it without using it.")] = False,
) -> None:
    with administration(beyond_limits=yes) as admin:
        changes = InboundConnectorChanges(
            type=type,
            certificate_names=given(certificate_name),
            certificate_sha256=given(certificate_sha256),
            public_key_sha256=given(public_key_sha256),
            addresses=given(address),
            sender_domains=given(sender_domain),
            require_tls=require_tls,
            restrict_to_certificate=restrict_to_certificate,
            restrict_to_address=restrict_to_address,
            trust_anchors=_read(trust_anchor),
        )
        saved = admin.add_inbound_connector(tenant, name, changes, enabled=not disabled)
    _report(saved)
    connector = saved.connector
    if saved.not_enabled_because:
        context.fail(f"{connector.label} is stored but not enabled: {saved.not_enabled_because}", context.NO)
    context.say(f"added inbound connector {connector.label}" + ("" if connector.enabled else ", disabled"))
    context.suggest(f"gatepost inbound-connector show {_arguments(connector)}")


@inbound_connector_app.command(
    "set", help="Change a connector. A list replaces the stored one, '' empties it; --add-… and --remove-… change it."
)
def set_connector(
    tenant: Tenant,
    name: Name,
    certificate_name: CertificateNames = None,
    add_certificate_name: AddCertificateNames = None,
    remove_certificate_name: RemoveCertificateNames = None,
    certificate_sha256: CertificatePins = None,
    add_certificate_sha256: AddCertificatePins = None,
    remove_certificate_sha256: RemoveCertificatePins = None,
    public_key_sha256: KeyPins = None,
    add_public_key_sha256: AddKeyPins = None,
    remove_public_key_sha256: RemoveKeyPins = None,
    address: Addresses = None,
    add_address: AddAddresses = None,
    remove_address: RemoveAddresses = None,
    type: Type = None,
    sender_domain: SenderDomains = None,
    add_sender_domain: AddSenderDomains = None,
    remove_sender_domain: RemoveSenderDomains = None,
    require_tls: RequireTls = None,
    restrict_to_certificate: RestrictToCertificate = None,
    restrict_to_address: RestrictToAddress = None,
    trust_anchor: TrustAnchors = None,
    add_trust_anchor: AddTrustAnchors = None,
    remove_trust_anchor: RemoveTrustAnchors = None,
    yes: BeyondLimits = False,
) -> None:
    with administration(beyond_limits=yes) as admin:
        changes = InboundConnectorChanges(
            type=type,
            certificate_names=list_change(
                "certificate-name", certificate_name, add_certificate_name, remove_certificate_name
            ),
            certificate_sha256=list_change(
                "certificate-sha256", certificate_sha256, add_certificate_sha256, remove_certificate_sha256
            ),
            public_key_sha256=list_change(
                "public-key-sha256", public_key_sha256, add_public_key_sha256, remove_public_key_sha256
            ),
            addresses=list_change("address", address, add_address, remove_address),
            sender_domains=list_change("sender-domain", sender_domain, add_sender_domain, remove_sender_domain),
            require_tls=require_tls,
            restrict_to_certificate=restrict_to_certificate,
            restrict_to_address=restrict_to_address,
            trust_anchors=list_change(
                "trust-anchor", _read(trust_anchor), _read(add_trust_anchor), _read(remove_trust_anchor)
            ),
        )
        saved = admin.change_inbound_connector(tenant, name, changes)
    _report(saved)
    context.say(f"changed inbound connector {saved.connector.label}")
    context.suggest(f"gatepost inbound-connector show {_arguments(saved.connector)}")


@inbound_connector_app.command(help="Show a connector.")
def show(tenant: Tenant, name: Name, json: Json = False) -> None:
    with administration() as admin:
        found, missing = admin.inbound_connector(tenant, name)
        use = by_connector(admin.uses(found.tenant)).get((found.tenant, found.name))
    because = str(missing) if missing else None
    if json:
        context.print_json({**inbound_connector_record(found), "missing": because, "use": use and use_record(use)})
        return
    print_facts(f"inbound connector {found.label}", [*_facts(found, because), *_use_facts(use)])
    if found.enabled:
        context.suggest("gatepost explain --certificate PEM --mail-from A --rcpt-to B")
    elif not missing:
        context.suggest(f"gatepost inbound-connector enable {_arguments(found)}")


@inbound_connector_app.command("list", help="List connectors, of all tenants or of one.")
def list_connectors(
    tenant: Annotated[
        str | None, typer.Argument(metavar="TENANT", show_default=False, help="Its connectors only.")
    ] = None,
    json: Json = False,
) -> None:
    with administration() as admin:
        found = admin.inbound_connectors(tenant)
        used = by_connector(admin.uses(tenant))
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


@inbound_connector_app.command(help="Use a connector. Exit code 1: not enabled, and what is missing.")
def enable(tenant: Tenant, name: Name) -> None:
    with administration() as admin:
        saved = admin.enable_inbound_connector(tenant, name)
    _report(saved)
    context.say(f"enabled inbound connector {saved.connector.label}")


@inbound_connector_app.command(help="Stop using a connector, without losing it.")
def disable(tenant: Tenant, name: Name) -> None:
    with administration() as admin:
        connector = admin.disable_inbound_connector(tenant, name)
    context.say(f"disabled inbound connector {connector.label}")


@inbound_connector_app.command(help="Remove a connector.")
def remove(tenant: Tenant, name: Name) -> None:
    with administration() as admin:
        connector = admin.remove_inbound_connector(tenant, name)
    context.say(f"removed inbound connector {connector.label}")


def _read(files: Sequence[str] | None) -> list[str] | None:
    """The certificates in the files, as the directory keeps them: the files may move."""
    wanted = given(files)
    return None if wanted is None else [anchor for file in wanted for anchor in read_trust_anchors(Path(file))]


def _report(saved: Saved) -> None:
    for warning in saved.warnings:
        context.warn(f"note: {warning}")


def _facts(connector: InboundConnector, missing: str | None) -> list[tuple[str, str]]:
    facts = [
        ("state", _state(connector)),
        ("cannot be enabled" if not connector.enabled else "does not count", missing or ""),
        ("type", connector.type.value),
        ("certificate names", ", ".join(connector.certificate_names)),
        ("pinned certificates", _pins(connector, connector.certificate_sha256)),
        ("pinned public keys", _pins(connector, connector.public_key_sha256)),
        ("addresses", ", ".join(map(str, connector.addresses))),
        ("sender domains", ", ".join(connector.sender_domains)),
        ("requires TLS", yes_or_no(connector.require_tls)),
        ("restricted to", " and ".join(_restrictions(connector))),
        ("trust anchors", "; ".join(_anchors(connector))),
    ]
    return [(label, value) for label, value in facts if value]


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


def _restrictions(connector: InboundConnector) -> list[str]:
    wanted = (connector.restrict_to_certificate, "its certificate"), (connector.restrict_to_address, "its addresses")
    return [what for restricts, what in wanted if restricts]


def _identifies(connector: InboundConnector) -> str:
    pins = [f"{len(connector.pins)} pinned"] if connector.pins else []
    return ", ".join([*connector.certificate_names, *pins, *map(str, connector.addresses)]) or "sender domain"


def _state(connector: InboundConnector) -> str:
    return "enabled" if connector.enabled else "disabled"


def _arguments(connector: InboundConnector) -> str:
    return f"{quote(connector.tenant)} {quote(connector.name)}"
