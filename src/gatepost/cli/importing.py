"""`gatepost import …`"""

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from gatepost.cli import context
from gatepost.cli.editing import bulk_editor, print_table
from gatepost.cli.exchange_online import import_exchange_online

if TYPE_CHECKING:
    from gatepost.admin.directory.import_lines import Imported

import_app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Import many objects from a file."
)

_TOLD_EVERY_S = 2.0


@import_app.callback()
def import_() -> None:
    """A group: what is read stands in the command's name."""


import_app.command(
    "exchange-online",
    help="Import a tenant from exports of Exchange Online; only plans without --apply. Exit code 1: incomplete.",
)(import_exchange_online)


@import_app.command(
    help="Import tenants, domains and connectors as `gatepost export directory` writes them: the whole file or nothing."
)
def directory(
    file: Annotated[str, typer.Argument(metavar="FILE", show_default=False, help="JSON Lines; - is standard input.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Allow more than the tenants' limits and networks wider than /16 (IPv6: /32).")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Output JSON.")] = False,
) -> None:
    from gatepost.admin.directory.import_lines import ImportRefused, import_directory
    from gatepost.app.admin_wiring import check_credentials

    began = time.monotonic()
    # Nothing here holds on to itself: the collector would take a fifth of the time to find nothing.
    gc.disable()
    with _opened(file) as lines, bulk_editor(beyond_limits=yes) as editor:
        try:
            done = import_directory(
                editor,
                lines,
                source=file,
                check=check_credentials,
                at=datetime.now(UTC),
                told=_progress(lines),
            )
        except ImportRefused as refused:
            for line in refused.errors:
                context.warn(line)
            context.fail("nothing was changed; correct the file and import it again", context.WRONG_USE)
        version = editor.version
    seconds = time.monotonic() - began
    if json:
        context.print_json(_document(done, version, seconds))
    else:
        _print(done, version, seconds)


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        opened = Path(file).open("rb")  # noqa: SIM115 -- closed below, where its own errors are no longer caught
    except OSError as error:
        context.fail(f"{file}: {error.strerror}", context.WRONG_USE)
    with opened:
        yield opened


def _progress(lines: BinaryIO) -> "Callable[[Imported], None]":
    """A line on standard error now and then: nobody waits a minute in the dark."""
    told_at = time.monotonic()
    size = os.fstat(lines.fileno()).st_size if lines.seekable() else 0

    def tell(done: "Imported") -> None:
        nonlocal told_at
        now = time.monotonic()
        if now - told_at >= _TOLD_EVERY_S:
            told_at = now
            share = f", {100 * done.octets // size} % of the file" if size else ""
            context.warn(f"{done.lines} lines{share}")

    return tell


def _document(done: "Imported", version: int, seconds: float) -> dict[str, Any]:
    return {
        "lines": done.lines,
        "objects": dict(done.counts.items()),
        "warnings": done.warnings,
        "warned": done.warned,
        "directory_version": version,
        "seconds": round(seconds, 3),
    }


def _print(done: "Imported", version: int, seconds: float) -> None:
    rows = [
        [kind.value, str(counts.added), str(counts.changed), str(counts.unchanged)]
        for kind, counts in done.counts.items()
        if counts.added or counts.changed or counts.unchanged
    ]
    for warning in done.warnings:
        context.warn(warning)
    if done.warned > len(done.warnings):
        context.warn(f"{done.warned - len(done.warnings)} further warnings like these")
    print_table("", ["", "added", "changed", "unchanged"], rows)
    context.say(f"{done.lines} lines in {seconds:.1f} s; the directory is at version {version}")
