"""The queue: how much waits and for what, the oldest first, and what may be decided about it.

Law: a decision names its mail, and says before it is carried out how many recipients it would change.
"""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import RedirectResponse, Response

from gatepost.admin.queue import waiting_mail
from gatepost.admin.queue.records import overview_record, shown_record
from gatepost.console.page import Page, Who
from gatepost.console.rendering import link, page
from gatepost.console.visit import Visit, not_found
from gatepost.console.watching import looked_at
from gatepost.errors import Refused
from gatepost.queue.message import RecipientState
from gatepost.queue.orders import Action
from gatepost.queue.store import QueueFilter

_ROWS: Final = 100
_FILTERS: Final = ("tenant", "domain", "state", "older_than", "sender")


def _list(visit: Visit) -> Response:
    said: dict[str, Any] = {name: visit.said(name) for name in _FILTERS}
    problem = None
    try:
        wanted = waiting_mail.choice(**said)
    except Refused as error:
        problem, wanted = error, QueueFilter()
    with visit.person.mail_of(visit.person.of_tenant) as mail:
        found = overview_record(mail.overview(wanted, _ROWS))
    return page(
        visit,
        "queue.html",
        409 if problem else 200,
        found=found,
        problem=problem,
        is_filtered=any(said.values()),
        states=list(RecipientState),
        rows=_ROWS,
    )


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
