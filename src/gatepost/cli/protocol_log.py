"""`gatepost protocol-log`: SMTP conversations out of the protocol logs."""

import json as json_module
import time
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.text import Text

from gatepost.admin.sessions.protocol_logs import conversation, conversation_document, record_document
from gatepost.cli import context
from gatepost.cli.wait_for_record import found_soon, wanted_session
from gatepost.protocol_log.codec import Side
from gatepost.protocol_log.conversation import Line, LineKind, render, render_record

protocol_log_app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Read SMTP sessions from the protocol logs.",
)

_STYLES = {
    LineKind.TITLE: "bold",
    LineKind.CONNECT: "dim",
    LineKind.INFORMATION: "dim",
    LineKind.DETAIL: "dim",
    LineKind.REFUSAL: "bold red",
    LineKind.VERDICT: "bold",
    LineKind.REASON: "yellow",
}
_LOOK_EVERY_S = 0.2


@protocol_log_app.command(help="Show the protocol log of one session.")
def show(
    session: Annotated[
        str, typer.Argument(metavar="SESSION-ID", help="Session id from a reply or log, or the whole reply in quotes.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Output JSON.")] = False,
) -> None:
    from gatepost.app import open_protocol_logs

    session_id = wanted_session(session)
    logs = open_protocol_logs(context.config())
    found = found_soon(lambda: conversation(logs, session_id))
    if json:
        context.print_json(conversation_document(found))
    else:
        if found.session_id != session_id:
            context.console().print(f"{session_id} is the remote host's session; here it was this one:\n", style="dim")
        _print(render(found, context.console().width))
        context.suggest(f"gatepost why {found.session_id}")


@protocol_log_app.command(help="Show every row as it is written, until Ctrl-C.")
def follow(
    side: Annotated[Side | None, typer.Option(metavar="send|receive", help="Only this side.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Output one JSON object per row.")] = False,
) -> None:
    from gatepost.app import follow_protocol_logs

    logs = follow_protocol_logs(context.config(), side)
    try:
        while True:
            for record in logs.new_rows():
                if json:
                    context.say_json(json_module.dumps(record_document(record), ensure_ascii=False))
                else:
                    _print(render_record(record, context.console().width))
            time.sleep(_LOOK_EVERY_S)
    except KeyboardInterrupt:
        return


def _print(lines: Iterable[Line]) -> None:
    for line in lines:
        context.console().print(Text(line.text, style=_STYLES.get(line.kind, "")), soft_wrap=True)
