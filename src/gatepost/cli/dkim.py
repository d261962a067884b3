"""`gatepost dkim …`"""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from gatepost.admin.signing import keys
from gatepost.cli import context
from gatepost.cli.editing import day_and_time, directory_editor, print_facts, print_table
from gatepost.errors import BadRequest
from gatepost.tenancy.fields import Record
from gatepost.tenancy.record import signing_key_record
from gatepost.tenancy.signing_key import KeyState, SigningKey, zone_line

if TYPE_CHECKING:
    from gatepost.admin.directory.verification import TxtLookup

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
    hostname = context.config().hostname
    with directory_editor() as editor:
        made = keys.add(
            editor,
            hostname,
            tenant,
            domain,
            selector=selector,
            algorithm=algorithm,
            pem=_pem(key) if key else None,
            rotate_days=_days(rotate) if rotate else None,
            at=datetime.now(UTC),
        )
    if json:
        context.print_json(_record(made))
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
    with directory_editor() as editor:
        found = keys.every(editor, tenant)
    if json:
        context.print_json([_record(each) for each in found])
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
    with directory_editor() as editor:
        found = keys.of_domain(editor, tenant, domain, selector)
    if json:
        context.print_json([_record(each) for each in found])
        return
    for each in found:
        print_facts(each.label, _facts(each))
        _say_record(each)


@dkim_app.command(help="Ask DNS for the records, every name server of the zone. Exit code 1: a record is not right.")
def check(tenant: Tenant, domain: Domain, selector: Selector = None, json: Json = False) -> None:
    with directory_editor() as editor:
        wanted = [
            each
            for each in keys.of_domain(editor, tenant, domain, selector)
            if selector or each.state is not KeyState.RETIRED
        ]
        published = [asyncio.run(keys.look(_lookup(), each)) for each in wanted]
        for each in published:
            keys.seen(editor, each, datetime.now(UTC))
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
    with directory_editor() as editor:
        key = keys.named(editor, tenant, domain, selector, (KeyState.PENDING,))
        published = asyncio.run(keys.look(_lookup(), key))
        active, stopped = keys.activate(editor, published, datetime.now(UTC))
    if json:
        context.print_json(_record(active))
        return
    context.say(f"mail from {active.domain} is signed with {active.selector} ({active.algorithm}) from now on")
    for each in stopped:
        context.say(_stays(each))


@dkim_app.command(help="Stop signing with a key. Its record stays in DNS until mail signed with it has gone.")
def retire(tenant: Tenant, domain: Domain, selector: Selector = None) -> None:
    with directory_editor() as editor:
        key = keys.named(editor, tenant, domain, selector, (KeyState.ACTIVE,))
        stopped, goes_on = keys.retire(editor, key, datetime.now(UTC))
    context.say(_stays(stopped))
    if not goes_on:
        context.warn(f"mail from {stopped.domain} leaves unsigned now")


@dkim_app.command(help="Remove a key that signs nothing.")
def remove(tenant: Tenant, domain: Domain, selector: Selector = None) -> None:
    with directory_editor() as editor:
        key = keys.named(editor, tenant, domain, selector, (KeyState.PENDING, KeyState.RETIRED))
        removed = keys.remove(editor, key)
    context.say(f"removed {removed.label}")
    if removed.state is KeyState.RETIRING and removed.record_may_go_at:
        context.warn(
            f"leave {removed.record_name} in DNS until {day_and_time(removed.record_may_go_at)}: mail signed with the "
            "key may still wait"
        )


def _lookup() -> "TxtLookup":
    from gatepost.app.admin_wiring import every_name_server

    return every_name_server(context.config())


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


def _record(key: SigningKey) -> Record:
    record = {"name": key.record_name, "type": "TXT", "value": key.record_value, "zone": zone_line(key)}
    return {**signing_key_record(key), "record": record}


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
