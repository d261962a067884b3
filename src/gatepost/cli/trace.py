"""`gatepost trace`: what happened to mail, accepted and refused."""

import csv
import io
import json as json_module
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from gatepost.admin.trace.choice import OUTCOMES, Words
from gatepost.admin.trace.records import COLUMNS, cells
from gatepost.admin.trace.tracing import MOST_ON_A_PAGE, Page, Traces
from gatepost.cli import context
from gatepost.cli.editing import exit_on_refusal, print_table
from gatepost.errors import NotFound

trace_app = typer.Typer(add_completion=False, rich_markup_mode=None)

_LOOK_EVERY_S: Final = 0.5
_LOOK_BACK: Final = "60s"
"""A message that is followed may be delivered some time after it was accepted."""
_LOOKED_AT: Final = 2_000
_REMEMBERED: Final = 50_000
_TRIES: Final = 10
_PAUSE_S: Final = 0.15

Text = str | None


@trace_app.callback(
    invoke_without_command=True,
    help="Find messages and refused transactions, newest first: one line per recipient. Every option must hold.",
)
def search(
    ctx: typer.Context,
    mail_from: Annotated[Text, typer.Option("--from", metavar="ADDRESS", help="Sender; '<>': notifications.")] = None,
    rcpt_to: Annotated[Text, typer.Option("--to", metavar="ADDRESS", help="Recipient.")] = None,
    domain: Annotated[Text, typer.Option(metavar="DOMAIN", help="Domain of the sender or the recipient.")] = None,
    message_id: Annotated[Text, typer.Option(metavar="ID", help="Message-ID header field.")] = None,
    subject: Annotated[Text, typer.Option(metavar="TEXT", help="Part of the subject, where it is recorded.")] = None,
    tenant: Annotated[Text, typer.Option(metavar="NAME", help="Tenant that the mail is attributed to.")] = None,
    address: Annotated[Text, typer.Option(metavar="IP", help="Address of the sending server.")] = None,
    certificate: Annotated[
        Text, typer.Option(metavar="NAME|SHA256", help="Client certificate: a name in it, or a SHA-256.")
    ] = None,
    outcome: Annotated[Text, typer.Option(metavar="OUTCOME", help=f"One of {', '.join(OUTCOMES)}.")] = None,
    reason: Annotated[Text, typer.Option(metavar="CODE", help="Reason code of a refusal.")] = None,
    since: Annotated[Text, typer.Option(metavar="TIME", help="Time (UTC) or age: 2026-12-01T10:00, 4h, 2d.")] = None,
    until: Annotated[Text, typer.Option(metavar="TIME", help="Time (UTC) or age.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Show at most this many.")] = 50,
    after: Annotated[Text, typer.Option(metavar="CURSOR", help="Continue where a previous search ended.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Show new ones as they come, until Ctrl-C.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Output JSON; with --follow, one object per line.")] = False,
    csv_: Annotated[bool, typer.Option("--csv", help="Output comma-separated values with a header line.")] = False,
) -> None:
    if ctx.invoked_subcommand is not None:
        return
    words = Words(
        mail_from=mail_from,
        rcpt_to=rcpt_to,
        domain=domain,
        message_id=message_id,
        subject=subject,
        tenant=tenant,
        address=address,
        certificate=certificate,
        outcome=outcome,
        reason=reason,
        since=since,
        until=until,
    )
    if json and csv_:
        context.fail("--json and --csv exclude each other; choose one", context.WRONG_USE)
    if follow and (after or until or since):
        context.fail("--follow shows what comes from now on; leave out --since, --until and --after", context.WRONG_USE)
    with exit_on_refusal():
        if follow:
            _follow(words, json=json, as_csv=csv_)
            return
        with context.traces() as traces:
            page = _collected(traces, words, limit, after)
    _warn(page)
    if json:
        context.print_json({"items": page.items, "next": page.next})
    elif csv_:
        _say_csv([COLUMNS, *map(cells, page.items)])
    else:
        _show_table(page)


@trace_app.command(help="Show one message, recipient or session, event by event.")
def show(
    id: Annotated[
        str,
        typer.Argument(metavar="ID", help="Id from the list, session id, queue id, Message-ID, or a reply in quotes."),
    ],
    json: Annotated[bool, typer.Option("--json", help="Output JSON.")] = False,
) -> None:
    with exit_on_refusal(), context.traces() as traces:
        story = _story_soon(traces, id)
    if json:
        context.print_json(story)
    else:
        _show_story(story)


def _story_soon(traces: Traces, id: str) -> Mapping[str, Any]:
    """The trace is a second behind the session: a question asked right after a reply waits that long."""
    for _ in range(_TRIES):
        try:
            return traces.story(id)
        except NotFound:
            time.sleep(_PAUSE_S)
    return traces.story(id)


def _collected(traces: Traces, words: Words, limit: int, cursor: str | None) -> Page:
    """Pages as they come, until there are `limit` items."""
    items: list[dict[str, Any]] = []
    while True:
        page = traces.search(words, min(limit - len(items), MOST_ON_A_PAGE), cursor)
        items += page.items
        cursor = page.next
        if cursor is None or len(items) >= limit:
            return Page(items, cursor, page.damaged)


def _warn(page: Page) -> None:
    for line in page.damaged:
        context.warn(line)


def _show_table(page: Page) -> None:
    rows = [
        (
            f"{datetime.fromisoformat(each['at']):%m-%d %H:%M:%S}",
            each["outcome"],
            each["queue_id"] or each["session_id"],
            each["mail_from"] or "<>",
            each["rcpt_to"],
        )
        for each in page.items
    ]
    print_table("", ("at (UTC)", "outcome", "id", "from", "to"), rows)
    if page.next:
        context.suggest(f"the same with --after {page.next}")
    elif page.items:
        context.suggest(f"gatepost trace show {page.items[0]['queue_id'] or page.items[0]['session_id']}")


# --- one story --------------------------------------------------------------------------------------------------------


def _show_story(story: Mapping[str, Any]) -> None:
    console = context.console()
    for label, value in _facts(story):
        context.print_indented(value, 15, f"  {label:<12} ")
    for recipient in story["recipients"]:
        console.print()
        context.print_indented(f"<{recipient['rcpt_to']}>: {recipient['outcome']}", 4, "  ", "bold")
        for event in story["events"]:
            if event["rcpt_to"] == recipient["rcpt_to"]:
                context.print_indented(_told(event), 30, f"    {event['at']}  ")
    if story["reason"]:
        context.suggest(f"gatepost help reason {story['reason']}")
    context.suggest(f"gatepost why {story['session_id']}")


def _facts(story: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "session", f"{story['session_id']} at {story['at']}"
    if story["queue_id"]:
        yield "queue id", f"{story['queue_id']}, {story['size']} bytes"
    if story["message_id"]:
        yield "Message-ID", story["message_id"]
    if story["subject"]:
        yield "subject", story["subject"]
    yield "from", f"<{story['mail_from']}>"
    if story["address"]:
        yield "address", f"{story['address']} to listener {story['listener']}, {story['tls'] or 'no TLS'}"
    if certificate := story["certificate"]:
        verified = "verified" if certificate["verified"] else "did not verify"
        yield "certificate", f"{', '.join(certificate['names']) or certificate['sha256']}: {verified}"
    if story["tenant"]:
        by = f", connector {story['connector']}" if story["connector"] else ""
        yield "tenant", f"{story['tenant']}{by}" + (f", by {story['basis']}" if story["basis"] else "")


def _told(event: Mapping[str, Any]) -> str:
    said = [event["event"]]
    if host := event.get("host"):
        said.append(f"by {host}" + (f" over {event['tls']}" if event["tls"] else " without TLS"))
    if event.get("seconds") is not None:
        said.append(f"in {event['seconds']:g} s")
    if event.get("by"):
        said.append(f"by {event['by']}")
    told = " ".join(said)
    reply, why = event["reply"], event.get("why")
    told += f": {reply or why}" if reply or why else ""
    told += f" ({why})" if reply and why else ""
    return told + (f"; next attempt at {event['next_attempt_at']}" if event.get("next_attempt_at") else "")


# --- following --------------------------------------------------------------------------------------------------------


def _follow(words: Words, *, json: bool, as_csv: bool) -> None:
    """Each recipient once when it comes, and again when its outcome changes."""
    told: dict[str, str] = {}
    began = datetime.now(UTC).isoformat()
    if as_csv:
        _say_csv([COLUMNS])
    try:
        while True:
            # Times are reckoned from the moment of the question: each look is a new one.
            with context.traces() as traces:
                page = _collected(traces, replace(words, since=_LOOK_BACK), _LOOKED_AT, None)
            for each in reversed(page.items):
                if told.get(each["id"]) != each["outcome"]:
                    if each["id"] in told or each["at"] >= began:
                        _tell(each, json=json, as_csv=as_csv)
                    told[each["id"]] = each["outcome"]
            if len(told) > _REMEMBERED:
                told = {each["id"]: each["outcome"] for each in page.items}
            time.sleep(_LOOK_EVERY_S)
    except KeyboardInterrupt:
        return


def _tell(item: Mapping[str, Any], *, json: bool, as_csv: bool) -> None:
    if json:
        context.say_json(json_module.dumps(item, ensure_ascii=False))
    elif as_csv:
        _say_csv([cells(item)])
    else:
        why = item["reason"] or item["reply"] or ""
        context.say(f"{item['at']} {item['outcome']} <{item['mail_from']}> to <{item['rcpt_to']}> {why}".rstrip())


def _say_csv(rows: Sequence[Sequence[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    context.say(out.getvalue().rstrip("\n"))
