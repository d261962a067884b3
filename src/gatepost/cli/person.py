"""`gatepost person …`"""

from datetime import UTC, datetime
from typing import Annotated

import typer

from gatepost.admin.people import people
from gatepost.cli import context
from gatepost.cli.editing import day_and_time, directory_editor, print_table
from gatepost.errors import BadRequest
from gatepost.tenancy.fields import time_text
from gatepost.tenancy.person import ActivityFilter, Identity, Person
from gatepost.tenancy.record import person_record

person_app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Manage people of the console."
)

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="As shown by person list.")]
Json = Annotated[bool, typer.Option("--json", help="Output JSON.")]


@person_app.command(help="Add a person and print a one-time link, valid for 24 hours, that sets their password.")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="What they sign in with.")],
    tenant: Annotated[str | None, typer.Option(metavar="T", help="They see this tenant only.")] = None,
    operator: Annotated[bool, typer.Option("--operator", help="They see all tenants.")] = False,
    role: Annotated[
        str | None,
        typer.Option(
            metavar="ROLE",
            help="operator or operator-read; tenant-admin or tenant-read; for either, trace-without-subject. "
            "Default: the first, which may change things.",
        ),
    ] = None,
    oidc: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="ISSUER SUBJECT",
            help="They sign in with an identity provider, which calls them exactly so; no link is made.",
        ),
    ] = None,
) -> None:
    console = _console_url()
    now = datetime.now(UTC)
    with directory_editor() as editor:
        if (tenant is None) is not operator:
            raise BadRequest("choose what the person sees: --tenant T or --operator")
        if oidc is None:
            _say_link(console, *people.add(editor, name, tenant, role, now))
            return
        provider = _provider_of(oidc[0])
        person = people.add_known_elsewhere(editor, name, tenant, role, Identity(*oidc), now)
    context.say(f"{_who(person)} signs in with {provider} at:")
    context.say(f"{console}/sign-in")


@person_app.command(help="Print a new one-time link that sets another password; an earlier link ends.")
def link(name: Name) -> None:
    console = _console_url()
    with directory_editor() as editor:
        person, secret = people.link(editor, name, datetime.now(UTC))
    _say_link(console, person, secret)


@person_app.command("list", help="List people: role, tenant, password.")
def list_people(
    tenant: Annotated[str | None, typer.Option(metavar="T", help="That tenant's only.")] = None, json: Json = False
) -> None:
    with directory_editor() as editor:
        found = people.every(editor, tenant)
    if json:
        context.print_json([person_record(each) for each in found])
        return
    rows = [
        [
            each.name,
            each.role,
            each.tenant or "",
            "disabled" if each.disabled_at else "",
            day_and_time(each.password_set_at),
            day_and_time(each.link_expires_at),
        ]
        for each in found
    ]
    print_table("", ["name", "role", "tenant", "state", "password set", "link open until"], rows)


@person_app.command(help="Disable a person: their sessions and their link end at once, and they cannot sign in.")
def disable(name: Name) -> None:
    with directory_editor() as editor:
        person = people.disable(editor, name, datetime.now(UTC))
    context.say(f"disabled person {person.name}")
    context.suggest(f"gatepost person enable {person.name}")


@person_app.command(help="Enable a disabled person.")
def enable(name: Name) -> None:
    with directory_editor() as editor:
        person = people.enable(editor, name)
    context.say(f"enabled person {person.name}")


@person_app.command(help="End all sessions of a person; they may sign in again.")
def sign_out(name: Name) -> None:
    with directory_editor() as editor:
        person = people.end_sessions(editor, name)
    context.say(f"ended the sessions of person {person.name}")


@person_app.command(help="Remove a person; their sessions end at once.")
def remove(name: Name) -> None:
    with directory_editor() as editor:
        person = people.remove(editor, name)
    context.say(f"removed person {person.name}")


@person_app.command(help="List what people did in the console: sign-ins and what they looked at, newest first.")
def activity(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", show_default=False, help="That person's only.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="How many.")] = 50,
    json: Json = False,
) -> None:
    with directory_editor() as editor:
        found = people.activities(editor, ActivityFilter(person=name), limit)
    if json:
        context.print_json(
            [
                {
                    "at": time_text(each.at),
                    "person": each.person,
                    "address": each.address,
                    "what": each.what,
                    "about": each.about,
                }
                for each in found
            ]
        )
        return
    rows = [[day_and_time(each.at), each.person, f"{each.what} {each.about}".rstrip(), each.address] for each in found]
    print_table("", ["at", "name", "what", "from"], rows)


def _console_url() -> str:
    """Looked up first: a link that leads nowhere is none."""
    console = context.config().console
    if console is None:
        example = '[console] and below it address = "127.0.0.1:8444"'
        context.fail(f"{context.config_path()} has no [console]; add {example}, and restart", context.WRONG_USE)
    return console.url


def _provider_of(issuer: str) -> str:
    console = context.config().console
    known = console.providers if console else ()
    for each in known:
        if each.issuer == issuer:
            return each.name
    issuers = ", ".join(each.issuer for each in known) or "none"
    raise BadRequest(f"no [[console.provider]] has issuer {issuer}; configured: {issuers}")


def _who(person: Person) -> str:
    return f"{person.name} ({person.role}{f' of {person.tenant}' if person.tenant else ''})"


def _say_link(console: str, person: Person, secret: str) -> None:
    context.say(f"{_who(person)} sets a password at:")
    context.say(f"{console}/link?token={secret}")
    context.say(f"The link works once, until {day_and_time(person.link_expires_at)}.")
