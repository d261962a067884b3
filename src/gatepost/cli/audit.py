"""`gatepost audit …`"""

from typing import Annotated

import typer

from gatepost.admin.directory import audit, operations
from gatepost.cli import context
from gatepost.cli.editing import administration, day_and_time, print_facts, print_table, yes_or_no
from gatepost.tenancy.record import audit_record
from gatepost.tenancy.tenant import AuditEntry

audit_app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="List and show configuration changes: who changed what, and when.",
)

Json = Annotated[bool, typer.Option("--json", help="Output JSON.")]


@audit_app.command("list", help="List changes of tenants, domains and connectors, newest first.")
def list_changes(
    subject: Annotated[
        str | None, typer.Argument(metavar="SUBJECT", show_default=False, help="Such as 'domain contoso.com'.")
    ] = None,
    after: Annotated[int, typer.Option(metavar="VERSION", help="Only changes after this one.")] = 0,
    limit: Annotated[int, typer.Option(metavar="COUNT", help="Maximum number; 0: all.")] = 50,
    json: Json = False,
) -> None:
    with administration() as admin:
        found = admin.do(operations.AUDIT, subject=subject, after=after, limit=limit)
    if json:
        context.print_json([audit_record(entry) for entry in found])
        return
    rows = [[str(each.version), day_and_time(each.at), _who(each), each.action, each.subject] for each in found]
    print_table("", ["version", "at", "who", "did", "to"], rows)
    if found:
        context.suggest(f"gatepost audit show {found[0].version}")


@audit_app.command(help="Show one change: before and after.")
def show(
    version: Annotated[int, typer.Argument(metavar="VERSION", show_default=False, help="As shown by audit list.")],
    json: Json = False,
) -> None:
    with administration() as admin:
        entry = admin.do(operations.AUDITED_CHANGE, version=version)
    if json:
        context.print_json(audit_record(entry))
        return
    facts = [("at", day_and_time(entry.at)), ("who", _who(entry))]
    facts += [(name, f"{_shown(before)} → {_shown(after)}") for name, before, after in audit.differences(entry)]
    print_facts(f"{entry.action} {entry.subject}", facts)


def _who(entry: AuditEntry) -> str:
    return f"{entry.who} from {entry.address}" if entry.address else entry.who


def _shown(value: object) -> str:
    if value is None or value == []:
        return "nothing"
    if isinstance(value, bool):
        return yes_or_no(value)
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    if isinstance(value, dict):
        return " ".join(f"{name} {_shown(each)}" for name, each in value.items())
    return str(value)
