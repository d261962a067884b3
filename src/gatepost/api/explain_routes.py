"""What would happen to a session. A question with a body: it changes nothing, and a token that may read may ask it.

Law: chains are judged for one question after the other, so no tenant asks so much that others' questions wait for it.
"""

import time
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from gatepost.admin.directory.lookups import tenant_named
from gatepost.admin.sessions.explain import explanation
from gatepost.admin.sessions.own_directory import OwnDirectory
from gatepost.admin.sessions.question import LISTENER, question
from gatepost.api.bodies import ExplanationShown, QuestionBody
from gatepost.api.caller import Caller, CallerOf
from gatepost.api.names import TenantName
from gatepost.app.admin_wiring import chain_in
from gatepost.errors import BadRequest
from gatepost.https.gate import must_not_hurry
from gatepost.https.rates import Rate
from gatepost.tenancy.directory import Directory

router = APIRouter()

_A_MINUTE = 60
_ASKED = Rate(_A_MINUTE)
"""By tenant; the operator asks as often as requests are answered."""

_OTHERS = (
    "Other tenants are not considered here. A rehearsal considers them: POST /v1/tenants/{tenant}/rehearsals, or "
    "gatepost hybrid rehearse."
)


@router.post("/v1/explain", response_model=ExplanationShown)
def explain_to_operator(caller: CallerOf, body: QuestionBody) -> Response:
    """Show what the relay would decide about a session, and why (operator)."""
    caller.must_be_operator()
    with caller.directory() as editor:
        return JSONResponse(_explained(caller, editor, body))


@router.post("/v1/tenants/{tenant}/explain", response_model=ExplanationShown)
def explain_to_tenant(caller: CallerOf, tenant: TenantName, body: QuestionBody) -> Response:
    """Show what the relay would decide about a session, considering this tenant alone, and why."""
    if body.listener is not None:
        caller.must_be_operator("listener")
    with caller.directory() as editor:
        owner = tenant_named(editor, caller.tenant(editor, tenant)).name
        if not caller.is_operator:
            must_not_hurry(_ASKED.wait_s(owner, time.monotonic()), "about what would happen, by this tenant")
        shown = _explained(caller, OwnDirectory(editor, owner), body)
        shown["warnings"] = [*shown["warnings"], _OTHERS.format(tenant=owner)]
        return JSONResponse(shown)


def _explained(caller: Caller, directory: Directory, body: QuestionBody) -> dict[str, Any]:
    listeners = [each.name for each in caller.config.listeners]
    listener = body.listener or listeners[0]
    if listener not in listeners:
        raise BadRequest(LISTENER, f" {listener}: there is none; available: {', '.join(listeners)}")
    asked = question(
        mail_from=body.mail_from,
        rcpt_to=body.rcpt_to,
        address=body.address,
        ehlo=body.ehlo,
        tls=body.tls,
        chain=chain_in(body.certificate) if body.certificate else (),
    )
    with caller.judging.relay(listener, directory) as relay:
        return explanation(relay, asked, datetime.now(UTC))
