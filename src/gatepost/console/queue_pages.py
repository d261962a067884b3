"""The queue: how much waits and for what, the oldest first, and what may be decided about it.

Law: a decision names its mail, and says before it is carried out how many recipients it would change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import RedirectResponse, Response

from gatepost.admin.queue import waiting_mail
from gatepost.admin.queue.records import overview_record, shown_record
from gatepost.admin.trace.choice import Words
from gatepost.admin.trace.tracing import MOST_ON_A_PAGE
from gatepost.console.page import Page, Who
from gatepost.console.rendering import link, page
from gatepost.console.visit import Visit, not_found
from gatepost.console.watching import looked_at
from gatepost.errors import Refused
from gatepost.queue.message import RecipientState
from gatepost.queue.orders import Action
from gatepost.queue.store import QueueFilter

_ROWS: Final = 100
_LONGEST_WAIT: Final = "5d"
_FILTERS: Final = ("tenant", "domain", "state", "older_than", "sender")


@dataclass(frozen=True, slots=True, kw_only=True)
class NextHop:
    """Where mail was deferred, and what it said last."""

    host: str | None
    recipients: int
    oldest_at: str
    said: str | None


def by_next_hop(items: Sequence[Mapping[str, Any]], domain: str | None) -> list[NextHop]:
    """Of delayed items of the trace, the newest first; the hop with most waiting on top."""
    groups: dict[str | None, list[Mapping[str, Any]]] = {}
    for item in items:
        if domain is None or item["rcpt_to"].rpartition("@")[2].lower() == domain.lower():
            groups.setdefault(item["next_hop"], []).append(item)
    found = [
        NextHop(host=host, recipients=len(each), oldest_at=each[-1]["at"], said=each[0]["reply"])
        for host, each in groups.items()
    ]
    return sorted(found, key=lambda each: -each.recipients)


def _next_hops(visit: Visit) -> list[NextHop]:
    with visit.person.traces() as traces:
        words = Words(outcome="delayed", since=_LONGEST_WAIT, tenant=visit.said("tenant"))
        try:
            return by_next_hop(traces.search(words, MOST_ON_A_PAGE).items, visit.said("domain"))
        except Refused:
            return []


def _list(visit: Visit) -> Response:
    said: dict[str, Any] = {name: visit.said(name) for name in _FILTERS}
    problem = None
    try:
        wanted = waiting_mail.choice(**said)
    except Refused as error:
        problem, wanted = error, QueueFilter()
    wrong = next((name for name, text in said.items() if problem and _is_wrong(name, text)), None)
    with visit.person.mail_of(visit.person.of_tenant) as mail:
        found = overview_record(mail.overview(wanted, _ROWS))
    return page(
        visit,
        "queue.html",
        409 if problem else 200,
        found=found,
        problem=problem,
        problem_field=wrong,
        is_filtered=any(said.values()),
        next_hops=_next_hops(visit) if found["recipients"] else (),
        states=list(RecipientState),
        rows=_ROWS,
    )


def _is_wrong(name: str, text: str | None) -> bool:
    wanted: dict[str, Any] = {name: text}
    try:
        waiting_mail.choice(**wanted)
    except Refused:
        return True
    return False


def _message(visit: Visit) -> Response:
    with visit.person.mail_of(visit.person.of_tenant) as mail:
        found = shown_record(mail.shown(visit.part["message"]))
    looked_at(visit, f"queued message {found['id']}")
    return page(visit, "queued_message.html", found=found, actions=list(Action))


def _confirm(visit: Visit) -> Response:
    """How much the action would change; the answer is the form that carries it out."""
    action, wanted, said = _decision(visit, visit.query)
    with visit.person.mail_of(visit.person.of_tenant) as mail:
        affected = mail.affected(action, wanted)
    return page(visit, "decision.html", action=action, said=said, affected=affected)


def _carry_out(visit: Visit) -> Response:
    action, wanted, said = _decision(visit, visit.form)
    with visit.person.mail_of(visit.person.of_tenant) as mail:
        mail.carry_out(action, wanted, meant=not said)
    return RedirectResponse(link("/queue", **{k: v for k, v in said.items() if k != "message_id"}), 303)


def _decision(visit: Visit, source: Mapping[str, str]) -> tuple[Action, QueueFilter, dict[str, str]]:
    try:
        action = Action(visit.part["action"])
    except ValueError:
        not_found()
    said = {name: source.get(name, "").strip() for name in ("message_id", *_FILTERS)}
    chosen: dict[str, Any] = {name: text for name, text in said.items() if text}
    return action, waiting_mail.choice(**chosen), chosen


PAGES: Final = (
    Page("/queue", Who.PEOPLE, _list),
    Page("/queue/messages/{message}", Who.PEOPLE, _message),
    Page("/queue/{action}", Who.WRITERS, _confirm),
    Page("/queue/{action}", Who.WRITERS, _carry_out, "POST"),
)
