"""`gatepost domain …`"""

from shlex import quote
from typing import Annotated

import typer

from gatepost.admin.directory import domains, operations
from gatepost.admin.directory.ownership import record_name, record_value, txt_record
from gatepost.cli import context
from gatepost.cli.editing import administration, day_and_time, print_facts, print_table, yes_or_no
from gatepost.tenancy.fields import Record
from gatepost.tenancy.record import domain_record
from gatepost.tenancy.tenant import AcceptedDomain

domain_app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Manage accepted domains and their verification.",
)

Domain = Annotated[str, typer.Argument(metavar="DOMAIN", show_default=False, help="Such as contoso.com.")]
Whose = Annotated[
    str | None,
    typer.Option("--tenant", metavar="NAME", show_default=False, help="Tenant, if several claim the domain."),
]
Json = Annotated[bool, typer.Option("--json", help="Output JSON.")]


@domain_app.command(help="Add a domain and print its TXT record.")
def add(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", show_default=False, help="Tenant that owns the domain.")],
    domain: Domain,
    match_subdomains: Annotated[bool, typer.Option("--match-subdomains", help="Include subdomains.")] = False,
    verified: Annotated[
        bool, typer.Option("--verified", help="Mark as verified without a DNS check (operator).")
    ] = False,
    json: Json = False,
) -> None:
    with administration() as admin:
        made = admin.do(
            operations.ADD_DOMAIN, tenant=tenant, name=domain, match_subdomains=match_subdomains, verified=verified
        )
    _report(made)
    if json:
        context.print_json(_record(made.domain))
        return
    if made.domain.verified:
        context.say(f"added {made.domain.domain} to {made.domain.tenant}, verified by the operator")
        context.suggest(f"gatepost inbound-connector add {quote(made.domain.tenant)} NAME …")
        return
    context.say(f"added {made.domain.domain} to {made.domain.tenant}; to prove ownership, publish this TXT record:")
    context.say(txt_record(made.domain))
    context.suggest(f"gatepost domain verify {made.domain.domain}   (once DNS shows the record)")


@domain_app.command(help="Check the TXT record in DNS. Exit code 1: not verified.")
def verify(domain: Domain, tenant: Whose = None, json: Json = False) -> None:
    with administration() as admin:
        made, waiting = admin.do(operations.VERIFY_DOMAIN, name=domain, tenant=tenant)
    _report(made)
    if json:
        context.print_json(_record(made.domain))
        return
    context.say(f"{made.domain.domain} is verified for {made.domain.tenant}")
    owner = quote(made.domain.tenant)
    if waiting:
        context.suggest(f"gatepost inbound-connector enable {owner} {quote(waiting.name)}")
    else:
        context.suggest(f"gatepost inbound-connector list {owner}")


@domain_app.command("set", help="Change a domain.")
def set_domain(
    domain: Domain,
    tenant: Whose = None,
    match_subdomains: Annotated[bool | None, typer.Option(help="Include subdomains or not.")] = None,
    verified: Annotated[
        bool | None, typer.Option(help="Mark as verified without a DNS check, or revoke verification (operator).")
    ] = None,
) -> None:
    with administration() as admin:
        made = admin.do(
            operations.CHANGE_DOMAIN, name=domain, tenant=tenant, match_subdomains=match_subdomains, verified=verified
        )
    _report(made)
    context.say(f"{made.domain.domain}: {state_of(made.domain)}")


@domain_app.command(help="Show a domain and its TXT record.")
def show(domain: Domain, tenant: Whose = None, json: Json = False) -> None:
    with administration() as admin:
        found = admin.do(operations.DOMAIN, name=domain, tenant=tenant)
    if json:
        context.print_json(_record(found))
        return
    facts = [
        ("tenant", found.tenant),
        ("state", state_of(found)),
        ("sub-domains too", yes_or_no(found.match_subdomains)),
        ("TXT record", txt_record(found)),
        (
            "last asked",
            "not checked: verified by the operator" if found.verified_by_operator else day_and_time(found.checked_at),
        ),
    ]
    print_facts(found.domain, facts)
    if not found.verified:
        context.suggest(f"gatepost domain verify {found.domain}")


@domain_app.command("list", help="List accepted domains and claims of all tenants or one.")
def list_domains(
    tenant: Annotated[
        str | None, typer.Argument(metavar="TENANT", show_default=False, help="Only this tenant's domains.")
    ] = None,
    json: Json = False,
) -> None:
    with administration() as admin:
        found = admin.do(operations.DOMAINS, tenant=tenant)
    if json:
        context.print_json([_record(each) for each in found])
        return
    rows = [[each.domain, each.tenant, state_of(each), yes_or_no(each.match_subdomains)] for each in found]
    print_table("", ["domain", "tenant", "state", "sub-domains"], rows)
    waiting = next((each.domain for each in found if not each.verified), None)
    if waiting:
        context.suggest(f"gatepost domain verify {waiting}")


@domain_app.command(help="Remove a domain from its tenant.")
def remove(domain: Domain, tenant: Whose = None) -> None:
    with administration() as admin:
        made = admin.do(operations.REMOVE_DOMAIN, name=domain, tenant=tenant)
    _report(made)
    context.say(f"removed {made.domain.domain} from {made.domain.tenant}")


def state_of(domain: AcceptedDomain) -> str:
    if not domain.verified:
        return "not verified" + (f", claimed {day_and_time(domain.claimed_at)}" if domain.claimed_at else "")
    if domain.lost_at:
        return f"verified, but its record is missing since {day_and_time(domain.lost_at)}"
    return "verified by the operator" if domain.verified_by_operator else "verified"


def _record(domain: AcceptedDomain) -> Record:
    record = {"name": record_name(domain.domain), "type": "TXT", "value": record_value(domain)}
    return {**domain_record(domain), "record": record}


def _report(made: domains.DomainChange) -> None:
    for warning in made.warnings:
        context.warn(warning)
