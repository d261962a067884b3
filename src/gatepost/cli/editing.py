"""How commands reach the directory, and how a use case's "no" becomes one line and an exit code."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from gatepost.admin.declined import Declined, WrongUse
from gatepost.cli import context
from gatepost.queue.store import StoreError

if TYPE_CHECKING:
    from gatepost.admin.directory_editor import DirectoryEditor


@contextmanager
def directory_editor() -> "Iterator[DirectoryEditor]":
    """The directory for one command. Nothing that is declined inside changes anything."""
    try:
        editor = context.editor()
        try:
            yield editor
        finally:
            editor.close()
    except (WrongUse, StoreError) as error:
        context.fail(str(error), context.WRONG_USE)
    except Declined as error:
        context.fail(str(error), context.NO)


def mentioned(values: Sequence[str] | None) -> Sequence[str] | None:
    """A list option: None when it was not given, empty when it was given as `''`."""
    return [value for value in values if value] if values else None


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns share the width of the terminal; long cells fold."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    context.console().print(table)


def print_facts(title: str, facts: Sequence[tuple[str, str]]) -> None:
    """One object: a line for each thing it says."""
    from rich.table import Table
    from rich.text import Text

    context.console().print(Text(title, style="bold"))
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in facts:
        table.add_row(f"  {label}", Text(value))
    context.console().print(table)


def day_and_time(at: datetime | None) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M") if at else "never"


def yes_or_no(value: bool) -> str:
    return "yes" if value else "no"
