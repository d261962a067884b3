"""`gatepost demo`: the whole story on this machine, in a minute."""

import tempfile
from pathlib import Path
from shlex import quote
from shutil import rmtree
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatepost.cli import context

if TYPE_CHECKING:
    from rich.console import Console

    from gatepost.demo.run import Run

demo_app = typer.Typer(add_completion=False, rich_markup_mode=None)

_INTERRUPTED = 130


@demo_app.command(
    "demo",
    help="Run the demo: a certificate is renewed, mail bounces, the cause is found and fixed. Real processes on this "
    "machine, in a minute. Exit code 1: a step failed.",
)
def demo(
    keep: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Run in this folder and keep it.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Output a JSON summary.")] = False,
    with_console: Annotated[
        bool, typer.Option("--console", help="Leave the relay running, with its console, until Ctrl-C.")
    ] = False,
) -> None:
    from rich.console import Console

    from gatepost.demo.run import run

    folder, kept = _folder(keep), keep is not None
    try:
        result = run(folder, Console(quiet=True) if json else _console(), with_console=with_console)
        kept = kept or not result.ok
    except KeyboardInterrupt:
        context.fail("the demo was stopped; nothing of it is left running", _INTERRUPTED)
    finally:
        if not kept:
            rmtree(folder, ignore_errors=True)
    if json:
        context.print_json(_document(result, folder if kept else None))
    else:
        _conclude(result, folder if kept else None)
    if not result.ok:
        raise typer.Exit(context.NO)


def _folder(keep: Path | None) -> Path:
    if keep is None:
        try:
            return Path(tempfile.mkdtemp(prefix="gatepost-demo-"))
        except OSError as error:
            context.fail(f"no temporary folder can be made: {error.strerror}; name one with --keep", context.WRONG_USE)
    folder = keep.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        occupied = any(folder.iterdir())
    except OSError as error:
        context.fail(f"--keep {keep}: {error.strerror}; name a folder that can be made", context.WRONG_USE)
    if occupied:
        context.fail(f"--keep {keep}: not empty; name a new folder, the demo overwrites nothing", context.WRONG_USE)
    return folder


def _console() -> "Console":
    """80 columns on any terminal: so wide is what the story quotes."""
    from rich.console import Console

    return Console(highlight=False, width=min(80, context.console().width))


def _document(result: "Run", folder: Path | None) -> dict[str, Any]:
    return {
        "ok": result.ok,
        "seconds": round(result.seconds, 3),
        "steps": [
            {
                "step": step.name,
                "title": step.title,
                "ok": step.ok,
                "seconds": round(step.seconds, 3),
                "problem": step.problem,
            }
            for step in result.steps
        ],
        "fabrikam": {"sent": result.fabrikam_sent, "refused": result.fabrikam_refused},
        "folder": str(folder) if folder else None,
    }


def _conclude(result: "Run", folder: Path | None) -> None:
    console = context.console()
    console.print()
    if result.ok:
        console.print(f"[bold green]Every step succeeded[/] in {result.seconds:.0f} s.")
    else:
        failed = result.steps[-1]
        console.print(f"[bold red]Step {len(result.steps)} failed:[/] {failed.title}")
    if folder:
        console.print(f"Kept in {folder}: relay and edge, and all their mail.", soft_wrap=True, markup=False)
        context.suggest(f"cd {quote(str(folder / 'relay'))} && gatepost inbound-connector list")
    else:
        context.suggest("gatepost demo --keep demo   (the same, and keeps both folders)")
        context.suggest("gatepost init   (a relay of your own, in this folder)")
