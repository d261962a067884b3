"""`gatepost help …`: the manual's pages of reasons, causes and settings, from the installed package."""

import re
import sys
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated

import typer

from gatepost.cli import context

help_app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Print the manual page of a reason code, a cause or the settings.",
)

_PAGES = files("gatepost") / "pages"
_LISTED = re.compile(
    r"^- (?P<ids>[A-Z]\d{2}(?:, [A-Z]\d{2}){0,9}) \[[^\]\n]{1,200}\]\((?P<page>[a-z0-9-]{1,80})\.md\)", re.MULTILINE
)


@help_app.command(help="Print the page of a reason code, such as connector-disabled.")
def reason(
    code: Annotated[str, typer.Argument(metavar="CODE", show_default=False, help="From a refusal, why or explain.")],
) -> None:
    _print(_PAGES / "reasons", code.lower(), f"unknown reason code '{code}'", ())


@help_app.command(help="Print the page of a cause that the doctor names, such as A01 or mail-loop.")
def cause(
    id: Annotated[str, typer.Argument(metavar="ID", show_default=False, help="Catalogue number or name.")],
) -> None:
    pages = _PAGES / "causes"
    name = _catalogue().get(id.upper(), id.lower())
    _print(pages, name, f"unknown cause '{id}'", tuple(_catalogue()))


@help_app.command(help="Print the reference of all settings of gatepost.toml.")
def settings() -> None:
    _show(_PAGES / "reference" / "settings.md")


@cache
def _catalogue() -> dict[str, str]:
    """The name of the page of each catalogue number."""
    index = (_PAGES / "causes" / "index.md").read_text("utf-8")
    return {id: found["page"] for found in _LISTED.finditer(index) for id in found["ids"].split(", ")}


def _print(folder: Traversable, name: str, unknown: str, more: tuple[str, ...]) -> None:
    known = sorted(each.name.removesuffix(".md") for each in folder.iterdir() if each.name != "index.md")
    if name not in known:
        near = get_close_matches(name, known, n=1) or get_close_matches(name.upper(), more, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(known[:5])} … ({len(known)} in all)"
        context.fail(f"{unknown}; {hint}", context.WRONG_USE)
    _show(folder / f"{name}.md")


def _show(page: Traversable) -> None:
    text = page.read_text("utf-8")
    if sys.stdout.isatty():
        from rich.markdown import Markdown

        context.console().print(Markdown(text, hyperlinks=False))
    else:
        context.say(text.rstrip("\n"))
