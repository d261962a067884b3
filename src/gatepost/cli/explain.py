"""`gatepost explain`: what would happen to a session, and why, before anybody sends anything."""

from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from gatepost.admin.sessions.explain import SOMEWHERE, Answer, Question, Relay, explain, most_telling, not_considered
from gatepost.cli import context
from gatepost.cli.show_attribution import print_verdict
from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox, ReversePath
from gatepost.mail.path_grammar import BadPath, read_mailbox
from gatepost.tenancy.attribution import Outcome
from gatepost.tenancy.evidence import Address, CertificateFacts
from gatepost.tenancy.fields import Record
from gatepost.tenancy.session_record import attribution_record

explain_app = typer.Typer(add_completion=False, rich_markup_mode=None)


@explain_app.command("explain", help="Show what would happen to a session, and why. Exit code 1: it would be refused.")
def explain_command(
    mail_from: Annotated[str, typer.Option(metavar="A", help="Reverse-path; '' for the null reverse-path.")],
    rcpt_to: Annotated[list[str], typer.Option(metavar="B", help="Forward-path; repeatable.")],
    address: Annotated[
        str,
        typer.Option(
            metavar="IP", help="Address the server connects from; default: an unlisted one.", show_default=False
        ),
    ] = str(SOMEWHERE),
    certificate: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Certificate chain the server would present, leaf first.")
    ] = None,
    ehlo: Annotated[str, typer.Option(metavar="NAME", help="EHLO name.", show_default=False)] = "",
    tls: Annotated[bool, typer.Option("--tls", help="TLS without a client certificate.")] = False,
    listener: Annotated[str | None, typer.Option(metavar="ADDRESS:PORT", help="Listener; default: the first.")] = None,
    exchange_online: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Evaluate as Exchange Online, using the exports of a tenant in this folder (Get-InboundConnector, "
            "Get-AcceptedDomain). Address and certificate default to those in a log in the folder.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Output JSON.")] = False,
) -> None:
    question = Question(
        address=_address(address),
        ehlo=ehlo,
        tls=tls,
        chain=_chain(certificate),
        reverse_path=_reverse_path(mail_from),
        forward_paths=tuple(_mailbox(each, "--rcpt-to") for each in rcpt_to),
    )
    if exchange_online:
        if listener:
            context.fail("--listener is Gatepost's; Exchange Online has none to choose", context.WRONG_USE)
        from gatepost.cli.explain_exchange_online import answer

        answer(exchange_online, question, json)
        return
    relay = _relay(listener)
    answers = explain(relay, question, datetime.now(UTC))
    others = not_considered(relay, question, answers)
    if json:
        context.print_json({**_document(answers), "not_considered": [each.record for each in others]})
    else:
        _show(answers)
        for each in others:
            context.print_point("not considered", f" ({each.connector})", f"{each.code}: {each.says}")
    if most_telling(answers).attribution.outcome is Outcome.REFUSED:
        raise typer.Exit(context.NO)


def _relay(listener: str | None) -> Relay:
    from gatepost.app import ListenerNotFound, open_relay

    try:
        return open_relay(context.config(), listener)
    except ListenerNotFound as error:
        context.fail(str(error), context.WRONG_USE)


def _address(text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError:
        context.fail(f"--address {text}: not an IP address, such as 192.0.2.1 or 2001:db8::1", context.WRONG_USE)


def _chain(certificate: Path | None) -> tuple[CertificateFacts, ...]:
    if certificate is None:
        return ()
    from gatepost.app import CertificateFileError, read_certificates

    try:
        return read_certificates(certificate)
    except CertificateFileError as error:
        context.fail(f"--certificate: {error}", context.WRONG_USE)


def _reverse_path(text: str) -> ReversePath:
    return NULL_REVERSE_PATH if text in ("", "<>") else _mailbox(text, "--mail-from")


def _mailbox(text: str, option: str) -> Mailbox:
    found = read_mailbox(text.removeprefix("<").removesuffix(">"), irregular=True)
    if isinstance(found, BadPath):
        context.fail(f"{option} {text}: {found.says}; write it like ann@contoso.com", context.WRONG_USE)
    return found


def _document(answers: tuple[Answer, ...]) -> dict[str, object]:
    """The contract's object, and beside it every recipient's own."""
    return {
        **_record(most_telling(answers)),
        "recipients": [{"rcpt_to": str(each.forward_path), **_record(each)} for each in answers],
    }


def _record(answer: Answer) -> Record:
    return attribution_record(answer.attribution, str(answer.reply))


_HEADLINES = {
    Outcome.RELAY: "accepted: relayed for tenant {tenant}",
    Outcome.DELIVER: "accepted: delivered to tenant {tenant}'s own domain",
    Outcome.INCOMING: "accepted as incoming mail of tenant {tenant}",
    Outcome.REFUSED: "refused: {reason}",
}


def _show(answers: tuple[Answer, ...]) -> None:
    for answer in answers:
        found = answer.attribution
        reason = found.refusal.reason if found.refusal else None
        headline = _HEADLINES[found.outcome].format(tenant=found.tenant, reason=reason)
        print_verdict(str(answer.forward_path), headline, found, str(answer.reply))
        for each in found.reasons:
            context.print_point(each.code, f" ({each.connector})" if each.connector else "", each.says)
        for warning in found.warnings:
            context.print_point("warning", "", warning, "bold yellow")
    refused = most_telling(answers).attribution.refusal
    if refused:
        context.suggest(f"gatepost help reason {refused.reason}")
