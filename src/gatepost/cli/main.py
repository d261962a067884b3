"""The command line's root: global options, and every command by its name.

Commands are imported when they are called: `gatepost why` does not wait for what `gatepost serve` needs.
"""

import sys
from functools import cache
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gatepost import __version__
from gatepost.cli import context
from gatepost.cli.rights import explained
from gatepost.queue.store import StoreError

_COMMANDS: dict[str, tuple[str, str, str]] = {
    "init": ("gatepost.cli.init", "init_app", "Create gatepost.toml, a data folder and a server certificate."),
    "serve": ("gatepost.cli.serve", "serve_app", "Run the relay."),
    "status": ("gatepost.cli.status", "status_app", "Show how the relay is now, and what needs a person."),
    "alarm": ("gatepost.cli.alarm", "alarm_app", "List alarms, and test how they are sent."),
    "tenant": ("gatepost.cli.tenant", "tenant_app", "Manage tenants."),
    "domain": ("gatepost.cli.domain", "domain_app", "Manage accepted domains and their verification."),
    "inbound-connector": (
        "gatepost.cli.inbound_connector",
        "inbound_connector_app",
        "Manage inbound connectors: how tenants' servers are recognised.",
    ),
    "enroll": ("gatepost.cli.enroll", "enroll_app", "Prove a server's certificate with one message."),
    "send-connector": ("gatepost.cli.send_connector", "send_connector_app", "Manage send connectors."),
    "dkim": ("gatepost.cli.dkim", "dkim_app", "Manage the keys by which mail is signed (DKIM)."),
    "explain": ("gatepost.cli.explain", "explain_app", "Show what would happen to a session, and why."),
    "why": ("gatepost.cli.why", "why_app", "Show what happened to a session, and why."),
    "trace": ("gatepost.cli.trace", "trace_app", "Find what happened to a message."),
    "queue": ("gatepost.cli.queue", "queue_app", "List, hold, retry and remove queued mail."),
    "protocol-log": ("gatepost.cli.protocol_log", "protocol_log_app", "SMTP conversations."),
    "probe": ("gatepost.cli.probe", "probe_app", "Test how a host responds to a session and a certificate."),
    "tls-policy": ("gatepost.cli.tls_policy", "tls_policy_app", "Show what is required of TLS for a domain, and why."),
    "doctor": ("gatepost.cli.doctor", "doctor_app", "Diagnose from bounces, logs, exports and certificates."),
    "token": ("gatepost.cli.token", "token_app", "Manage tokens of the Management API."),
    "person": ("gatepost.cli.person", "person_app", "Manage people of the console."),
    "proof": ("gatepost.cli.proof", "proof_app", "List and revoke proven pins."),
    "forecast": ("gatepost.cli.forecast", "forecast_app", "List what will stop working, and when."),
    "import": ("gatepost.cli.importing", "import_app", "Import many objects from a file."),
    "export": ("gatepost.cli.exporting", "export_app", "Export the directory to a file."),
    "hybrid": (
        "gatepost.cli.hybrid",
        "hybrid_app",
        "Set up both sides of a hybrid mail flow: plan, apply, verify, undo, rehearse.",
    ),
    "audit": ("gatepost.cli.audit", "audit_app", "List and show configuration changes: who changed what, and when."),
    "bench": ("gatepost.cli.bench", "bench_app", "Measure the throughput of a mail server."),
    "demo": ("gatepost.cli.demo", "demo_app", "Run the whole story on this machine, in a minute."),
    "help": ("gatepost.cli.help", "help_app", "Print the page of a reason code, a cause or the settings."),
}
"""name: (module, typer application in it, one line for the overview)"""


_REMOTE = (
    *("tenant", "domain", "inbound-connector", "enroll", "send-connector", "explain", "why"),
    *("dkim", "trace", "queue", "audit"),
    "forecast",
)
"""What can be asked of a relay elsewhere."""


@cache
def _command(name: str) -> Any:
    module, attribute, _ = _COMMANDS[name]
    application: typer.Typer = getattr(import_module(module), attribute)
    command = typer.main.get_command(application)
    command.name = name
    return command


class _LazyGroup(TyperGroup):
    # Typer carries a copy of click under a private name, so its types cannot be written here.
    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _COMMANDS:
            return None
        return _command(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in _COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(args[0], _COMMANDS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else "see 'gatepost --help'"
            context.fail(f"there is no command '{args[0]}'; {hint}", context.WRONG_USE)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in _COMMANDS.items()])


main_app = typer.Typer(cls=_LazyGroup, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        context.say(f"gatepost {__version__}")
        raise typer.Exit


@main_app.callback(help="A mail relay that knows whose mail it carries.")
def root(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Default: $GATEPOST_CONFIG, then ./gatepost.toml.")
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Manage another relay through its Management API."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="--server: token file for that relay.")
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(metavar="PEM", help="--server: CA certificates that verify it; default: the system's."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    asked = context.INVOCATION
    asked.config_file, asked.server, asked.token_file, asked.authority = config, server, token_file, ca
    if server is None and (token_file or ca):
        context.fail("--token-file and --ca go with --server URL: which relay is meant?", context.WRONG_USE)
    if server is not None and ctx.invoked_subcommand not in _REMOTE:
        context.fail(
            f"{ctx.invoked_subcommand} works on the relay itself, not with --server; with it there are "
            + ", ".join(_REMOTE),
            context.WRONG_USE,
        )


@cache
def _root() -> Any:
    return typer.main.get_command(main_app)


# Typer's copy of click has no public name for the base of all complaints about a command line.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def run(arguments: list[str]) -> int:
    """Run one command line. Every foreseeable failure ends as one line and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Where the encoding has no dots, lines and ticks, `?` will do.
            stream.reconfigure(errors="replace")
    try:
        return _root()(args=arguments, prog_name="gatepost", standalone_mode=False) or 0
    except _UsageError as error:
        message: str = error.format_message()  # type: ignore[attr-defined]
        # A group without a command complains with its whole help, which says it best.
        line = message if "\n" in message else f"gatepost: {_as_clause(message)} see: {_help_command(error)}"
        context.say(line, err=True)
        return context.WRONG_USE
    except (StoreError, PermissionError) as error:
        context.warn(explained(error) or str(error))
        return context.WRONG_USE
    except (typer.Abort, KeyboardInterrupt):
        context.say("gatepost: stopped", err=True)
        return context.NO
    except BrokenPipeError:
        # The reader of our output went away (`| head`): not an error of ours.
        sys.stderr.close()
        return 0


def _as_clause(sentence: str) -> str:
    """Our errors begin small and go on."""
    return sentence[0].lower() + sentence[1:].rstrip(".") + ("" if sentence.endswith("?") else ";")


def _help_command(error: Exception) -> str:
    where = getattr(error, "ctx", None)
    return f"{where.command_path if where else 'gatepost'} --help"
