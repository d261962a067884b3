"""What every command needs: the configuration, the stores behind it, and one way to speak.

People get tables and one suggestion for the next command; programs get JSON; errors are one line on standard error.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from gatepost.mail.visible import visible, visible_json, visible_lines

if TYPE_CHECKING:
    from rich.console import Console

    from gatepost.admin.directory.editor import BulkEditor
    from gatepost.admin.directory.operation import Administration
    from gatepost.admin.queue.commands import QueueCommands
    from gatepost.admin.sessions.why import SessionNotFound
    from gatepost.admin.trace.tracing import Traces
    from gatepost.app import Directory, DirectoryEditor
    from gatepost.config import Config


@dataclass(slots=True)
class Invocation:
    """What stands before the command name."""

    config_file: Path | None = None
    server: str | None = None
    """The Management API of a relay elsewhere; None: this machine."""
    token_file: Path | None = None
    authority: Path | None = None


INVOCATION = Invocation()

NO, WRONG_USE = 1, 2


def config_path() -> Path:
    """`--config`, then `$GATEPOST_CONFIG`, then `./gatepost.toml`."""
    if INVOCATION.config_file:
        return INVOCATION.config_file
    return Path(os.environ.get("GATEPOST_CONFIG") or "gatepost.toml")


@cache
def config() -> "Config":
    from gatepost.config import ConfigError, read

    try:
        return read(config_path())
    except ConfigError as error:
        fail(str(error), WRONG_USE)


def directory() -> "Directory":
    from gatepost.app import open_directory

    return open_directory(config())


def editor(*, beyond_limits: bool = False) -> "DirectoryEditor":
    from gatepost.app import open_editor

    return open_editor(config(), beyond_limits=beyond_limits)


@contextmanager
def administration(*, beyond_limits: bool = False) -> "Iterator[Administration]":
    """Raises `Refused`, `StoreError`."""
    if INVOCATION.server:
        from gatepost.app.remote import remote_relay

        server, token_file, authority = INVOCATION.server, INVOCATION.token_file, INVOCATION.authority
        with remote_relay(server, token_file, authority, beyond_limits=beyond_limits) as remote:
            yield remote
    else:
        from gatepost.app.admin_wiring import this_machine

        with closing(editor(beyond_limits=beyond_limits)) as opened:
            yield this_machine(config(), opened)


def bulk_editor(*, beyond_limits: bool = False) -> "BulkEditor":
    from gatepost.app import open_bulk_editor

    return open_bulk_editor(config(), beyond_limits=beyond_limits)


@contextmanager
def queue_commands() -> "Iterator[QueueCommands]":
    """Raises `Refused`, `StoreError`."""
    if INVOCATION.server:
        from gatepost.app.remote import remote_queue

        with remote_queue(INVOCATION.server, INVOCATION.token_file, INVOCATION.authority) as remote:
            yield remote
    else:
        from gatepost.admin.queue.commands import LocalQueue
        from gatepost.app import open_queue_admin

        yield LocalQueue(open_queue_admin(config()), lambda: closing(editor()))


@contextmanager
def sessions() -> "Iterator[Callable[[str], dict[str, Any] | SessionNotFound]]":
    """What tells why. Raises `Refused`, `StoreError`."""
    if INVOCATION.server:
        from gatepost.app.remote import remote_sessions

        with remote_sessions(INVOCATION.server, INVOCATION.token_file, INVOCATION.authority) as remote:
            yield remote.why
    else:
        from gatepost.admin.sessions.why import why
        from gatepost.app import open_sessions

        yield partial(why, open_sessions(config()))


@contextmanager
def traces() -> "Iterator[Traces]":
    """Raises `Refused`, `StoreError`."""
    if INVOCATION.server:
        from gatepost.app.remote import remote_trace

        with remote_trace(INVOCATION.server, INVOCATION.token_file, INVOCATION.authority) as remote:
            yield remote
    else:
        from gatepost.admin.trace.tracing import LocalTraces
        from gatepost.app import open_trace

        with closing(editor()) as directory:
            yield LocalTraces(reader=open_trace(config()), directory=directory, now=time.time())


@cache
def console() -> "Console":
    from gatepost.cli.console import VisibleConsole

    # Rich would take the width of any terminal that is near, such as standard input's.
    known = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return VisibleConsole(highlight=False, width=None if known else 80)


def print_indented(text: str, indent: int, label: str = "", style: str = "") -> None:
    """Below one another on a terminal, with `label` before the first line; one line for whoever searches in it. What a
    peer wrote cannot paint."""
    from rich.text import Text

    room = console().width - indent if sys.stdout.isatty() else sys.maxsize
    margin = " " * indent
    for line in wrap(visible(text), room, break_on_hyphens=False) or [""]:
        console().print(Text(f"{label or margin}{line}", style), soft_wrap=True)
        label = ""


def print_point(code: str, about: str, says: str, style: str = "bold") -> None:
    """One of a list: a word in front, and its sentence below."""
    from rich.text import Text

    console().print(Text.assemble("  • ", (code, style), visible(about)), soft_wrap=True)
    print_indented(says, 4)


def print_json(value: object) -> None:
    """One JSON document on standard output; dataclasses, tuples, times and enums included."""
    say_json(json.dumps(value, default=_jsonable, ensure_ascii=False, indent=2))


def say_json(encoded: str) -> None:
    """JSON text on standard output. What would act on a terminal is a JSON escape: the value is the same."""
    typer.echo(visible_json(encoded))


def say(text: str = "", *, err: bool = False) -> None:
    """Text on standard output, or standard error. What strangers wrote in it is shown and does nothing."""
    typer.echo(visible_lines(text), err=err)


def _jsonable(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | frozenset | set):
        return sorted(value) if isinstance(value, frozenset | set) else list(value)
    return str(value)


def fail(message: str, exit_code: int = NO) -> NoReturn:
    """One line on standard error, and out."""
    warn(message)
    raise typer.Exit(exit_code)


def warn(message: str) -> None:
    """One line, whatever is quoted in it: a line feed of a stranger's would begin a line that seems to be ours."""
    say(visible(f"gatepost: {message}"), err=True)


def suggest(command: str) -> None:
    """The next command a person would want; nothing for programs."""
    if sys.stdout.isatty():
        from rich.text import Text

        console().print(Text.assemble(("next:", "dim"), f" {visible(command)}"), soft_wrap=True)
