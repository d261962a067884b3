"""`gatepost tenant …`"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from shlex import quote
from typing import Annotated, Literal

import typer

from gatepost.admin.directory import operations, tenants
from gatepost.admin.queue import waiting_mail
from gatepost.cli import context
from gatepost.cli.domain import state_of
from gatepost.cli.editing import administration, ago, day_and_time, print_facts, print_table
from gatepost.tenancy.fields import Record
from gatepost.tenancy.notation import limit_count, limit_size, named_limit, size_text
from gatepost.tenancy.record import domain_record, inbound_connector_record, send_connector_record, tenant_record
from gatepost.tenancy.seen_server import ConnectorUse
from gatepost.tenancy.tenant import Tenant

tenant_app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Manage tenants.",
)

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="Such as contoso.")]
Json = Annotated[bool, typer.Option("--json", help="Output JSON.")]


@tenant_app.command(help="Add a tenant.")
def add(name: Name) -> None:
    with administration() as admin:
        tenant = admin.do(operations.ADD_TENANT, name=name)
    context.say(f"added tenant {tenant.name}")
    context.suggest(f"gatepost domain add {quote(tenant.name)} DOMAIN")


@tenant_app.command(
    "set", help="Change a tenant. A limit of 0 means unlimited; 'default' restores the server-wide limit."
)
def set_tenant(
    name: Name,
    contact: Annotated[
        str | None, typer.Option(metavar="MAILBOX", help="Mailbox that receives forecasts; '': none.")
    ] = None,
    trace_subject: Annotated[
        Literal["on", "off"] | None, typer.Option(metavar="on|off", help="Record the Subject of its mail in the trace.")
    ] = None,
    messages_per_minute: Annotated[str | None, typer.Option(metavar="COUNT", help="Messages per minute.")] = None,
    recipients_per_minute: Annotated[str | None, typer.Option(metavar="COUNT", help="Recipients per minute.")] = None,
    message_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Maximum message size, such as 25MiB.")
    ] = None,
    sessions: Annotated[str | None, typer.Option(metavar="COUNT", help="Concurrent sessions.")] = None,
    queued: Annotated[str | None, typer.Option(metavar="COUNT", help="Queued recipients.")] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=COUNT", help="Any limit of [tenant_limits], such as inbound-connectors=400."),
    ] = None,
) -> None:
    counts = {
        "messages_per_minute": messages_per_minute,
        "recipients_per_minute": recipients_per_minute,
        "sessions": sessions,
        "queued": queued,
    }
    with administration() as admin:
        limits: dict[str, int | None] = {each: limit_count(text) for each, text in counts.items() if text is not None}
        if message_size is not None:
            limits["message_size"] = limit_size(message_size)
        limits |= dict(map(named_limit, limit or ()))
        records = None if trace_subject is None else trace_subject == "on"
        tenant = admin.do(operations.CHANGE_TENANT, name=name, contact=contact, trace_subject=records, limits=limits)
    context.say(f"changed tenant {tenant.name}")
    context.suggest(f"gatepost tenant show {quote(tenant.name)}")


@tenant_app.command("list", help="List all tenants.")
def list_tenants(json: Json = False) -> None:
    with administration() as admin:
        found = admin.do(operations.TENANTS)
        used = admin.do(operations.CONNECTOR_USES, tenant=None)
    if json:
        context.print_json([tenant_record(tenant) for tenant in found])
        return
    by_tenant: dict[str, list[ConnectorUse]] = defaultdict(list)
    for use in used:
        by_tenant[use.tenant].append(use)
    rows = [[each.name, day_and_time(each.created_at), *_use(by_tenant[each.name])] for each in found]
    print_table("", ["tenant", "since", "last session", "messages in 24 h", "30 d"], rows)
    context.suggest("gatepost tenant show NAME" if found else "gatepost tenant add NAME")


@tenant_app.command(help="Show a tenant and what belongs to it.")
def show(name: Name, json: Json = False) -> None:
    with administration() as admin:
        found = admin.do(operations.TENANT_CONTENTS, name=name)
    if json:
        context.print_json(_record(found))
        return
    facts = [("since", day_and_time(found.tenant.created_at)), ("contact", found.tenant.contact or "none")]
    facts += [("subjects", "recorded in the trace")] if found.tenant.trace_subject else []
    facts += [(each.replace("_", " "), _limit(each, limit)) for each, limit in _own_limits(found.tenant)]
    print_facts(f"tenant {found.tenant.name}", facts)
    if found.domains:
        context.say()
        print_table("", ["domain", "state"], [[domain.domain, state_of(domain)] for domain in found.domains])
    if found.inbound_connectors:
        context.say()
        rows = [[each.name, each.type.value, _state(each.enabled)] for each in found.inbound_connectors]
        print_table("", ["inbound connector", "type", "state"], rows)
    if found.send_connectors:
        context.say()
        rows = [
            [each.name, " ".join(map(str, each.address_spaces)), _state(each.enabled)] for each in found.send_connectors
        ]
        print_table("", ["send connector", "address spaces", "state"], rows)
    context.suggest(_next_step(found))


@tenant_app.command(help="Remove a tenant; with --yes, also its domains and connectors.")
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Also remove its domains and connectors.")] = False,
) -> None:
    with administration() as admin:
        found = admin.do(operations.REMOVE_TENANT, name=name, with_contents=yes)
    context.say(f"removed tenant {found.tenant.name}" + (f" with {found.summary}" if found.summary else ""))
    _tell_what_waits(found.tenant.name)


def _tell_what_waits(tenant: str) -> None:
    """Of mail that was accepted before; not with `--server`, where a tenant that is gone has no queue to ask for."""
    if context.INVOCATION.server:
        return
    with context.queue_commands() as queue:
        waiting = queue.overview(waiting_mail.choice(tenant=tenant), 0).recipients
    if waiting:
        what = (
            "1 recipient of its mail is still queued"
            if waiting == 1
            else f"{waiting} recipients of its mail are still queued"
        )
        context.warn(
            f"note: {what}. It leaves by server-wide send connectors only; what came in for a domain that "
            f"another tenant then verifies stays until you decide: gatepost queue list --tenant {quote(tenant)}"
        )


def _record(found: tenants.TenantContents) -> Record:
    return {
        **tenant_record(found.tenant),
        "domains": [domain_record(each) for each in found.domains],
        "inbound_connectors": [inbound_connector_record(each) for each in found.inbound_connectors],
        "send_connectors": [send_connector_record(each) for each in found.send_connectors],
    }


def _use(own: Sequence[ConnectorUse]) -> tuple[str, str, str]:
    """Of all inbound connectors of a tenant."""
    last = f"{ago(max(each.last_at for each in own))} ago" if own else "none"
    return last, str(sum(each.messages_24h for each in own)), str(sum(each.messages_30d for each in own))


def _own_limits(tenant: Tenant) -> list[tuple[str, int]]:
    return [(each, limit) for each, limit in asdict(tenant.limits).items() if limit is not None]


def _limit(name: str, limit: int) -> str:
    return size_text(limit) if name == "message_size" else str(limit)


def _next_step(found: tenants.TenantContents) -> str:
    name = quote(found.tenant.name)
    if not found.domains:
        return f"gatepost domain add {name} DOMAIN"
    unverified = next((domain for domain in found.domains if not domain.verified), None)
    if unverified:
        return f"gatepost domain verify {unverified.domain}"
    if not found.inbound_connectors:
        return f"gatepost inbound-connector add {name} CONNECTOR --certificate-name mail.{found.domains[0].domain}"
    return f"gatepost inbound-connector show {name} {quote(found.inbound_connectors[0].name)}"


def _state(enabled: bool) -> str:
    return "enabled" if enabled else "disabled"
