"""Writes docs/reference/commands.md from the command line itself: `python tools/generate_commands.py`.

tests/house/test_documented.py compares the two, so that no command or option goes without its line.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from gatepost.cli.main import main_app

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "commands.md"

_HEAD = """\
# Commands

This page is written by `tools/generate_commands.py` from the program itself. `gatepost COMMAND --help` says the same.

- Without `--config FILE`, the file named by `$GATEPOST_CONFIG` is read, else `./gatepost.toml`.
- Commands change the directory and the queues directly, whether `gatepost serve` runs or not. A change is live on every
  worker within a second.
- With `--server URL`, `tenant`, `domain`, `inbound-connector`, `send-connector`, `enroll`, `explain`, `why`, `queue`,
  `audit` and `forecast` are put to the [Management API](api.md) of a relay elsewhere.
- `--json` prints one JSON document on standard output. Its fields are stable: fields may be added, none is renamed.
- Exit codes: 0 done; 1 the answer is "no" (refused, not found, not verified); 2 wrong use or unusable input.
- An error is one line on standard error: what, where, and what to do.
- `…` stands for an option that can be given several times. Where a list can be changed, giving it replaces the stored
  list, and `''` empties it.

`gatepost --install-completion` makes the shell complete commands and options; `man gatepost` has all of this page where
pip's share/man is on man's path.

What the values of a connector mean: [connectors](connectors.md).
"""


def page() -> str:
    root = typer.main.get_command(main_app)
    context = typer.Context(root, info_name="gatepost")
    overview = [f"| [`{name}`](#gatepost-{name}) | {_help(root, context, name)} |" for name in names(root, context)]
    parts = [_HEAD, "| command | what it is for |\n|---|---|\n" + "\n".join(overview) + "\n"]
    parts.append("## gatepost\n\nOptions before the command's name.\n\n" + _table(root))
    for name in names(root, context):
        parts += _sections(root.get_command(context, name), f"gatepost {name}", context)  # type: ignore[attr-defined]
    return "\n".join(parts)


def _sections(command: Any, path: str, context: typer.Context) -> Iterator[str]:
    own = typer.Context(command, info_name=path)
    if not hasattr(command, "list_commands"):
        yield f"{'#' * path.count(' ')}# {path}\n\n```text\n{usage(command, path)}\n```\n\n{command.help}\n" + _gap(
            _table(command)
        )
        return
    yield f"## {path}\n\n{command.help}\n"
    for name in names(command, own):
        yield from _sections(command.get_command(own, name), f"{path} {name}", own)


def _gap(table: str) -> str:
    return f"\n{table}" if table else ""


def _help(group: Any, context: typer.Context, name: str) -> str:
    return str(group.get_command(context, name).help)


def names(group: Any, context: typer.Context) -> list[str]:
    return list(group.list_commands(context))


def parameters(command: Any) -> list[Any]:
    return [each for each in command.params if each.name != "help"]


def usage(command: Any, path: str) -> str:
    options = " [OPTIONS]" if any(each.param_type_name == "option" for each in parameters(command)) else ""
    arguments = [
        each.metavar if each.required else f"[{each.metavar}]"
        for each in parameters(command)
        if each.param_type_name == "argument"
    ]
    return " ".join([path + options, *arguments])


def _table(command: Any) -> str:
    rows = [_row(each) for each in parameters(command)]
    return "| | meaning | default |\n|---|---|---|\n" + "\n".join(rows) + "\n" if rows else ""


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = f"`{parameter.metavar}`"
    else:
        flags = ", ".join([*parameter.opts, *parameter.secondary_opts])
        value = "" if parameter.is_flag else f" {parameter.metavar}"
        name = f"`{flags}{value}`".replace("|", "\\|") + (" …" if parameter.multiple else "")
    return f"| {name} | {_escaped(parameter.help or '')} | {_default(parameter)} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


def _default(parameter: Any) -> str:
    said = default_text(parameter)
    return f"`{said}`" if said not in ("", "required") else said


def default_text(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if getattr(parameter, "is_flag", False):
        return ""
    shown = parameter.default if parameter.show_default else None
    return str(shown) if shown not in (None, "", (), []) else ""


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
