"""The trace: what happened to mail, accepted and refused. A tenant reads what concerns it."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from gatepost.admin.trace.choice import Words
from gatepost.admin.trace.tracing import MOST_ON_A_PAGE
from gatepost.api.bodies import TraceOutcome, TracePageShown, TraceStoryShown
from gatepost.api.caller import CallerOf
from gatepost.api.conditional import ConditionsOf
from gatepost.errors import BadRequest
from gatepost.https.problem import Problem

router = APIRouter()

Text = Annotated[str | None, Query(max_length=1000)]
When = Annotated[str | None, Query(max_length=40, description="2026-12-01T10:00 (UTC), or an age: 90s, 4h, 2d.")]


@router.get("/v1/trace", response_model=TracePageShown)
def search_trace(
    caller: CallerOf,
    conditions: ConditionsOf,
    mail_from: Annotated[str | None, Query(alias="from", max_length=1000, description="Sender, or <>.")] = None,
    rcpt_to: Annotated[str | None, Query(alias="to", max_length=1000, description="Recipient.")] = None,
    domain: Annotated[str | None, Query(max_length=253, description="Of the sender or the recipient.")] = None,
    message_id: Text = None,
    subject: Text = None,
    tenant: Annotated[str | None, Query(max_length=64)] = None,
    address: Annotated[str | None, Query(max_length=64, description="Of the sending server.")] = None,
    certificate: Annotated[str | None, Query(max_length=255, description="A name in it, or a SHA-256.")] = None,
    outcome: Annotated[TraceOutcome | None, Query()] = None,
    reason: Annotated[str | None, Query(max_length=100, description="Code of a refusal.")] = None,
    since: When = None,
    until: When = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ON_A_PAGE, description="How many.")] = 100,
    cursor: Annotated[str | None, Query(max_length=1000, description="`next` of the page before.")] = None,
) -> Response:
    """List mail, newest first, one item for each recipient; with a tenant's token, its own.

    Its own is also refused mail that bears its domain, certificate or address."""
    words = Words(
        mail_from=mail_from,
        rcpt_to=rcpt_to,
        domain=domain,
        message_id=message_id,
        subject=subject,
        tenant=tenant,
        address=address,
        certificate=certificate,
        outcome=outcome,
        reason=reason,
        since=since,
        until=until,
    )
    with caller.traces() as traces:
        try:
            page = traces.search(words, limit, cursor)
        except BadRequest as error:
            if error.code != "bad-cursor":
                raise
            raise Problem(400, error.code, str(error.said.message[-1]).lstrip(": "), field="cursor") from None
    problems = page.damaged if caller.is_operator else ["part of the trace cannot be read"] * bool(page.damaged)
    return conditions.read({"items": page.items, "next": page.next, "problems": list(problems)})


@router.get("/v1/trace/{id:path}", response_model=TraceStoryShown)
def show_trace(
    caller: CallerOf,
    id: Annotated[str, Path(max_length=2000, description="Of an item, a session, or a message; a reply.")],
    conditions: ConditionsOf,
) -> Response:
    """Show a message, a recipient or a session, event by event."""
    with caller.traces() as traces:
        return conditions.read(traces.story(id))
