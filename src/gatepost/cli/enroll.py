"""`gatepost enroll`: one message from a server proves its certificate, and says which connector recognises it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gatepost.admin.enrolment import appointments
from gatepost.cli import context
from gatepost.cli.editing import day_and_time, directory_editor, print_facts
from gatepost.tenancy.appointment import Appointment, Purpose, State

enroll_app = typer.Typer(add_completion=False, rich_markup_mode=None)


@enroll_app.command("enroll", help="Make a one-time address; one message to it proves the certificate of its server.")
def enroll(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", show_default=False, help="Whose server it is.")],
    show: Annotated[
        bool,
        typer.Option("--show", help="What the relay saw, and the connector it proposes. Exit code 1: nothing yet."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON, for programs.")] = False,
) -> None:
    with directory_editor() as editor:
        if show:
            appointment = appointments.newest(editor, tenant, Purpose.ENROLMENT)
        else:
            appointment = appointments.make(editor, tenant, Purpose.ENROLMENT, datetime.now(UTC))
        proposal = appointments.proposal(editor, appointment)
        record = appointments.enrolment_shown(editor, appointment, context.config().hostname, datetime.now(UTC))
    if json:
        context.print_json(record)
    elif not show:
        _print_address(appointment, record)
    else:
        _print_seen(appointment, proposal)
    if show and not appointment.seen:
        raise typer.Exit(context.NO)


def _address(appointment: Appointment) -> str:
    return appointments.address(appointment, context.config().hostname)


def _print_address(appointment: Appointment, record: Mapping[str, Any]) -> None:
    context.say(
        f"send one message, through the server that is to be recognised and from an address in a verified domain of "
        f"{appointment.tenant}, until {day_and_time(appointment.expires_at)} to:"
    )
    context.say(_address(appointment))
    context.say("\nfor this message the server must say EHLO with this name; set the old one again afterwards:")
    context.say(record["ehlo"])
    context.say("")
    for program, command in record["how"].items():
        context.say(f"  {program:<9} {command}")
    context.suggest(f"gatepost enroll {appointment.tenant} --show")


def _print_seen(appointment: Appointment, proposal: appointments.Proposal | None) -> None:
    seen: Mapping[str, Any] | None = appointment.seen
    if seen is None and appointment.refused:
        _print_refused(appointment, appointment.refused, proposal)
        return
    if seen is None or proposal is None:
        ended = appointment.state(datetime.now(UTC)) is State.EXPIRED
        context.say(
            "nothing came, and the address has expired" if ended else f"nothing came yet to {_address(appointment)}"
        )
        return
    print_facts(f"a server of {appointment.tenant}", _facts(seen))
    context.say("\nproven to be the tenant's: " + (", ".join(appointments.proved(appointment)) or "nothing"))
    context.say("to recognise this server from now on:")
    context.say(proposal.command)


def _print_refused(
    appointment: Appointment, refused: Mapping[str, Any], proposal: appointments.Proposal | None
) -> None:
    print_facts(f"a session that proved nothing for {appointment.tenant}", _facts(refused))
    context.say(f"\nrefused: {refused['code']}: {refused['says']}")
    if refused["claimed_by"]:
        context.say(f"connectors of these tenants could claim the session: {', '.join(refused['claimed_by'])}")
    if proposal and refused["code"] == "enrolment-public-certificate":
        context.say("to recognise this server by its name:")
        context.say(proposal.command)


def _facts(seen: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [("session", f"{seen['session_id']} at {seen['at']}"), ("address", seen["address"]), ("EHLO", seen["ehlo"])]
    tls = seen["tls"]
    if tls is None:
        return [*facts, ("TLS", "none, so no certificate could be shown")]
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
