"""`gatepost export …`"""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, TextIO

import typer

from gatepost.cli import context
from gatepost.cli.editing import bulk_editor
from gatepost.cli.exchange_online import export_exchange_online
from gatepost.mail.visible import visible_json

export_app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Export many objects into a file."
)

export_app.command(
    "exchange-online",
    help="Export a tenant as Exchange Online's cmdlets would print it, and list what has no equivalent.",
)(export_exchange_online)


@export_app.command(help="Write every tenant, domain and connector as JSON Lines, for `gatepost import directory`.")
def directory(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", show_default=False, help="A new file; default: standard output.")
    ] = None,
) -> None:
    from gatepost.admin.directory.import_lines import export_directory

    with ExitStack() as stack, bulk_editor() as editor:
        out = stack.enter_context(_new(file)) if file else sys.stdout
        for line in export_directory(editor):
            out.write(visible_json(line) + "\n")


def _new(file: Path) -> TextIO:
    try:
        return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
    except OSError as error:
        context.fail(f"{file}: {error.strerror}; name a new file", context.WRONG_USE)
