"""Writes packaging/gatepost.1 from the command line itself: `python tools/generate_man.py`.

The wheel puts it into share/man/man1, so that `man gatepost` works where that is on man's path, as with pip install
--user. tests/house/test_documented.py compares the two.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from generate_commands import default_text, names, parameters, usage

from gatepost import __version__
from gatepost.cli.main import main_app

PAGE = Path(__file__).parents[1] / "packaging" / "gatepost.1"

_HEAD = """\
.SH NAME
gatepost \\- a mail relay that knows whose mail it carries
.SH SYNOPSIS
.B gatepost
[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]
.SH DESCRIPTION
Gatepost relays mail for several organisations and decides for every session which of them is sending: by TLS client
certificate, or by address and reverse-path. Begin with
.BR "gatepost init" ;
.B gatepost demo
shows the whole on this machine.
.SH OPTIONS
"""

_TAIL = """\
.SH EXIT STATUS
0: done. 1: the answer is no (refused, not found, not verified). 2: wrong use or unusable input.
.SH ENVIRONMENT
.TP
.B GATEPOST_CONFIG
The configuration, without \\fB\\-\\-config\\fR; else ./gatepost.toml.
.SH SEE ALSO
.BR "gatepost help settings" ,
.BR "gatepost help reason" ,
.B gatepost help cause
"""


def page() -> str:
    root = typer.main.get_command(main_app)
    context = typer.Context(root, info_name="gatepost")
    parts = [f'.TH GATEPOST 1 "" "Gatepost {__version__}" "Gatepost"\n', _HEAD, *_options(root), ".SH COMMANDS\n"]
    for name in names(root, context):
        parts += _commands(root.get_command(context, name), f"gatepost {name}", context)  # type: ignore[attr-defined]
    return "".join([*parts, _TAIL])


def _commands(command: Any, path: str, context: typer.Context) -> Iterator[str]:
    own = typer.Context(command, info_name=path)
    if hasattr(command, "list_commands"):
        for name in names(command, own):
            yield from _commands(command.get_command(own, name), f"{path} {name}", own)
        return
    yield f".SS {_roff(usage(command, path))}\n{_roff(command.help)}\n"
    yield from _options(command)


def _options(command: Any) -> Iterator[str]:
    for each in parameters(command):
        flags = [each.metavar] if each.param_type_name == "argument" else [*each.opts, *each.secondary_opts]
        value = "" if getattr(each, "is_flag", True) else f" \\fI{_roff(each.metavar)}\\fR"
        yield f".TP\n.B {_roff(', '.join(flags))}{value}\n{_roff(_said(each))}\n"


def _said(parameter: Any) -> str:
    default = default_text(parameter)
    said = f"{parameter.help or ''} ({default})" if default == "required" else parameter.help or ""
    return f"{said} Default: {default}." if default not in ("", "required") else said


def _roff(text: str) -> str:
    escaped = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    ascii_only = re.sub(r"[^ -~]", lambda found: f"\\[u{ord(found[0]):04X}]", escaped)
    return re.sub(r"^([.'])", r"\\&\1", ascii_only)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
