"""`gatepost hybrid …`: set both sides up, rehearse a renewal, and never overwrite anybody's work."""

import json as json_format
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from gatepost.cli import context
from gatepost.cli import hybrid_output as output
from gatepost.cli.option_groups import grouped
from gatepost.errors import Named, Refused
from gatepost.hybrid import certificates, rehearsal, setup, verify
from gatepost.hybrid.errors import HybridError, NothingApplied, PlanOutdated
from gatepost.hybrid.journal import write_private
from gatepost.hybrid.plan import document, read_plan
from gatepost.hybrid.request import SetupRequest
from gatepost.hybrid.sides.exchange import PLAN_FILE, ExchangeRequest, plan_exchange
from gatepost.tenancy import notation

if TYPE_CHECKING:
    from gatepost.config import Config
    from gatepost.hybrid.installation import Installation

hybrid_app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Set up both sides of a hybrid mail flow: plan, apply, verify, undo, rehearse.",
)

Json = Annotated[bool, typer.Option("--json", help="Output JSON.")]
Overwrite = Annotated[
    list[str] | None,
    typer.Option(metavar="OBJECT.FIELD", help="Overwrite this manually changed value; repeatable."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How this server meets the relay. What is left out is as it was applied last."""

    relay: Annotated[str | None, typer.Option(metavar="URL", help="The relay's management API: https://HOST:PORT.")] = (
        None
    )
    relay_ca: Annotated[
        Path | None, typer.Option(metavar="PEM", help="CA certificates that verify it; default: the system's.")
    ] = None
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Token from the relay's operator (gatepost token add).")
    ] = None
    tenant: Annotated[str | None, typer.Option(metavar="T", help="Tenant; needed with an operator's token.")] = None
    smart_host: Annotated[
        str | None, typer.Option(metavar="HOST[:PORT]", help="Host and port where the relay accepts mail.")
    ] = None
    certificate: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Certificate chain to present, leaf first.")
    ] = None
    key: Annotated[Path | None, typer.Option(metavar="PEM", help="Its private key.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupOptions(SessionOptions):
    domain: Annotated[
        list[str] | None, typer.Option("--domain", metavar="D", help="A domain of your organisation; repeatable.")
    ] = None
    trust_anchor: Annotated[
        list[Path] | None,
        typer.Option(metavar="PEM", help="Root certificate of your own CA, if it is not a public one."),
    ] = None
    postfix: Annotated[
        bool, typer.Option("--postfix", help="Postfix on this machine sends to the relay instead of this edge.")
    ] = False
    config_directory: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --postfix: folder of its main.cf.")
    ] = None
    mailboxes: Annotated[
        str | None,
        typer.Option(metavar="HOST[:PORT]", help="Your own mail server; receives the edge's notices to your users."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeOptions:
    domain: Annotated[
        list[str], typer.Option("--domain", metavar="D", help="A domain of your organisation; repeatable.")
    ]
    smart_host: Annotated[
        str, typer.Option(metavar="NAME", help="Host name where Exchange Online connects to your servers.")
    ]
    certificate: Annotated[Path, typer.Option(metavar="PEM", help="Certificate of your servers, without its key.")]
    routing_domain: Annotated[
        str | None, typer.Option(metavar="D", help="Default: the accepted domain below mail.onmicrosoft.com.")
    ] = None
    centralized: Annotated[
        bool, typer.Option("--centralized", help="Route outbound mail of the cloud through your servers.")
    ] = False
    none: Annotated[
        list[str] | None,
        typer.Option(
            "--none", metavar="KIND", help="Confirm that no such connector exists, so it is created; repeatable."
        ),
    ] = None


@hybrid_app.command("plan", help="Show what would have to change on both sides. Changes nothing.")
@grouped
def plan_command(
    options: SetupOptions,
    overwrite: Overwrite = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the plan to this file.")] = None,
    json: Json = False,
) -> None:
    with _declining():
        found = setup.plan(_here(), _request(_said_of_setup(options)), overwrite or [])
    if out:
        _write(out, json_format.dumps(document(found), ensure_ascii=False, indent=1))
    if json:
        context.print_json(document(found))
        return
    output.show_plan(found)
    if found.changes and out:
        context.suggest(f"gatepost hybrid apply {quote(str(out))}")


@hybrid_app.command("apply", help="Apply a plan. If interrupted, run it again to continue.")
def apply_command(
    plan: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="Written by hybrid plan --out.")],
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="Maximum time to wait for a domain's TXT record.")
    ] = 300.0,
) -> None:
    with _declining():
        try:
            found = read_plan(plan.read_text("utf-8"), str(plan))
        except (OSError, UnicodeDecodeError) as error:
            context.fail(f"plan file {plan} cannot be read: {error}", context.WRONG_USE)
        if not found.changes:
            context.say("nothing to do")
            return
        progress = output.ApplyProgress()
        applied = setup.apply_plan(_here(), found, progress, wait_s=wait)
    if not applied:
        context.say("nothing to do: this plan was applied before; check the current state: gatepost hybrid verify")
        return
    context.say(f"applied {output.count(len(found.changes), 'change')}; to revert them: gatepost hybrid undo")
    context.suggest("gatepost hybrid verify")


@hybrid_app.command("verify", help="Check that both sides are as applied and mail would be relayed.")
def verify_command(json: Json = False) -> None:
    with _declining():
        checks = verify.verify(_here())
    if json:
        context.print_json({"checks": checks})
    else:
        output.show_checks(checks)
    if not all(check.passed for check in checks):
        raise typer.Exit(context.NO)


@hybrid_app.command("undo", help="Revert the last apply on both sides. Later changes by others are kept.")
def undo_command(overwrite: Overwrite = None) -> None:
    with _declining():
        undone = setup.undo(_here(), output.show_step, overwrite or [])
    if undone.warning:
        context.warn(f"note: {undone.warning}")
    if undone.kept:
        output.show_kept(undone.kept, "changed manually since, and kept:")
    if undone.left:
        output.show_left(undone.left)
    if undone.kept or undone.left:
        raise typer.Exit(context.NO)
    context.say("both sides are restored")


@hybrid_app.command(
    "rehearse",
    help="Hold a real session with the relay, showing the next certificate, and report what the relay saw and would "
    "decide. No content is sent, nothing changes. Exit code 1: it would be refused.",
)
@grouped
def rehearse_command(
    options: SessionOptions,
    source_address: Annotated[
        str | None, typer.Option(metavar="IP", help="Local address to connect from, to try a new line.")
    ] = None,
    json: Json = False,
) -> None:
    with _declining():
        request = _request(_said_of_session(options), optional=frozenset(("domains", "certificate")))
        found = rehearsal.rehearse(_here(), request, source_address=source_address)
    if json:
        context.print_json(found)
    else:
        output.show_rehearsal(found)
    if not found.accepted:
        raise typer.Exit(context.NO)


@hybrid_app.command(
    "certificates",
    help="Compare certificates side by side: which would be recognised, and what speaks against each. Exit code 1: "
    "none can be used.",
)
def certificates_command(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE|FOLDER...", show_default=False, help="PEM files, or folders of them.")
    ],
    key: Annotated[
        list[Path] | None, typer.Option(metavar="PEM", help="A private key in another file; repeatable.")
    ] = None,
    trust_anchor: Annotated[
        list[Path] | None,
        typer.Option(metavar="PEM", help="Root that the relay trusts for you; default: as applied last; repeatable."),
    ] = None,
    json: Json = False,
) -> None:
    from gatepost.app.hybrid import certificate_files, installation

    with _declining():
        config = _config_if_any()
        here = installation(config) if config else None
        files, now = certificate_files(config), datetime.now(UTC)
        found = certificates.compare(files, here, paths, key or [], now, trust_anchor or [])
    if json:
        context.print_json({"certificates": found.choices, "notes": found.notes})
    else:
        output.show_choices(found.choices)
        for note in found.notes:
            context.warn(f"note: {note}")
    if not any(choice.usable for choice in found.choices):
        raise typer.Exit(context.NO)


@hybrid_app.command(
    "exchange",
    help="Exchange Server and Exchange Online: from exports of both sides, a PowerShell script for each. Runs nothing.",
)
@grouped
def exchange_command(
    exports: Annotated[
        list[Path],
        typer.Argument(metavar="FILE|FOLDER...", show_default=False, help="Of Get-…Connector and Get-AcceptedDomain."),
    ],
    options: ExchangeOptions,
    overwrite: Overwrite = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder for the scripts and a summary of the exports.")
    ] = None,
    json: Json = False,
) -> None:
    from gatepost.app.exports import read_exports
    from gatepost.app.hybrid import certificate_files

    with _declining():
        request = _exchange_request(exports, options, earlier=out)
        files, now = certificate_files(None), datetime.now(UTC)
        found = plan_exchange(request, overwrite or [], files, read_exports, now)
    if out:
        out.mkdir(mode=0o750, parents=True, exist_ok=True)
        for name, text in found.scripts.items():
            _write(out / name, text)
        _write(out / PLAN_FILE, json_format.dumps(document(found.plan), ensure_ascii=False, indent=1))
    if json:
        context.print_json({**document(found.plan), "scripts": found.scripts})
        return
    output.show_plan(found.plan)
    if out:
        for name in found.scripts:
            context.say(f"wrote {out / name}")


def _here() -> "Installation":
    # What connects the wizard's ports needs cryptography, which `--help` does not wait for.
    from gatepost.app.hybrid import installation

    return installation(context.config())


def _config_if_any() -> "Config | None":
    """Certificates can be looked at on any machine; where an edge is set up, the relay is asked what it accepts."""
    return context.config() if context.INVOCATION.config_file or context.config_path().exists() else None


# --- what was asked for -----------------------------------------------------------------------------------------------

_OPTION_OF = {
    "relay": "--relay",
    "token_file": "--token-file",
    "smart_host": "--smart-host",
    "domains": "--domain",
    "certificate": "--certificate",
}
"""What a first request must say."""


def _request(said: dict[str, Any], optional: frozenset[str] = frozenset()) -> SetupRequest:
    """What is not said is as it was applied last; of what is `optional`, nothing need be said at all."""
    try:
        return replace(_here().last_request(), **said)
    except NothingApplied:
        missing = [option for field, option in _OPTION_OF.items() if field not in said and field not in optional]
        if missing:
            context.fail(f"{', '.join(missing)} required: no earlier apply to take it from", context.WRONG_USE)
        return SetupRequest(**said)


def _said_of_session(options: SessionOptions) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if options.relay:
        # What vouched for the relay before says nothing of this one.
        said.update(relay=_url(options.relay), relay_ca=None)
    if options.relay_ca:
        said["relay_ca"] = options.relay_ca.absolute()
    if options.token_file:
        said["token_file"] = options.token_file.absolute()
    if options.tenant:
        said["tenant"] = options.tenant
    if options.smart_host:
        said["smart_host"] = notation.smart_host(options.smart_host)
    if options.certificate:
        said["certificate"] = options.certificate.absolute()
    if key := options.key or options.certificate:
        said["key"] = key.absolute()
    return said


def _said_of_setup(options: SetupOptions) -> dict[str, Any]:
    said = _said_of_session(options)
    if options.domain:
        said["domains"] = tuple(notation.accepted_domain(each) for each in options.domain)
    if options.trust_anchor is not None:
        said["trust_anchors"] = tuple(path.absolute() for path in options.trust_anchor)
    if options.postfix or options.config_directory:
        where = options.config_directory
        said.update(postfix=True, config_directory=where.absolute() if where else None)
    if options.mailboxes:
        said["mailboxes"] = notation.smart_host(options.mailboxes)
    return said


def _exchange_request(exports: list[Path], options: ExchangeOptions, earlier: Path | None) -> ExchangeRequest:
    return ExchangeRequest(
        exports=tuple(exports),
        domains=tuple(notation.accepted_domain(each) for each in options.domain),
        smart_host=notation.host_name(options.smart_host, Named(name="smart_host", option="smart-host")),
        certificate=options.certificate,
        routing_domain=notation.accepted_domain(options.routing_domain) if options.routing_domain else None,
        centralized=options.centralized,
        none=tuple(options.none or ()),
        earlier=earlier,
    )


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname:
        context.fail(f"--relay {text}: write it like https://relay.example.net:8443", context.WRONG_USE)
    return text.rstrip("/")


@contextmanager
def _declining() -> Iterator[None]:
    """Every foreseeable "no" is one line and an exit code."""
    try:
        yield
    except Refused as error:
        context.fail(str(error), context.WRONG_USE)
    except PlanOutdated as error:
        output.show_drifts(error.drifts)
        context.fail("nothing was changed; create a new plan: gatepost hybrid plan …", context.NO)
    except HybridError as error:
        context.fail(str(error), context.WRONG_USE if error.wrong_use else context.NO)


def _write(file: Path, text: str) -> None:
    try:
        write_private(file.absolute(), text + "\n")
    except OSError as error:
        context.fail(f"--out {file} cannot be written: {error.strerror}", context.WRONG_USE)
