"""`gatepost enroll`: one message from a server proves its certificate, and says which connector recognises it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gatepost.admin.enrolment import one_time_addresses
from gatepost.cli import context
from gatepost.cli.editing import day_and_time, directory_editor, exit_on_refusal, print_facts
from gatepost.tenancy.one_time_address import Purpose, State

enroll_app = typer.Typer(add_completion=False, rich_markup_mode=None)


@enroll_app.command(
    "enroll", help="Create a one-time address; one message to it proves the certificate of the sending server."
)
def enroll(
    tenant: Annotated[
        str, typer.Argument(metavar="TENANT", show_default=False, help="Tenant that operates the server.")
    ],
    show: Annotated[
        bool,
        typer.Option("--show", help="Show what the relay saw and the connector it proposes. Exit code 1: nothing yet."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Output JSON.")] = False,
) -> None:
    found = _remote(tenant, show=show) if context.INVOCATION.server else _local(tenant, show=show)
    if json:
        context.print_json(found.record)
    elif not show:
        _print_address(found)
    else:
        _print_seen(found)
    if show and not found.record["seen"]:
        raise typer.Exit(context.NO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    tenant: str
    record: Mapping[str, Any]
    """As the API shows it."""


def _local(tenant: str, *, show: bool) -> Enrolment:
    at, hostname = datetime.now(UTC), context.config().hostname
    with directory_editor() as editor:
        if show:
            one_time_address = one_time_addresses.newest(editor, tenant, Purpose.ENROLMENT)
        else:
            one_time_address = one_time_addresses.make(editor, tenant, Purpose.ENROLMENT, at)
        record = one_time_addresses.enrolment_shown(editor, one_time_address, hostname, at)
    return Enrolment(tenant=one_time_address.tenant, record=record)


def _remote(tenant: str, *, show: bool) -> Enrolment:
    from gatepost.app.remote import remote_enrolment

    asked = context.INVOCATION
    assert asked.server is not None
    with exit_on_refusal():
        record = remote_enrolment(asked.server, asked.token_file, asked.authority, tenant, make=not show)
    return Enrolment(tenant=tenant, record=record)


def _print_address(found: Enrolment) -> None:
    record, expires = found.record, datetime.fromisoformat(found.record["expires_at"])
    context.say(
        f"send one message through the server to enrol, from an address in a verified domain of "
        f"{found.tenant}, until {day_and_time(expires)} to:"
    )
    context.say(record["address"])
    context.say("\nfor this message the server must use this EHLO name; restore the old one afterwards:")
    context.say(record["ehlo"])
    context.say("")
    for program, command in record["how"].items():
        context.say(f"  {program:<9} {command}")
    context.suggest(f"gatepost enroll {found.tenant} --show")


def _print_seen(found: Enrolment) -> None:
    record = found.record
    seen, proposal = record["seen"], record["proposal"]
    if seen is None and record["refused"]:
        _print_refused(found, record["refused"])
        return
    if seen is None or proposal is None:
        ended = record["state"] == State.EXPIRED
        context.say(
            "no message arrived, and the address has expired"
            if ended
            else f"no message has arrived yet at {record['address']}"
        )
        return
    print_facts(f"a server of {found.tenant}", _facts(seen))
    context.say("\nproven to be the tenant's: " + (", ".join(record["proved"]) or "nothing"))
    context.say("to recognise this server from now on:")
    context.say(proposal["command"])


def _print_refused(found: Enrolment, refused: Mapping[str, Any]) -> None:
    print_facts(f"a session that did not prove a certificate for {found.tenant}", _facts(refused))
    context.say(f"\nrefused: {refused['code']}: {refused['says']}")
    if claimed_by := refused.get("claimed_by"):
        context.say(f"connectors of these tenants could claim the session: {', '.join(claimed_by)}")
    proposal = found.record["proposal"]
    if proposal and refused["code"] == "enrolment-public-certificate":
        context.say("to recognise this server by its name:")
        context.say(proposal["command"])


def _facts(seen: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [("session", f"{seen['session_id']} at {seen['at']}"), ("address", seen["address"]), ("EHLO", seen["ehlo"])]
    tls = seen["tls"]
    if tls is None:
        return [*facts, ("TLS", "none, so no certificate could be presented")]
    facts.append(("TLS", f"{tls['protocol']} {tls['cipher']}"))
    certificate = tls["certificate"]
    if certificate is None:
        return [*facts, ("certificate", "none presented")]
    judged = "verified" if certificate["verified"] else f"did not verify: {certificate['errors'][0]['text']}"
    return [
        *facts,
        ("certificate", f"{certificate['subject']}: {judged}"),
        ("names", ", ".join(certificate["names"]) or "none"),
        ("issuer", certificate["issuer"]),
        ("valid until", certificate["not_after"] or "unknown"),
    ]
