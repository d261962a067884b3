"""`gatepost forecast`"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from gatepost.admin.directory.lookups import tenant_named
from gatepost.admin.forecast.forecast import ForecastItem, forecast_item_record
from gatepost.app.own_credentials import foreseen
from gatepost.cli import context
from gatepost.cli.editing import directory_editor, exit_on_refusal
from gatepost.tenancy.fields import time_text

forecast_app = typer.Typer(add_completion=False, rich_markup_mode=None)


@forecast_app.command(
    help="What will stop working: certificates that expire, names about to be lost, connectors nothing uses. "
    "Exit code 1: mail of somebody stops within 7 days."
)
def forecast_command(
    tenant: Annotated[str | None, typer.Option(metavar="NAME", help="Only this tenant; default: all.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Output JSON.")] = False,
) -> None:
    at = datetime.now(UTC)
    found = _remote(tenant) if context.INVOCATION.server else _local(tenant, at)
    if json:
        context.print_json({"at": time_text(at), "prospects": [forecast_item_record(each, at) for each in found]})
    else:
        _print(found, at)
    if any((stage := each.stage(at)) and stage <= timedelta(days=7) for each in found):
        raise typer.Exit(context.NO)


def _local(tenant: str | None, at: datetime) -> list[ForecastItem]:
    config = context.config()
    with directory_editor() as editor:
        return foreseen(config, editor, at, tenant_named(editor, tenant).name if tenant else None)


def _remote(tenant: str | None) -> list[ForecastItem]:
    from gatepost.app.remote import remote_forecast

    asked = context.INVOCATION
    assert asked.server is not None
    with exit_on_refusal():
        return remote_forecast(asked.server, asked.token_file, asked.authority, tenant)


def _print(found: list[ForecastItem], at: datetime) -> None:
    if not found:
        context.say(
            "nothing to report: no certificate or token expires within 30 days, and no name is about to be lost"
        )
        return
    for prospect in found:
        label = f"{_when(prospect, at):<9}"
        style = "bold red" if (stage := prospect.stage(at)) and stage <= timedelta(days=7) else "bold"
        context.print_indented(f"{prospect.tenant or 'this server'}/{prospect.about}  {prospect.code}", 9, label, style)
        context.print_indented(prospect.says, 9)
        context.print_indented(f"→ {prospect.do}", 9)
    context.suggest("gatepost inbound-connector show TENANT NAME")


def _when(prospect: ForecastItem, at: datetime) -> str:
    if prospect.due_at is None:
        return "at risk"
    days = (prospect.due_at - at).days
    return "over" if prospect.due_at <= at else "today" if days == 0 else f"{days} d"
