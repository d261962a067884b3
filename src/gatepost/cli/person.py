"""`gatepost person …`"""

from datetime import UTC, datetime
from typing import Annotated

import typer

from gatepost.admin.people import people
from gatepost.cli import context
from gatepost.cli.editing import day_and_time, directory_editor, print_table
from gatepost.config.values import address_text
from gatepost.errors import BadRequest
from gatepost.tenancy.fields import time_text
from gatepost.tenancy.person import Person
from gatepost.tenancy.record import person_record

person_app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Manage people of the console."
)

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="As shown by person list.")]
Json = Annotated[bool, typer.Option("--json", help="Output JSON.")]

_WILDCARDS = {"0.0.0.0", "::"}


@person_app.command(help="Add a person and print a one-time link, valid for 24 hours, that sets their password.")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="What they sign in with.")],
    tenant: Annotated[str | None, typer.Option(metavar="T", help="They see this tenant only.")] = None,
    operator: Annotated[bool, typer.Option("--operator", help="They see all tenants.")] = False,
    role: Annotated[
        str | None,
        typer.Option(
            metavar="ROLE",
            help="operator or operator-read; tenant-admin or tenant-read. Default: the first, which may change things.",
        ),
    ] = None,
) -> None:
    console = _console_url()
    with directory_editor() as editor:
        if (tenant is None) is not operator:
            raise BadRequest("choose what the person sees: --tenant T or --operator")
        person, secret = people.add(editor, name, tenant, role, datetime.now(UTC))
    _say_link(console, person, secret)


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
            day_and_time(each.password_set_at),
            day_and_time(each.link_expires_at),
        ]
        for each in found
    ]
    print_table("", ["name", "role", "tenant", "password set", "link open until"], rows)


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
        found = people.activities(editor, name, limit)
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
    host = context.config().hostname if console.host in _WILDCARDS else console.host
    return f"https://{address_text(host, console.port)}"


def _say_link(console: str, person: Person, secret: str) -> None:
    context.say(f"{person.name} ({person.role}{f' of {person.tenant}' if person.tenant else ''}) sets a password at:")
    context.say(f"{console}/link?token={secret}")
    context.say(f"The link works once, until {day_and_time(person.link_expires_at)}.")
