"""`gatepost dkim …`"""

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from gatepost.admin.signing import keys, operations
from gatepost.cli import context
from gatepost.cli.editing import administration, day_and_time, print_facts, print_table
from gatepost.errors import BadRequest
from gatepost.tenancy.record import signing_key_shown
from gatepost.tenancy.signing_key import KeyState, SigningKey, zone_line

dkim_app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Manage the keys by which mail is signed (DKIM).",
)

Tenant = Annotated[
    str,
    typer.Argument(metavar="TENANT", show_default=False, help="Tenant that owns the domain; -: the relay's own mail."),
]
Domain = Annotated[str, typer.Argument(metavar="DOMAIN", show_default=False, help="Such as contoso.com.")]
Selector = Annotated[str | None, typer.Option("--selector", metavar="S", show_default=False, help="Which key.")]
Json = Annotated[bool, typer.Option("--json", help="Output JSON.")]

_LARGEST_FILE = 64 * 1024


@dkim_app.command(help="Make a signing key and print its TXT record. It signs once it is activated.")
def add(
    tenant: Tenant,
    domain: Domain,
    selector: Annotated[
        str | None,
        typer.Option(metavar="S", show_default=False, help="Name of the key in DNS. Default: gp and the month."),
    ] = None,
    algorithm: Annotated[
        str | None,
        typer.Option(
            metavar="rsa2048|rsa4096|ed25519",
            show_default=False,
            help="Default: rsa2048. Use ed25519 only in addition: large receivers do not verify it.",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default=False, help="Use this private key (PEM) instead of a new one."),
    ] = None,
    rotate: Annotated[
        str | None,
        typer.Option(
            metavar="DAYS",
            show_default=False,
            help="Replace the key at this age, such as 180d: a new one is announced, and used once DNS shows it.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    if key and algorithm:
        raise typer.BadParameter("the file decides the algorithm: leave out --algorithm")
    with administration() as admin:
        made = admin.do(
            operations.ADD_KEY,
            tenant=tenant,
            domain=domain,
            selector=selector,
            algorithm=algorithm,
            pem=_pem(key) if key else None,
            rotate_days=_days(rotate) if rotate else None,
        )
    if json:
        context.print_json(signing_key_shown(made))
        return
    context.say(f"made a signing key for {made.domain}; to let receivers verify it, publish this TXT record:")
    _say_record(made)
    context.suggest(f"{_command('activate', made)}   (once DNS shows the record)")


@dkim_app.command("list", help="List signing keys: state, age, and whether DNS shows them.")
def list_keys(
    tenant: Annotated[
        str | None,
        typer.Argument(metavar="[TENANT]", show_default=False, help="That tenant's only; -: the relay's own."),
    ] = None,
    json: Json = False,
) -> None:
    with administration() as admin:
        found = admin.do(operations.KEYS, tenant=tenant)
    if json:
        context.print_json([signing_key_shown(each) for each in found])
        return
    rows = [
        [each.domain, each.selector, each.tenant or keys.OPERATOR, each.algorithm, each.state, _in_dns(each)]
        for each in found
    ]
    print_table("", ["domain", "selector", "tenant", "algorithm", "state", "seen in DNS"], rows)
    waiting = next((each for each in found if each.state is KeyState.PENDING), None)
    if waiting:
        context.suggest(_command("check", waiting))


@dkim_app.command(help="Show a domain's signing keys with their TXT records.")
def show(tenant: Tenant, domain: Domain, selector: Selector = None, json: Json = False) -> None:
    with administration() as admin:
        found = admin.do(operations.KEYS_OF_DOMAIN, tenant=tenant, domain=domain, selector=selector)
    if json:
        context.print_json([signing_key_shown(each) for each in found])
        return
    for each in found:
        print_facts(each.label, _facts(each))
        _say_record(each)


@dkim_app.command(help="Ask DNS for the records, every name server of the zone. Exit code 1: a record is not right.")
def check(tenant: Tenant, domain: Domain, selector: Selector = None, json: Json = False) -> None:
    with administration() as admin:
        published = admin.do(operations.CHECK_KEYS, tenant=tenant, domain=domain, selector=selector)
    if json:
        context.print_json(
            [
                {
                    "domain": each.key.domain,
                    "selector": each.key.selector,
                    "record": each.key.record_name,
                    "published": each.why_not is None,
                    "why_not": each.why_not,
                }
                for each in published
            ]
        )
    else:
        for each in published:
            context.say(f"{each.key.record_name}: {each.why_not or 'DNS shows the key'}")
            if each.why_not is None and each.key.state is KeyState.PENDING:
                context.suggest(_command("activate", each.key))
    if any(each.why_not for each in published):
        raise typer.Exit(context.NO)


@dkim_app.command(help="Sign with a key from now on, if DNS shows its record. The key in use stops signing.")
def activate(tenant: Tenant, domain: Domain, selector: Selector = None, json: Json = False) -> None:
    with administration() as admin:
        active, stopped = admin.do(operations.ACTIVATE_KEY, tenant=tenant, domain=domain, selector=selector)
    if json:
        context.print_json(signing_key_shown(active))
        return
    context.say(f"mail from {active.domain} is signed with {active.selector} ({active.algorithm}) from now on")
    for each in stopped:
        context.say(_stays(each))


@dkim_app.command(help="Stop signing with a key. Its record stays in DNS until mail signed with it has gone.")
def retire(tenant: Tenant, domain: Domain, selector: Selector = None) -> None:
    with administration() as admin:
        stopped, goes_on = admin.do(operations.RETIRE_KEY, tenant=tenant, domain=domain, selector=selector)
    context.say(_stays(stopped))
    if not goes_on:
        context.warn(f"mail from {stopped.domain} leaves unsigned now")


@dkim_app.command(help="Remove a key that signs nothing.")
def remove(tenant: Tenant, domain: Domain, selector: Selector = None) -> None:
    with administration() as admin:
        removed = admin.do(operations.REMOVE_KEY, tenant=tenant, domain=domain, selector=selector)
    context.say(f"removed {removed.label}")
    if removed.state is KeyState.RETIRING and removed.record_may_go_at:
        context.warn(
            f"leave {removed.record_name} in DNS until {day_and_time(removed.record_may_go_at)}: mail signed with the "
            "key may still wait"
        )


def _pem(file: Path) -> tuple[bytes, str]:
    try:
        with file.open("rb") as opened:
            return opened.read(_LARGEST_FILE), str(file)
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror}") from None


def _days(text: str) -> int:
    digits = text.removesuffix("d")
    if not digits.isdecimal() or not 7 <= int(digits) <= 3650:
        raise BadRequest(f"--rotate {text}: write a number of days from 7 to 3650, such as 180d")
    return int(digits)


def _facts(key: SigningKey) -> list[tuple[str, str]]:
    facts = [
        ("tenant", key.tenant or "none: the relay's own mail"),
        ("state", key.state.value),
        ("algorithm", key.algorithm.value),
        ("made", day_and_time(key.created_at)),
        ("signs since", day_and_time(key.activated_at)),
        ("seen in DNS", _in_dns(key)),
    ]
    if key.rotate_days:
        facts.append(("replaced after", f"{key.rotate_days} days"))
    if key.record_may_go_at:
        facts.append(("record may go", day_and_time(key.record_may_go_at)))
    return facts


def _in_dns(key: SigningKey) -> str:
    if key.missing_since:
        return f"missing since {day_and_time(key.missing_since)}"
    return day_and_time(key.seen_at)


def _say_record(key: SigningKey) -> None:
    context.say(f"  name   {key.record_name}")
    context.say(f"  value  {key.record_value}")
    context.say(f"  zone   {zone_line(key)}")


def _stays(key: SigningKey) -> str:
    return (
        f"{key.selector} signs no more; leave {key.record_name} in DNS until {day_and_time(key.record_may_go_at)}: "
        "mail signed with it may still wait"
    )


def _command(verb: str, key: SigningKey) -> str:
    return f"gatepost dkim {verb} {quote(key.tenant or keys.OPERATOR)} {key.domain} --selector {key.selector}"
