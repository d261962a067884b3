"""`gatepost why`: what did happen to a session, and why."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.markup import escape

from gatepost.cli import context
from gatepost.cli.editing import exit_on_refusal
from gatepost.cli.wait_for_record import found_soon, wanted_session

why_app = typer.Typer(add_completion=False, rich_markup_mode=None)


@why_app.command("why", help="Show what happened to a session, and why.")
def why_command(
    session: Annotated[
        str, typer.Argument(metavar="SESSION-ID", help="Session id from a reply or log, or the whole reply in quotes.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Output JSON.")] = False,
) -> None:
    session_id = wanted_session(session)
    with exit_on_refusal(), context.sessions() as why:
        document = found_soon(lambda: why(session_id))
    if json:
        context.print_json(document)
    else:
        _show(document)


def _show(document: Mapping[str, Any]) -> None:
    console = context.console()
    console.print(_headline(document))
    if document["reply"]:
        context.print_indented(document["reply"], 2, style="dim")
    console.print()
    for label, value in _evidence(document):
        context.print_indented(value, 15, f"  {label:<12} ")
    console.print()
    for reason in document["reasons"]:
        about = f" ({reason['connector']})" if reason["connector"] else ""
        context.print_point(reason["code"], about, reason["says"])
    for warning in document["warnings"]:
        context.print_point("warning", "", warning, "bold yellow")
    _show_other_recipients(document)
    if document["reason"]:
        context.suggest(f"gatepost help reason {document['reason']}")
    context.suggest(f"gatepost protocol-log show {document['session_id']}")


_HEADLINES = {
    "relay": "[bold green]accepted[/]: relayed for tenant {tenant}",
    "deliver": "[bold green]accepted[/]: delivered to tenant {tenant}'s own domain",
    "incoming": "[bold green]accepted[/] as incoming mail of tenant {tenant}",
    "refused": "[bold red]refused[/]{reason}",
    None: "this session has no mail transaction with a verdict",
}


def _headline(document: Mapping[str, Any]) -> str:
    reason = f": {document['reason']}" if document["reason"] else ""
    by = f" (by {document['basis']}, connector {document['connector']})" if document["connector"] else ""
    told = _HEADLINES[document["outcome"]].format(tenant=escape(document["tenant"] or "-"), reason=reason)
    return told + escape(by)


def _evidence(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    evidence = document["evidence"]
    ended = f", closed: {document['closed']}" if document["closed"] else ", still open"
    yield "session", f"{document['session_id']} at {document['at']}{ended}"
    yield "address", f"{evidence['address']} to listener {evidence['listener']}"
    yield "EHLO", evidence["ehlo"] or "(none)"
    yield from _tls(evidence["tls"])
    if evidence["mail_from"] is not None:
        yield "MAIL FROM", f"<{evidence['mail_from']}>"
        yield "RCPT TO", f"<{evidence['rcpt_to']}>"
    for transaction in document["transactions"]:
        if transaction["queue_id"]:
            yield "queue id", f"{transaction['queue_id']}, {transaction['size']} octets"
        if dkim := transaction.get("dkim"):
            yield "DKIM", _dkim(dkim)


def _dkim(dkim: Mapping[str, Any]) -> str:
    if not dkim["signed"]:
        return f"not signed: {dkim['why_not']}"
    return "signed by " + ", ".join(
        f"{key['domain']}, selector {key['selector']} ({key['algorithm']})" for key in dkim["signed"]
    )


def _tls(tls: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if tls is None:
        yield "TLS", "none"
        return
    yield "TLS", f"{tls['protocol']} {tls['cipher']}"
    certificate = tls["certificate"]
    if certificate is None:
        yield "certificate", "none presented"
        return
    judged = f"verified, by {certificate['anchor']}" if certificate["verified"] else "did not verify"
    yield "certificate", f"{certificate.get('subject', certificate['sha256'])}: {judged}"
    for error in certificate["errors"]:
        yield "", f"{error['text']} (depth {error['depth']})"
    yield "  names", ", ".join(certificate.get("names", [])) or "(none)"
    yield "  issuer", certificate.get("issuer", "")
    yield "  valid", f"{certificate.get('not_before')} to {certificate.get('not_after')}"
    yield "  sha256", certificate["sha256"]


def _show_other_recipients(document: Mapping[str, Any]) -> None:
    recipients = [
        (transaction, recipient) for transaction in document["transactions"] for recipient in transaction["recipients"]
    ]
    more = sum(transaction.get("more_refused", 0) for transaction in document["transactions"])
    console = context.console()
    if more:
        console.print(f"\n  {more} more recipients were refused for the same reasons")
    if len(recipients) < 2:
        return
    console.print(f"\n  {'the first' if more else 'all'} {len(recipients)} recipients of this session:")
    for transaction, recipient in recipients:
        reply = recipient["reply"] if recipient["outcome"] == "refused" else transaction["reply"] or recipient["reply"]
        context.print_indented(f"<{recipient['rcpt_to']}>: {reply}", 4, "  ")
