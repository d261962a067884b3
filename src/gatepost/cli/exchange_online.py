"""`gatepost import exchange-online` and `gatepost export exchange-online`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatepost.cli import context
from gatepost.cli.editing import directory_editor, print_table
from gatepost.tenancy.record import audit_record

if TYPE_CHECKING:
    from gatepost.admin.directory.exchange_online import Translation
    from gatepost.admin.directory.exchange_online_import import Imported, NotTaken
    from gatepost.exchange.translate import NoEqual
    from gatepost.tenancy.tenant import AuditEntry

Json = Annotated[bool, typer.Option("--json", help="Output JSON.")]


def import_exchange_online(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="Exports of Get-AcceptedDomain, Get-InboundConnector, Get-OutboundConnector."
        ),
    ],
    tenant: Annotated[str, typer.Option(metavar="NAME", help="Tenant to import into; created if missing.")],
    apply: Annotated[bool, typer.Option("--apply", help="Carry out the import; default: only show the plan.")] = False,
    verified: Annotated[
        bool, typer.Option("--verified", help="Mark the domains as verified without a TXT record.")
    ] = False,
    json: Json = False,
) -> None:
    from gatepost.admin.directory import exchange_online_import
    from gatepost.app.admin_wiring import check_credentials

    wanted = _wanted(folder, tenant)
    step = exchange_online_import.apply if apply else exchange_online_import.plan
    with directory_editor() as editor:
        outcome = step(editor, tenant, wanted, check_credentials, verified=verified, at=datetime.now(UTC))
    if json:
        context.print_json(_document(outcome, applied=apply))
    else:
        _print_import(outcome, applied=apply)
        if not apply and outcome.changes:
            again = f"gatepost import exchange-online {quote(str(folder))} --tenant {quote(tenant)}"
            context.suggest(f"{again}{' --verified' if verified else ''} --apply")
    if outcome.not_taken or outcome.not_enabled:
        raise typer.Exit(context.NO)


def export_exchange_online(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", show_default=False, help="Whose.")],
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", show_default=False, help="Folder for the three JSON files.")
    ],
) -> None:
    from gatepost.admin.directory import exchange_online_export

    with directory_editor() as editor:
        exported = exchange_online_export.export(editor, tenant, folder)
    for file in exported.files:
        context.say(f"wrote {file}")
    _print_no_equal("No equivalent in Exchange Online, left out:", exported.no_equal)


def _wanted(folder: Path, tenant: str) -> "Translation":
    from gatepost.admin.directory.exchange_online import translated
    from gatepost.doctor.reading import NothingToRead, read_files
    from gatepost.exchange.translate import CutShort

    try:
        found = translated(read_files([folder]).exports, tenant)
    except (NothingToRead, CutShort) as error:
        context.fail(str(error), context.WRONG_USE)
    if not (found.domains or found.inbound_connectors or found.send_connectors):
        context.fail(
            f"{folder}: contains no export of Get-AcceptedDomain, Get-InboundConnector or Get-OutboundConnector; "
            "make one with: Get-InboundConnector | ConvertTo-Json -Depth 5 > inbound.json",
            context.WRONG_USE,
        )
    return found


def _document(outcome: "Imported", *, applied: bool) -> dict[str, Any]:
    return {
        "applied": applied,
        "changes": [
            {name: value for name, value in audit_record(each).items() if name not in ("version", "at", "who")}
            for each in outcome.changes
        ],
        "not_enabled": outcome.not_enabled,
        "not_taken": outcome.not_taken,
        "no_equal": outcome.no_equal,
    }


def _print_import(outcome: "Imported", *, applied: bool) -> None:
    if outcome.changes:
        context.say("Done:" if applied else "Planned changes:")
        print_table("", ["", "what", "how"], [_row(each) for each in outcome.changes])
    elif not outcome.not_taken:
        context.say("nothing to do: all exported objects exist already")
    _print_refusals("Stored, but disabled until its name is verified:", outcome.not_enabled)
    _print_refusals("Not taken:", outcome.not_taken)
    _print_no_equal("No equivalent in Gatepost, left out:", outcome.no_equal)


def _row(entry: "AuditEntry") -> list[str]:
    before, after = entry.before or {}, entry.after or {}
    changed = [name for name in after if name not in _TOLD_ELSEWHERE and after[name] != before.get(name)]
    told = ", ".join(
        f"{name} {_shown(after[name])}"
        for name in changed
        if entry.before or not _goes_without_saying(name, after[name])
    )
    return ["add" if entry.before is None else entry.action, entry.subject, told]


_TOLD_ELSEWHERE = ("tenant", "name", "domain", "token", "created_at", "claimed_at", "verified_at", "checked_at")


def _is_nothing(value: object) -> bool:
    return value in (None, False, [], {}, "")


def _goes_without_saying(name: str, value: object) -> bool:
    return _is_nothing(value) or (name in ("enabled", "protocol_log") and value is True)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(_shown, value)) or "none"
    if isinstance(value, dict):
        return next((str(each) for each in value.values()), "")
    return "none" if value is None else str(value)


def _print_refusals(title: str, refused: "Sequence[NotTaken]") -> None:
    if refused:
        context.say(f"\n{title}")
        for each in refused:
            context.print_point(each.object, "", each.because)


def _print_no_equal(title: str, properties: "Sequence[NoEqual]") -> None:
    if properties:
        context.say(f"\n{title}")
        rows = [[each.object, f"{each.property} {each.value}", each.why] for each in properties]
        print_table("", ["object", "property", "why"], rows)
