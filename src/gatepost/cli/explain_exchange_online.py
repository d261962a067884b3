"""`gatepost explain --exchange-online FOLDER`: what Exchange Online would do, by one tenant's exports."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gatepost.admin.sessions.explain import SOMEWHERE, Question
from gatepost.admin.sessions.explain_exchange_online import (
    CloudAnswer,
    CloudOutcome,
    explain_exchange_online,
)
from gatepost.cli import context
from gatepost.cli.show_attribution import print_verdict
from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.logged_session import LoggedSession, logged_session
from gatepost.doctor.reading import NothingToRead, read_files
from gatepost.exchange.exported_tenant import NotEnoughExported, exported_tenant, judge_as_told
from gatepost.tenancy.session_record import attribution_record

if TYPE_CHECKING:
    from gatepost.tenancy.candidates import ChainJudge
    from gatepost.tenancy.fields import Record


def answer(folder: Path, question: Question, json: bool) -> None:
    """Say it, and end with exit code 1 unless every recipient would be taken."""
    try:
        bundle = read_files([folder])
        tenant = exported_tenant(bundle.exports)
        question, told, judge = _completed(question, bundle)
    except (NothingToRead, NotEnoughExported) as error:
        context.fail(f"--exchange-online {folder}: {error}", context.WRONG_USE)
    answers = explain_exchange_online(tenant, question, judge, datetime.now(UTC))
    if json:
        context.print_json(_document(answers, told))
    else:
        _show(answers, told)
    if _most_telling(answers).outcome in (CloudOutcome.REFUSED, CloudOutcome.NOT_KNOWN):
        raise typer.Exit(context.NO)


def _completed(question: Question, bundle: EvidenceBundle) -> "tuple[Question, LoggedSession | None, ChainJudge]":
    """What the command line leaves open is taken from a log among the files."""
    from gatepost.app import open_public_judge

    if question.chain or question.address != SOMEWHERE:
        return question, None, open_public_judge()
    told = logged_session(bundle)
    if told is None:
        return question, None, open_public_judge()
    chain = (told.certificate,) if told.certificate else ()
    return replace(question, address=told.address or SOMEWHERE, chain=chain), told, judge_as_told


def _most_telling(answers: tuple[CloudAnswer, ...]) -> CloudAnswer:
    refused = (CloudOutcome.REFUSED, CloudOutcome.NOT_KNOWN)
    return next((each for each in answers if each.outcome in refused), answers[-1])


def _document(answers: tuple[CloudAnswer, ...], told: LoggedSession | None) -> dict[str, object]:
    return {
        **_record(_most_telling(answers)),
        "session_from": list(told.sources) if told else [],
        "recipients": [{"rcpt_to": str(each.forward_path), **_record(each)} for each in answers],
    }


def _record(each: CloudAnswer) -> "Record":
    return {
        **attribution_record(each.attribution, each.reply),
        "outcome": each.outcome,
        "not_public": list(each.not_public),
        "not_known": list(each.not_known),
    }


_HEADLINES = {
    CloudOutcome.RELAY: "relayed for the tenant",
    CloudOutcome.DELIVER: "delivered in the tenant",
    CloudOutcome.INCOMING: "taken as incoming mail of the tenant, like a stranger's",
    CloudOutcome.REFUSED: "refused: {reason}",
    CloudOutcome.NOT_KNOWN: "not this tenant's session ({reason}); refused, unless another tenant has the recipient",
}


def _show(answers: tuple[CloudAnswer, ...], told: LoggedSession | None) -> None:
    if told:
        context.print_indented(f"The session is the one in {', '.join(told.sources)}.", 0, style="dim")
    for each in answers:
        refusal = each.attribution.refusal
        headline = _HEADLINES[each.outcome].format(reason=refusal.reason if refusal else None)
        print_verdict(str(each.forward_path), headline, attribution_record(each.attribution, each.reply))
        for sentence in each.not_public:
            context.print_point("not public", "", sentence, "bold cyan")
        for sentence in each.not_known:
            context.print_point("not known", "", sentence, "bold cyan")
