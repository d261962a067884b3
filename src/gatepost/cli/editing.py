"""How commands reach the directory, and how a use case's "no" becomes one line and an exit code."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gatepost.cli import context
from gatepost.errors import BadRequest, Refused
from gatepost.mail.visible import visible

if TYPE_CHECKING:
    from gatepost.admin.directory.editor import BulkEditor, DirectoryEditor
    from gatepost.admin.directory.operation import Administration


@contextmanager
def directory_editor() -> "Iterator[DirectoryEditor]":
    """The directory for one command. Nothing that is refused inside changes anything."""
    with exit_on_refusal(), closing(context.editor()) as editor:
        yield editor


@contextmanager
def administration(*, beyond_limits: bool = False) -> "Iterator[Administration]":
    """The directory of this machine, or with `--server` that of a relay elsewhere."""
    with exit_on_refusal(), context.administration(beyond_limits=beyond_limits) as admin:
        yield admin


@contextmanager
def bulk_editor(*, beyond_limits: bool = False) -> "Iterator[BulkEditor]":
    """The same, for commands that read or write the whole of it."""
    with exit_on_refusal(), closing(context.bulk_editor(beyond_limits=beyond_limits)) as editor:
        yield editor


@contextmanager
def exit_on_refusal() -> Iterator[None]:
    """A "no" of what is done inside becomes one line and an exit code."""
    try:
        yield
    except BadRequest as error:
        context.fail(str(error), context.WRONG_USE)
    except Refused as error:
        context.fail(str(error), context.NO)


def given(values: Sequence[str] | None) -> Sequence[str] | None:
    """A list option: None when it was not given, empty when it was given as `''`."""
    return [value for value in values if value] if values else None


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns share the width of the terminal; a cell that is too long folds between words, never within one."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    if not rows:
        context.console().print("none", style="dim")
        return
    shown = [[visible(cell) for cell in row] for row in rows]
    table = Table(
        title=title or None,
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    for index, column in enumerate(columns):
        longest_word = max(len(word) for row in shown for word in [column, *row[index].split()])
        table.add_column(column, overflow="fold", min_width=longest_word)
    for row in shown:
        table.add_row(*(Text(cell) for cell in row))
    console = context.console()
    if console.is_terminal:
        console.print(table, crop=False)
        return
    with console.capture() as drawn:
        console.print(table, crop=False)
    # Cells are filled with blanks up to their column; a file or a pipe need not have those at the end.
    for line in drawn.get().splitlines():
        context.say(line.rstrip())


def print_facts(title: str, facts: Sequence[tuple[str, str]]) -> None:
    """One object: a line for each thing it says. Lines are not folded, so that what stands in them can be copied."""
    from rich.text import Text

    context.console().print(Text(visible(title), style="bold"))
    width = max(len(label) for label, _ in facts)
    for label, value in facts:
        context.console().print(Text.assemble((f"  {label:<{width}}  ", "dim"), visible(value)), soft_wrap=True)


def day_and_time(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}Z" if at else "never"


def ago(at: datetime) -> str:
    """The largest unit says enough: `5m`, `3h`, `2d`."""
    seconds = max(0, int((datetime.now(UTC) - at).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def yes_or_no(value: bool) -> str:
    return "yes" if value else "no"
