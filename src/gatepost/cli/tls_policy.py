"""`gatepost tls-policy`: what is required of TLS for mail to a domain, and why; with --live, what hosts do."""

from typing import TYPE_CHECKING, Annotated

import typer

from gatepost.cli import context
from gatepost.mail.domain import DomainError, domain_key
from gatepost.queue.routing import choose

if TYPE_CHECKING:
    from gatepost.admin.sessions.tls_policy import NextHop, TlsPolicyShown

tls_policy_app = typer.Typer(add_completion=False, rich_markup_mode=None)


@tls_policy_app.command(
    "tls-policy",
    help="Show what is required of TLS for mail to a domain, and why. Exit code 1: no next hop may get mail.",
)
def tls_policy_command(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The recipients' domain.")],
    tenant: Annotated[
        str | None, typer.Option(metavar="T", help="For mail of this tenant; default: of no tenant.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Also connect to each next hop and check what it presents; no mail is sent.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Output JSON.")] = False,
) -> None:
    from gatepost.app.tls_policy import run_tls_policy

    try:
        key = domain_key(domain)
    except DomainError as error:
        context.fail(str(error), context.WRONG_USE)
    directory = context.directory()
    if tenant is not None and directory.tenant(tenant) is None:
        context.fail(f"no tenant {tenant}; list them with: gatepost tenant list")
    connector = choose(directory.send_connectors(tenant, key), tenant, key)
    if connector is None:
        context.fail(
            f"no send connector covers {key}; add one with: gatepost send-connector add NAME --address-space {key}"
        )
    shown = run_tls_policy(context.config(), connector, key, live=live)
    if json:
        context.print_json(shown)
    else:
        _show(shown)
    if not shown.takes_mail:
        raise typer.Exit(context.NO)


def _show(shown: "TlsPolicyShown") -> None:
    context.say(f"{shown.domain}: {shown.level} (source: {shown.source}), by send connector {shown.connector}")
    if not shown.next_hops:
        for step in shown.because:
            context.print_point(step.code, "", step.says)
    for hop in shown.next_hops:
        _show_hop(hop)


def _show_hop(hop: "NextHop") -> None:
    state = "no mail" if hop.blocked else hop.level
    context.say(f"\n{hop.host} port {hop.port} [{hop.address}]: {state}")
    for step in hop.because:
        context.print_point(step.code, "", step.says)
    if hop.seen is not None:
        code, under = hop.seen.code or "not-reached", hop.seen.tls or "no TLS"
        style = "bold green" if hop.seen.takes_mail else "bold red"
        context.print_point(code, under if hop.seen.takes_mail else "", hop.seen.says, style)
