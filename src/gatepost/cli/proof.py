"""`gatepost proof …`"""

from datetime import UTC, datetime
from shlex import quote
from typing import Annotated

import typer

from gatepost.admin.enrolment import proofs
from gatepost.admin.enrolment.proofs import ListedProof, ProofState
from gatepost.cli import context
from gatepost.cli.editing import day_and_time, directory_editor, print_table

proof_app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Manage proven pins.")

_STATES = {
    ProofState.COUNTS: "counts",
    ProofState.ENDED: "ended with its certificate",
    ProofState.MADE_BY_MESSAGE: "does not count: made by a message alone; enrol again",
    ProofState.NO_VERIFIED_DOMAIN: "rests: the tenant has no verified domain",
    ProofState.PROVEN_BEFORE: "does not count: another tenant proved it before",
}


@proof_app.command("list", help="List proofs of pins of all tenants or one, and whether they count.")
def list_proofs(
    tenant: Annotated[
        str | None, typer.Argument(metavar="TENANT", show_default=False, help="Only this tenant's proofs.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Output JSON.")] = False,
) -> None:
    with directory_editor() as editor:
        found = list(proofs.every(editor, tenant, datetime.now(UTC)))
    if json:
        context.print_json([each.record for each in found])
        return
    rows = [
        [each.proof.tenant, each.pin, day_and_time(each.proof.at), _until(each), _STATES[each.state]] for each in found
    ]
    print_table("", ["tenant", "pin", "proved at", "until", "state"], rows)
    if found:
        context.suggest(f"gatepost proof remove {quote(found[0].proof.tenant)} {found[0].pin}")


def _row(listed: ListedProof) -> list[str]:
    proof = listed.proof
    return [proof.tenant, listed.pin, day_and_time(proof.at), _until(listed), _STATES[listed.state]]


def _until(listed: ListedProof) -> str:
    return day_and_time(listed.proof.ends_at) if listed.proof.ends_at else "no date"


@proof_app.command(help="Revoke a proof. From then on the pin counts like an address.")
def remove(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", show_default=False, help="Tenant that holds the proof.")],
    pin: Annotated[str, typer.Argument(metavar="PIN", show_default=False, help="The SHA-256, as shown by proof list.")],
) -> None:
    with directory_editor() as editor:
        taken = proofs.take_back(editor, tenant, pin, datetime.now(UTC))
    context.say(f"revoked the proof that {taken.proof.tenant} holds the key of {taken.pin}")
