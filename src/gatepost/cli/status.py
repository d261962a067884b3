"""`gatepost status`: how the relay is now."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from gatepost.app.status import relay_status
from gatepost.cli import context
from gatepost.cli.editing import print_facts

_MOST_ENDS = 10

status_app = typer.Typer(add_completion=False, rich_markup_mode=None)


@status_app.command(
    "status",
    help="Show how the relay is now: processes, rates, queue, disk, certificates. Exit code 1: a person is needed.",
)
def status_command(json: Annotated[bool, typer.Option("--json", help="Output JSON.")] = False) -> None:
    found = relay_status(context.config())
    if json:
        context.print_json(found)
    else:
        _show(found)
    if not found["ok"]:
        raise typer.Exit(context.NO)


def _show(found: Mapping[str, Any]) -> None:
    print_facts(f"Gatepost {found['version']}", list(_facts(found)))
    for problem in found["problems"]:
        context.say()
        context.print_point(problem["code"], "", problem["says"], "bold red")
        context.print_indented(f"→ {problem['do']}", 4)


def _facts(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    uptime, python = found["uptime_seconds"], found["python"]
    yield "running", "no" if uptime is None else f"for {_duration(uptime)}"
    slow = "; built without optimization: use the distribution's, which takes less CPU (docs/howto/run-with-systemd.md)"
    yield "python", python["version"] + ("" if python["optimized"] else slow)
    for each in found["listeners"]:
        tls = "STARTTLS" if each["tls"] else "no TLS"
        yield "listener", f"{each['address']}, {tls}" + ("" if each["serving"] else ", not serving")
    for each in found["workers"]:
        yield "worker", f"{each['number']} (process {each['pid']}): {each['state']}, since {each['started_at']}"
    for each in found["processes"]:
        state = f"process {each['pid']}" if each["serving"] else "does not run"
        at = f" at {each['address']}" if each["address"] else ""
        yield "process", f"{each['name']}{at}: {state}"
    for label, rates in (("last minute", found["rates"]["last_minute"]), ("last hour", found["rates"]["last_hour"])):
        refused = ", ".join(f"{count} {reason}" for reason, count in rates["refused"].items())
        yield (
            label,
            (
                f"{rates['accepted']} accepted, {sum(rates['refused'].values())} refused"
                + (f" ({refused})" if refused else "")
                + f", {rates['delivered']} delivered, {rates['deferred']} deferred, {rates['failed']} failed"
            ),
        )
    queue = found["queue"]
    oldest = f", oldest of {queue['oldest_at']}" if queue["oldest_at"] else ""
    yield "queue", f"{queue['recipients']} recipients{oldest}"
    for each in queue["tenants"]:
        yield "", f"{each['tenant'] or '(no tenant)'}: {each['recipients']}, oldest of {each['oldest_at']}"
    yield "disk", f"{found['store']['disk_free_bytes'] // 2**20:,} MiB free"
    for each in found["dns"]:
        answer = f"answers in {each['milliseconds']:g} ms" if each["answers"] else each["problem"]
        yield "name server", f"{each['server']}: {answer}"
    for each in found["certificates"]:
        of = f" of tenant {each['tenant']}" if each["tenant"] else ""
        yield "certificate", f"{each['what']}{of}, until {each['not_after'] or 'unknown'}"
    yield from _ends(found)


def _ends(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Certificates and tokens of tenants, and what else stops, within 30 days."""
    for each in found["ends"][:_MOST_ENDS]:
        of = f" of tenant {each['tenant']}" if each["tenant"] else ""
        yield "ends", f"{each['due_at']}: {each['code']}, {each['about']}{of}"
    if len(found["ends"]) > _MOST_ENDS:
        yield "", f"and {len(found['ends']) - _MOST_ENDS} more: gatepost forecast"


def _duration(seconds: int) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
