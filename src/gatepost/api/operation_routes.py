"""What happened and what waits: sessions, the queue, the audit."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from gatepost.admin.directory import audit, routes
from gatepost.admin.queue import waiting_mail
from gatepost.admin.queue.records import overview_record, shown_record
from gatepost.api.bodies import (
    AuditShown,
    PageShown,
    QueueChanged,
    QueueChoice,
    QueueMessageShown,
    QueueShown,
    QueueState,
    SessionShown,
)
from gatepost.api.caller import Caller, CallerOf
from gatepost.api.conditional import ConditionsOf, written
from gatepost.api.names import MessageId, SessionId, TenantName, Version
from gatepost.api.paging import Page, PageOf
from gatepost.errors import NotFound
from gatepost.queue.orders import Action
from gatepost.tenancy.record import audit_record
from gatepost.tenancy.tenant import AuditEntry

router = APIRouter()

# --- sessions ---------------------------------------------------------------------------------------------------------


@router.get("/v1/sessions/{id}", response_model=SessionShown)
def why(caller: CallerOf, id: SessionId, conditions: ConditionsOf) -> Response:
    """Show what happened to a session, and why; a tenant's token shows only what concerns that tenant."""
    with caller.directory() as editor:
        return conditions.read(caller.recorded_in(editor).document(id))


# --- the queue --------------------------------------------------------------------------------------------------------

Domain = Annotated[str | None, Query(max_length=253)]
State = Annotated[QueueState | None, Query()]
Message = Annotated[str | None, Query(max_length=40, description="One message.")]
OlderThan = Annotated[str | None, Query(max_length=20, description="Such as 90s, 15m, 4h, 2d.")]
Sender = Annotated[str | None, Query(max_length=320, description="ann@contoso.com, @contoso.com or <>.")]
Limit = Annotated[int, Query(ge=0, le=500, description="How many messages.")]


@router.get("/v1/queue", response_model=QueueShown)
def list_whole_queue(
    caller: CallerOf,
    conditions: ConditionsOf,
    tenant: Annotated[str | None, Query(max_length=64)] = None,
    domain: Domain = None,
    state: State = None,
    older_than: OlderThan = None,
    sender: Sender = None,
    message_id: Message = None,
    limit: Limit = 50,
) -> Response:
    """List queued mail of all tenants (operator)."""
    caller.must_be_operator()
    said = waiting_mail.choice(
        message_id=message_id, tenant=tenant, domain=domain, state=state, older_than=older_than, sender=sender
    )
    with caller.mail_of(None) as mail:
        return conditions.read(overview_record(mail.overview(said, limit)))


@router.get("/v1/queue/messages/{message}", response_model=QueueMessageShown)
def show_any_message(caller: CallerOf, message: MessageId, conditions: ConditionsOf) -> Response:
    """Show a queued message (operator)."""
    caller.must_be_operator()
    with caller.mail_of(None) as mail:
        return conditions.read(shown_record(mail.shown(message)))


@router.get("/v1/tenants/{tenant}/queue", response_model=QueueShown)
def list_queue(
    caller: CallerOf,
    tenant: TenantName,
    conditions: ConditionsOf,
    domain: Domain = None,
    state: State = None,
    older_than: OlderThan = None,
    sender: Sender = None,
    message_id: Message = None,
    limit: Limit = 50,
) -> Response:
    """List a tenant's queued mail."""
    said = waiting_mail.choice(message_id=message_id, domain=domain, state=state, older_than=older_than, sender=sender)
    with caller.mail_of(tenant) as mail:
        return conditions.read(overview_record(mail.overview(said, limit)))


@router.get("/v1/tenants/{tenant}/queue/messages/{message}", response_model=QueueMessageShown)
def show_message(caller: CallerOf, tenant: TenantName, message: MessageId, conditions: ConditionsOf) -> Response:
    """Show a queued message, with the tenant's recipients."""
    with caller.mail_of(tenant) as mail:
        return conditions.read(shown_record(mail.shown(message)))


def _add_decisions(action: Action) -> None:
    def decide(caller: CallerOf, body: QueueChoice) -> Response:
        caller.must_be_operator()
        return _carried_out(caller, action, body, None)

    def decide_of_tenant(caller: CallerOf, tenant: TenantName, body: QueueChoice) -> Response:
        return _carried_out(caller, action, body, tenant)

    for path, endpoint, whose in (
        (f"/v1/queue/{action}", decide, "any mail (operator)"),
        (f"/v1/tenants/{{tenant}}/queue/{action}", decide_of_tenant, "a tenant's mail"),
    ):
        router.add_api_route(
            path,
            endpoint,
            methods=["POST"],
            response_model=QueueChanged,
            name=f"{action}_{endpoint.__name__}",
            description=f"{_DOES[action]}, for {whose}.",
        )


_DOES = {
    Action.RETRY: "Attempt delivery now",
    Action.HOLD: "Attempt no delivery until it is released",
    Action.RELEASE: "Deliver again what was held",
    Action.REMOVE: "Delete without notifying the sender",
    Action.BOUNCE: "Give up delivery now and notify the sender",
}

for _each in Action:
    _add_decisions(_each)


def _carried_out(caller: Caller, action: Action, body: QueueChoice, tenant: str | None) -> Response:
    said = waiting_mail.choice(
        message_id=body.message_id,
        tenant=body.tenant,
        domain=body.domain,
        state=body.state,
        older_than=body.older_than,
        sender=body.sender,
    )
    with caller.mail_of(tenant) as mail:
        return written({"recipients": mail.carry_out(action, said, meant=body.all)})


# --- the audit --------------------------------------------------------------------------------------------------------


@router.get(routes.AUDIT.of_all, response_model=PageShown[AuditShown])
def whole_audit(
    caller: CallerOf,
    page: PageOf,
    conditions: ConditionsOf,
    subject: Annotated[str | None, Query(max_length=400, description="Or the beginning of one.")] = None,
) -> Response:
    """List changes, newest first (operator)."""
    caller.must_be_operator()
    with caller.directory() as editor:
        found = editor.audit(subject=subject, before=page.after_version, limit=page.limit + 1)
        return conditions.read(_entries(page, found))


@router.get(routes.AUDITED_CHANGE.of_all, response_model=AuditShown)
def one_change(caller: CallerOf, version: Version, conditions: ConditionsOf) -> Response:
    """Show a change, before and after (operator)."""
    caller.must_be_operator()
    with caller.directory() as editor:
        return conditions.read(audit_record(audit.change(editor, version)))


@router.get(routes.AUDITED_CHANGE.of_tenant, response_model=AuditShown)
def one_change_of_tenant(caller: CallerOf, tenant: TenantName, version: Version, conditions: ConditionsOf) -> Response:
    """Show a change of a tenant's objects, before and after."""
    with caller.directory() as editor:
        owner = caller.tenant(editor, tenant)
        found = audit.changes_of(editor, owner, before=version + 1, limit=1)
        if not found or found[0].version != version:
            raise NotFound(f"there is no change {version} of yours")
        return conditions.read(audit_record(found[0]))


@router.get(routes.AUDIT.of_tenant, response_model=PageShown[AuditShown])
def audit_of_tenant(caller: CallerOf, tenant: TenantName, page: PageOf, conditions: ConditionsOf) -> Response:
    """List changes of a tenant's objects, newest first."""
    with caller.directory() as editor:
        owner = caller.tenant(editor, tenant)
        found = audit.changes_of(editor, owner, before=page.after_version, limit=page.limit + 1)
        return conditions.read(_entries(page, found))


def _entries(page: Page, found: Any) -> Any:
    def version(entry: AuditEntry) -> str:
        return str(entry.version)

    return page.of(found, version, audit_record)
