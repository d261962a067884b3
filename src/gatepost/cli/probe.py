"""`gatepost probe`: what a host does with a session, a certificate and two addresses; nothing is sent."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatepost.cli import context
from gatepost.errors import BadRequest, Named
from gatepost.mail.path_grammar import BadPath, read_mailbox
from gatepost.tenancy import notation

if TYPE_CHECKING:
    from gatepost.admin.sessions.probe import ProbeResult, ShownCertificate
    from gatepost.config import Config
    from gatepost.tenancy.evidence import CertificateFacts
    from gatepost.tenancy.tenant import SmartHost

PATIENCE_S = 10.0

probe_app = typer.Typer(add_completion=False, rich_markup_mode=None)


@probe_app.command(
    "probe",
    help="Open a session with a host and show what it does at each stage; no content is sent. "
    "Exit code 1: a stage was refused or failed.",
)
def probe_command(
    host: Annotated[str, typer.Argument(metavar="HOST[:PORT]", help="A name or an address; port 25 unless given.")],
    certificate: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Certificate chain to present on request, leaf first.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Its key; default: in the file of the certificate.")
    ] = None,
    mail_from: Annotated[
        str | None, typer.Option(metavar="A", help="Also send MAIL; '' for the null reverse-path.")
    ] = None,
    rcpt_to: Annotated[list[str] | None, typer.Option(metavar="B", help="Also send RCPT; repeatable.")] = None,
    ehlo: Annotated[
        str | None, typer.Option(metavar="NAME", help="Default: the name in gatepost.toml, else this machine's.")
    ] = None,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="Timeout of each step.")] = PATIENCE_S,
    json: Annotated[bool, typer.Option("--json", help="Output JSON.")] = False,
) -> None:
    from gatepost.admin.sessions.probe import Outcome

    result = hold_probe(host, certificate, key, mail_from, rcpt_to or (), ehlo, timeout)
    if json:
        context.print_json(result)
    else:
        _show(result)
    if result.verdict is not Outcome.ACCEPTED:
        raise typer.Exit(context.NO)


def hold_probe(
    host: str,
    certificate: Path | None,
    key: Path | None,
    mail_from: str | None,
    rcpt_to: Sequence[str],
    ehlo: str | None,
    timeout: float,
) -> "ProbeResult":
    """The session that the options ask for."""
    from gatepost.admin.sessions.probe import Question
    from gatepost.app.probing import run_probe

    settings = _settings()
    if rcpt_to and mail_from is None:
        context.fail("--rcpt-to needs --mail-from before it; '' is the null reverse-path", context.WRONG_USE)
    question = Question(
        host=_host(host),
        ehlo=_ehlo(ehlo) or (settings.hostname if settings else None),
        chain=_chain(certificate, key),
        mail_from=None if mail_from is None else _reverse_path(mail_from),
        rcpt_to=tuple(_mailbox(each, "--rcpt-to") for each in rcpt_to),
    )
    return run_probe(question, certificate, key, timeout, settings)


def _settings() -> "Config | None":
    """A host can be probed from any machine; where Gatepost is set up, it speaks as Gatepost would."""
    return context.config() if context.INVOCATION.config_file or context.config_path().exists() else None


def _host(text: str) -> "SmartHost":
    try:
        return notation.smart_host(text)
    except BadRequest as error:
        context.fail(str(error), context.WRONG_USE)


def _ehlo(name: str | None) -> str | None:
    try:
        return None if name is None else notation.host_name(name, Named(name="ehlo", option="ehlo"))
    except BadRequest as error:
        context.fail(str(error), context.WRONG_USE)


def _chain(certificate: Path | None, key: Path | None) -> "tuple[CertificateFacts, ...]":
    if certificate is None:
        if key is not None:
            context.fail(f"--key {key}: name its certificate with --certificate", context.WRONG_USE)
        return ()
    from gatepost.app import read_certificates
    from gatepost.app.admin_wiring import check_credentials

    verdict = check_credentials(certificate, key or certificate)
    if verdict.problem:
        context.fail(verdict.problem, context.WRONG_USE)
    for warning in verdict.warnings:
        context.warn(warning)
    return read_certificates(certificate)


def _reverse_path(text: str) -> str:
    return "" if text in ("", "<>") else _mailbox(text, "--mail-from")


def _mailbox(text: str, option: str) -> str:
    found = read_mailbox(text.removeprefix("<").removesuffix(">"), irregular=True)
    if isinstance(found, BadPath):
        context.fail(f"{option} {text}: {found.says}; write it like ann@contoso.com", context.WRONG_USE)
    return str(found)


def _colour(well: bool) -> str:
    return "green" if well else "red"


def _show(result: "ProbeResult") -> None:
    from rich.markup import escape

    console = context.console()
    colour = _colour(result.verdict == "accepted")
    console.print(f"{escape(result.host)}: [bold {colour}]{result.verdict}[/]", soft_wrap=True)
    for problem in result.problems:
        context.print_indented(problem, 4, "  ! ", "bold yellow")
    console.print()
    if facts := list(_facts(result)):
        for label, value in facts:
            context.print_indented(value, 15, f"  {label:<12} ")
        console.print()
    for stage in result.stages:
        context.print_indented(f"{stage.stage}: {stage.sent}" if stage.sent else stage.stage, 4, "  • ", "bold")
        # The keywords stand above.
        lines = stage.reply.splitlines()[: 1 if stage.sent and stage.accepted else None]
        for line in lines:
            context.print_indented(line, 4, style=_colour(stage.accepted))


def _facts(result: "ProbeResult") -> Iterator[tuple[str, str]]:
    if result.seen_address:
        yield "sees us as", result.seen_address
    if result.ehlo:
        yield "before TLS", ", ".join(result.ehlo)
    if result.ehlo_after_tls:
        yield "under TLS", ", ".join(result.ehlo_after_tls)
    if result.tls is not None and result.tls.established:
        yield "TLS", f"{result.tls.protocol} {result.tls.cipher}"
        for each in result.tls.chain:
            yield "its chain", _certificate(each)
    own = result.certificate
    for each in own.chain[:1]:
        yield "ours", _certificate(each)
    if result.tls is not None:
        asked = "asked for" if own.requested else "not asked for"
        yield "client cert.", f"{asked}, {'sent' if own.sent else 'not sent'}"


def _certificate(each: "ShownCertificate") -> str:
    names = ", ".join(each.names) or "no name"
    days = [f"{moment:%Y-%m-%d}" if moment else "?" for moment in (each.not_before, each.not_after)]
    purposes = "any purpose" if each.purposes is None else " and ".join(each.purposes) or "no purpose"
    return f"{each.subject} ({names}), {purposes}, valid {days[0]} to {days[1]}"
