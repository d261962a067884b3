"""`gatepost hybrid …`: set both sides up, rehearse a renewal, and never overwrite anybody's work."""

import json as json_format
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatepost.cli import context

if TYPE_CHECKING:
    from gatepost.app.hybrid import Ask
    from gatepost.config import Config
    from gatepost.hybrid.apply import Left, Moved
    from gatepost.hybrid.certificates import Choice
    from gatepost.hybrid.merge import Kept
    from gatepost.hybrid.plan import Change, Plan
    from gatepost.hybrid.rehearsal import Rehearsal
    from gatepost.hybrid.relay_side import Waiting

hybrid_app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Set both sides up: plan, apply, verify, undo, rehearse.",
)

Relay = Annotated[str | None, typer.Option(metavar="URL", help="The relay's management API: https://HOST:PORT.")]
RelayCa = Annotated[
    Path | None, typer.Option(metavar="PEM", help="What vouches for it; default: the system's authorities.")
]
TokenFile = Annotated[Path | None, typer.Option(metavar="FILE", help="From the relay's operator: gatepost token add.")]
Tenant = Annotated[str | None, typer.Option(metavar="T", help="With an operator's token: for whom.")]
SmartHost = Annotated[str | None, typer.Option(metavar="HOST[:PORT]", help="Where the relay takes mail.")]
Domains = Annotated[list[str] | None, typer.Option("--domain", metavar="D", help="A domain of yours; repeatable.")]
Certificate = Annotated[Path | None, typer.Option(metavar="PEM", help="Chain to present, leaf first.")]
Key = Annotated[Path | None, typer.Option(metavar="PEM", help="Its private key.")]
Json = Annotated[bool, typer.Option("--json", help="JSON, for programs.")]
Overwrite = Annotated[
    list[str] | None,
    typer.Option(metavar="OBJECT.FIELD", help="A value changed by hand that is to give way; repeatable."),
]


@hybrid_app.command("plan", help="Show what would have to change at both sides. Changes nothing.")
def plan_command(
    relay: Relay = None,
    relay_ca: RelayCa = None,
    token_file: TokenFile = None,
    tenant: Tenant = None,
    smart_host: SmartHost = None,
    domain: Domains = None,
    certificate: Certificate = None,
    key: Key = None,
    trust_anchor: Annotated[
        list[Path] | None, typer.Option(metavar="PEM", help="Root of your own authority, if it is no public one.")
    ] = None,
    postfix: Annotated[
        bool, typer.Option("--postfix", help="Postfix on this machine sends to the relay, not this edge.")
    ] = False,
    config_directory: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --postfix: where its main.cf is.")
    ] = None,
    mailboxes: Annotated[
        str | None,
        typer.Option(metavar="HOST[:PORT]", help="Your own mail server: the edge's notices to your users go there."),
    ] = None,
    overwrite: Overwrite = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the plan, to be applied.")] = None,
    json: Json = False,
) -> None:
    from gatepost.app import hybrid
    from gatepost.hybrid.plan import document
    from gatepost.tenancy import notation

    with _declining():
        ask = _ask(relay, relay_ca, token_file, tenant, smart_host, domain, certificate, key, trust_anchor)
        if postfix or config_directory:
            where = config_directory.absolute() if config_directory else None
            ask = replace(ask, postfix=True, config_directory=where)
        if mailboxes:
            ask = replace(ask, mailboxes=notation.smart_host(mailboxes))
        found = hybrid.plan(context.config(), ask, overwrite or [])
    if out:
        _write(out, json_format.dumps(document(found), ensure_ascii=False, indent=1))
    if json:
        context.print_json(document(found))
        return
    _show_plan(found)
    if found.changes and out:
        context.suggest(f"gatepost hybrid apply {quote(str(out))}")


@hybrid_app.command("apply", help="Carry a plan out. Run again, it goes on where it stopped.")
def apply_command(
    plan: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="Written by hybrid plan --out.")],
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for a domain's TXT record.")
    ] = 300.0,
) -> None:
    from gatepost.app import hybrid
    from gatepost.hybrid.plan import read_plan

    with _declining():
        try:
            found = read_plan(plan.read_text("utf-8"), str(plan))
        except (OSError, UnicodeDecodeError) as error:
            context.fail(f"plan file {plan} cannot be read: {error}", context.WRONG_USE)
        if not found.changes:
            context.say("nothing to do")
            return
        applied = hybrid.apply_plan(
            context.config(), found, _tell, wait_s=wait, waiting=_Progress(), rehearsed=_tell_rehearsal
        )
    if not applied:
        context.say("nothing to do: this plan was applied before; does it still hold? gatepost hybrid verify")
        return
    context.say(f"applied {_count(len(found.changes), 'change')}; to take them back: gatepost hybrid undo")
    context.suggest("gatepost hybrid verify")


@hybrid_app.command("verify", help="Whether both sides are as they were applied, and mail would be relayed.")
def verify_command(json: Json = False) -> None:
    from gatepost.app import hybrid_checks

    with _declining():
        checks = hybrid_checks.verify(context.config())
    if json:
        context.print_json({"checks": checks})
    else:
        for check in checks:
            style = "green" if check.passed else "bold red"
            context.print_point(check.name, f" {'ok' if check.passed else 'NOT OK'}", check.says, style)
            if check.do:
                context.print_indented(check.do, 4)
    if not all(check.passed for check in checks):
        raise typer.Exit(context.NO)


@hybrid_app.command("undo", help="Take the last apply back, on both sides. What somebody changed since is kept.")
def undo_command(overwrite: Overwrite = None) -> None:
    from gatepost.app import hybrid

    with _declining():
        undone = hybrid.undo(context.config(), _tell, overwrite or [])
    if undone.warning:
        context.warn(f"note: {undone.warning}")
    if undone.kept:
        _show_kept(undone.kept, "changed by hand since, and left as it is:")
    if undone.left:
        _show_left(undone.left)
    if undone.kept or undone.left:
        raise typer.Exit(context.NO)
    context.say("both sides are as they were before")


@hybrid_app.command(
    "rehearse",
    help="Hold a real session with the relay, showing the next certificate, and report what the relay saw and would "
    "decide. No content is sent, nothing changes. Exit code 1: it would be refused.",
)
def rehearse_command(
    certificate: Certificate = None,
    key: Key = None,
    smart_host: Annotated[
        str | None, typer.Option(metavar="HOST[:PORT]", help="Default: that of the last apply.")
    ] = None,
    source_address: Annotated[
        str | None, typer.Option(metavar="IP", help="Of this machine: a new line or address to be tried.")
    ] = None,
    relay: Relay = None,
    relay_ca: RelayCa = None,
    token_file: TokenFile = None,
    tenant: Tenant = None,
    json: Json = False,
) -> None:
    from gatepost.app import hybrid

    with _declining():
        ask = _rehearsal_ask(relay, relay_ca, token_file, tenant, smart_host, certificate, key)
        found = hybrid.rehearse(context.config(), ask, source_address=source_address)
    if json:
        context.print_json(found)
    else:
        _show_rehearsal(found)
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
        list[Path] | None, typer.Option(metavar="PEM", help="A private key that lies elsewhere; repeatable.")
    ] = None,
    json: Json = False,
) -> None:
    from gatepost.app import hybrid_certificates

    with _declining():
        found = hybrid_certificates.compare(_settings(), paths, key or [])
    if json:
        context.print_json({"certificates": found.choices, "notes": found.notes})
    else:
        _show_choices(found.choices)
        for note in found.notes:
            context.warn(f"note: {note}")
    if not any(choice.usable for choice in found.choices):
        raise typer.Exit(context.NO)


@hybrid_app.command(
    "exchange",
    help="Exchange Server and Exchange Online: from exports of both sides, a PowerShell script for each. Runs nothing.",
)
def exchange_command(
    exports: Annotated[
        list[Path],
        typer.Argument(metavar="FILE|FOLDER...", show_default=False, help="Of Get-…Connector and Get-AcceptedDomain."),
    ],
    domain: Annotated[list[str], typer.Option("--domain", metavar="D", help="A domain of yours; repeatable.")],
    smart_host: Annotated[str, typer.Option(metavar="NAME", help="Where Exchange Online finds your servers.")],
    certificate: Annotated[Path, typer.Option(metavar="PEM", help="What your servers show; without its key.")],
    routing_domain: Annotated[
        str | None, typer.Option(metavar="D", help="Default: the accepted domain below mail.onmicrosoft.com.")
    ] = None,
    centralized: Annotated[
        bool, typer.Option("--centralized", help="Mail of the cloud to the outside leaves by your servers.")
    ] = False,
    none: Annotated[
        list[str] | None,
        typer.Option("--none", metavar="KIND", help="There is no such connector yet, so create it; repeatable."),
    ] = None,
    overwrite: Overwrite = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write scripts there, and what exports have shown.")
    ] = None,
    json: Json = False,
) -> None:
    from gatepost.app import hybrid_exchange
    from gatepost.errors import Named
    from gatepost.hybrid.plan import document
    from gatepost.tenancy import notation

    with _declining():
        ask = hybrid_exchange.ExchangeAsk(
            exports=tuple(exports),
            domains=tuple(notation.accepted_domain(each) for each in domain),
            smart_host=notation.host_name(smart_host, Named(name="smart_host", option="smart-host")),
            certificate=certificate,
            routing_domain=notation.accepted_domain(routing_domain) if routing_domain else None,
            centralized=centralized,
            none=tuple(none or ()),
            earlier=out,
        )
        found = hybrid_exchange.plan_exchange(ask, overwrite or [])
    if out:
        out.mkdir(mode=0o750, parents=True, exist_ok=True)
        for name, text in found.scripts.items():
            _write(out / name, text)
        _write(out / hybrid_exchange.PLAN_FILE, json_format.dumps(document(found.plan), ensure_ascii=False, indent=1))
    if json:
        context.print_json({**document(found.plan), "scripts": found.scripts})
        return
    _show_plan(found.plan)
    for name in found.scripts if out else ():
        context.say(f"wrote {out / name}")  # type: ignore[operator]


def _settings() -> "Config | None":
    """Certificates can be looked at on any machine; where an edge is set up, the relay is asked what it accepts."""
    return context.config() if context.INVOCATION.config_file or context.config_path().exists() else None


# --- what was asked for -----------------------------------------------------------------------------------------------


def _ask(
    relay: str | None,
    relay_ca: Path | None,
    token_file: Path | None,
    tenant: str | None,
    smart_host: str | None,
    domains: list[str] | None,
    certificate: Path | None,
    key: Path | None,
    trust_anchors: list[Path] | None,
    optional: frozenset[str] = frozenset(),
) -> "Ask":
    """What is not said is as it was applied last; of what is `optional`, nothing need be said at all."""
    from gatepost.app import hybrid
    from gatepost.tenancy import notation

    last = _last_ask()
    missing = [
        option
        for option, value in (
            ("--relay", relay),
            ("--token-file", token_file),
            ("--smart-host", smart_host),
            ("--domain", domains),
            ("--certificate", certificate),
        )
        if not value and last is None and option not in optional
    ]
    if missing:
        context.fail(f"{', '.join(missing)} missing: nothing was applied from here yet that says it", context.WRONG_USE)
    return hybrid.Ask(
        relay=_url(relay) if relay else _of(last).relay,
        relay_ca=relay_ca.absolute() if relay_ca else last.relay_ca if last and not relay else None,
        token_file=token_file.absolute() if token_file else _of(last).token_file,
        tenant=tenant or (last.tenant if last else None),
        smart_host=notation.smart_host(smart_host) if smart_host else _of(last).smart_host,
        domains=tuple(notation.accepted_domain(each) for each in domains) if domains else last.domains if last else (),
        certificate=certificate.absolute() if certificate else last.certificate if last else None,
        key=file.absolute() if (file := key or certificate) else last.key if last else None,
        trust_anchors=tuple(path.absolute() for path in trust_anchors)
        if trust_anchors is not None
        else (last.trust_anchors if last else ()),
        postfix=last.postfix if last else False,
        config_directory=last.config_directory if last else None,
        mailboxes=last.mailboxes if last else None,
    )


def _of(last: "Ask | None") -> "Ask":
    assert last is not None
    return last


def _last_ask() -> "Ask | None":
    from gatepost.app import hybrid

    try:
        return hybrid.last_ask(context.config())
    except hybrid.NothingApplied:
        return None


def _rehearsal_ask(
    relay: str | None,
    relay_ca: Path | None,
    token_file: Path | None,
    tenant: str | None,
    smart_host: str | None,
    certificate: Path | None,
    key: Path | None,
) -> "Ask":
    optional = frozenset(("--domain", "--certificate"))
    return _ask(relay, relay_ca, token_file, tenant, smart_host, None, certificate, key, None, optional)


def _url(text: str) -> str:
    from urllib.parse import urlsplit

    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname:
        context.fail(f"--relay {text}: write it like https://relay.example.net:8443", context.WRONG_USE)
    return text.rstrip("/")


@contextmanager
def _declining() -> Iterator[None]:
    """Every foreseeable "no" is one line and an exit code."""
    from gatepost.app.hybrid import NothingApplied
    from gatepost.app.relay_api import UnusableFile
    from gatepost.errors import Refused
    from gatepost.hybrid.apply import Trouble, WorldMoved
    from gatepost.hybrid.desire import NotPossible
    from gatepost.hybrid.journal import Busy
    from gatepost.hybrid.plan import UnusablePlan

    try:
        yield
    except (UnusableFile, UnusablePlan, NotPossible, Refused) as error:
        context.fail(str(error), context.WRONG_USE)
    except (Trouble, Busy, NothingApplied) as error:
        context.fail(str(error), context.NO)
    except WorldMoved as error:
        _show_moved(error.moved)
        context.fail("nothing was done: make a new plan from what is there now: gatepost hybrid plan …", context.NO)


def _write(file: Path, text: str) -> None:
    from gatepost.hybrid.journal import write_private

    try:
        write_private(file.absolute(), text + "\n")
    except OSError as error:
        context.fail(f"--out {file} cannot be written: {error.strerror}", context.WRONG_USE)


# --- telling ----------------------------------------------------------------------------------------------------------


def _show_plan(plan: "Plan") -> None:
    if not plan.changes:
        context.say("nothing to do")
    for change in plan.changes:
        _show_change(change)
    if plan.kept:
        _show_kept(plan.kept, "set by hand, and kept:")
    _show_commands(plan)
    for note in plan.notes:
        context.warn(f"note: {note}")
    if plan.changes:
        context.say(f"{_count(len(plan.changes), 'change')}, digest {plan.digest[:16]}")


def _show_commands(plan: "Plan") -> None:
    """What the apply would run on a machine that is not Gatepost's own."""
    from gatepost.hybrid.postfix import shell_lines

    if lines := shell_lines(plan.changes, plan.wish["config_directory"]):
        context.say("as commands:")
        for line in lines:
            context.say(f"  {line}")


def _show_change(change: "Change") -> None:
    from rich.text import Text

    colour = {"create": "green", "update": "yellow", "delete": "red"}[change.action]
    head = Text.assemble(
        (f"{change.order:>2}  {change.side:<6} ", "bold"), (f"{change.action} ", f"bold {colour}"), change.object
    )
    context.console().print(head, soft_wrap=True)
    for sign, field, value in _lines(change):
        context.print_indented(f"{field} = {value}", 8, f"      {sign} ", {"+": "green", "-": "red"}[sign])
    context.print_indented(change.why, 11, "      why  ", "dim")
    if change.risk != "none":
        context.print_indented(change.risk, 11, "      risk ", "dim")


def _lines(change: "Change") -> Iterator[tuple[str, str, str]]:
    """What is taken away, and what comes; of a new object only what says something."""
    from gatepost.hybrid.plan import differing

    for field, (before, after) in differing(change.before, change.after).items():
        if change.before is not None:
            yield "-", field, _shown(before)
        if change.after is not None and (change.before is not None or after not in (None, [], False)):
            yield "+", field, _shown(after)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "nothing"
    if isinstance(value, dict):
        return ":".join(str(each) for each in value.values())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and value.startswith("-----BEGIN"):
        return "a certificate"
    return "nothing" if value is None else str(value)


def _show_left(left: "tuple[Left, ...]") -> None:
    context.say("could not be taken back:")
    for each in left:
        context.print_point(each.change.object, f" ({each.change.side})", each.message)
    if not all(each.final for each in left):
        context.suggest("gatepost hybrid undo")


def _show_kept(kept: "tuple[Kept, ...]", title: str) -> None:
    context.say(title)
    for each in kept:
        if each.field:
            says = f"it is {_shown(each.now)}; the wizard would say {_shown(each.wanted)}"
        else:
            says = "it was removed" if each.now is None else "it is not as it was applied"
        context.print_point(each.name, f" ({each.side})", f"{says}; to overwrite it: --overwrite {quote(each.name)}")


def _show_moved(moved: "tuple[Moved, ...]") -> None:
    context.say("the world has moved since the plan was made:", err=True)
    for each in moved:
        for field, (planned, now) in each.differences.items():
            name = f"{each.object}.{field}" if field else each.object
            context.say(f"  {each.side}: {name} was {_shown(planned)}, is {_shown(now)}", err=True)


def _tell(change: "Change", what: str) -> None:
    context.say(f"{change.order:>2}  {change.side:<6} {change.action} {change.object}: {what}")


class _Progress:
    """The record once, then what DNS says each time that is something new."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def __call__(self, waiting: "Waiting") -> None:
        if not self._told:
            context.say(f'    publish: {waiting.record_name} TXT "{waiting.record_value}"')
        if waiting.says not in self._told:
            self._told.add(waiting.says)
            context.say(f"    waiting, up to {waiting.left_s:.0f} s more: {waiting.says}")


def _tell_rehearsal(found: "Rehearsal") -> None:
    outcome = "accepted" if found.accepted else "refused"
    context.say(f"    rehearsal over the real path: {outcome}")


def _show_rehearsal(found: "Rehearsal") -> None:
    from gatepost.hybrid.rehearsal import seen_certificate

    seen = found.seen
    if seen is not None:
        certificate, tls = seen_certificate(seen), seen.get("tls")
        context.say("the relay saw")
        facts = [
            ("address", str(seen["address"])),
            ("EHLO", str(seen["ehlo"])),
            ("TLS", f"{tls['protocol']} {tls['cipher']}" if tls else "none"),
            ("certificate", _seen_certificate(certificate) if certificate else "none"),
        ]
        for label, value in facts:
            context.print_indented(value, 15, f"  {label:<12} ")
    for line in (*found.differences, *found.problems):
        context.print_indented(line, 4, "  ! ", "bold yellow")
    for verdict in found.verdicts:
        style = "bold red" if verdict["outcome"] == "refused" else "bold green"
        about = f" <{verdict['mail_from']}> to <{verdict['rcpt_to']}>"
        context.print_point(verdict["outcome"], about, verdict["reply"], style)
        for reason in verdict["reasons"]:
            context.print_indented(f"{reason['code']}: {reason['says']}", 4)


def _show_choices(choices: "tuple[Choice, ...]") -> None:
    for choice in choices:
        style = "bold green" if choice.usable else "bold red"
        context.print_point(
            choice.file, "" if choice.usable else " cannot be used", ", ".join(choice.names) or "no name", style
        )
        end = f"{choice.not_after:%Y-%m-%d}, {choice.days_left} days left" if choice.not_after else "not told"
        facts = [
            ("subject", choice.subject or "empty"),
            ("issuer", choice.issuer),
            ("until", end),
            ("for", ", ".join(choice.purposes) if choice.purposes is not None else "any purpose"),
            ("key", f"{choice.key}, {choice.key_file or 'private key not found'}"),
            (
                "chain",
                f"{_count(choice.chain_length, 'certificate')}, {'' if choice.chain_complete else 'not '}complete",
            ),
            ("satisfies", ", ".join(choice.satisfies) or "no connector"),
        ]
        for label, value in facts:
            context.print_indented(value, 16, f"    {label:<11} ")
        for warning in choice.warnings:
            context.print_indented(warning, 6, "    ! ", "yellow")


def _seen_certificate(certificate: Any) -> str:
    names = ", ".join(certificate["names"]) or certificate["subject"]
    trust = "verified" if certificate["verified"] else "; ".join(each["text"] for each in certificate["errors"])
    return f"{names}, {_count(len(certificate['chain']), 'certificate')} in the chain, {trust}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s'[: number != 1]}"
