"""`gatepost explain`: what would happen to a session, and why, before anybody sends anything."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gatepost.admin.sessions.explain import SOMEWHERE, Question, explanation
from gatepost.admin.sessions.question import body_of, question
from gatepost.cli import context
from gatepost.cli.editing import exit_on_refusal
from gatepost.cli.show_attribution import print_verdict
from gatepost.tenancy.attribution import Outcome
from gatepost.tenancy.evidence import CertificateFacts
from gatepost.tenancy.fields import ReadRecord

explain_app = typer.Typer(add_completion=False, rich_markup_mode=None)


@explain_app.command("explain", help="Show what would happen to a session, and why. Exit code 1: it would be refused.")
def explain_command(
    mail_from: Annotated[str, typer.Option(metavar="A", help="Reverse-path; '' for the null reverse-path.")],
    rcpt_to: Annotated[list[str], typer.Option(metavar="B", help="Forward-path; repeatable.")],
    address: Annotated[
        str | None,
        typer.Option(metavar="IP", help="Address the server connects from; default: an unlisted one."),
    ] = None,
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
    with exit_on_refusal():
        asked = question(
            mail_from=mail_from,
            rcpt_to=rcpt_to,
            address=address,
            ehlo=ehlo,
            tls=tls,
            chain=_chain(certificate),
        )
    if exchange_online:
        if listener:
            context.fail("--listener is Gatepost's; Exchange Online has none to choose", context.WRONG_USE)
        from gatepost.cli.explain_exchange_online import answer

        answer(exchange_online, asked, json)
        return
    document = _there(asked, listener) if context.INVOCATION.server else _here(asked, listener)
    if json:
        context.print_json(document)
    else:
        _show(document)
    if document["outcome"] == Outcome.REFUSED:
        raise typer.Exit(context.NO)


def _here(asked: Question, listener: str | None) -> ReadRecord:
    from gatepost.app import ListenerNotFound, open_relay

    try:
        relay = open_relay(context.config(), listener)
    except ListenerNotFound as error:
        context.fail(str(error), context.WRONG_USE)
    return explanation(relay, asked, datetime.now(UTC))


def _there(asked: Question, listener: str | None) -> ReadRecord:
    from gatepost.app.remote import remote_explanation

    invocation = context.INVOCATION
    assert invocation.server is not None
    with exit_on_refusal():
        body = body_of(asked, listener)
        return remote_explanation(invocation.server, invocation.token_file, invocation.authority, body)


def _chain(certificate: Path | None) -> tuple[CertificateFacts, ...]:
    if certificate is None:
        return ()
    from gatepost.app import CertificateFileError, read_certificates

    try:
        return read_certificates(certificate)
    except CertificateFileError as error:
        context.fail(f"--certificate: {error}", context.WRONG_USE)


_HEADLINES = {
    Outcome.RELAY: "accepted: relayed for tenant {tenant}",
    Outcome.DELIVER: "accepted: delivered to tenant {tenant}'s own domain",
    Outcome.INCOMING: "accepted as incoming mail of tenant {tenant}",
    Outcome.REFUSED: "refused: {reason}",
}


def _show(document: ReadRecord) -> None:
    for each in document["recipients"]:
        headline = _HEADLINES[each["outcome"]].format(tenant=each["tenant"], reason=each["reason"])
        print_verdict(each["rcpt_to"], headline, each)
    if any(str(SOMEWHERE) in each["says"] for recipient in document["recipients"] for each in recipient["reasons"]):
        context.print_indented(f"{SOMEWHERE} stands for an address that no connector lists; see --address.", 0)
    for each in document["not_considered"]:
        context.print_point("not considered", f" ({each['connector']})", f"{each['code']}: {each['says']}")
    if document["reason"]:
        context.suggest(f"gatepost help reason {document['reason']}")
