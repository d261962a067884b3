"""What happened and what waits: sessions, the queue, the audit."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from gatepost.admin.directory import audit, routes
from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.lookups import tenant_named
from gatepost.admin.queue import waiting_mail
from gatepost.admin.queue.records import overview_record, shown_record
from gatepost.admin.sessions.tenant_view import own_recipients, own_record
from gatepost.admin.sessions.why import NoSessionId, SessionNotFound, document, session_id_in
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
from gatepost.app import open_queue_admin, open_sessions
from gatepost.errors import BadRequest, NotFound, Said
from gatepost.mail.domain import DomainError, domain_key
from gatepost.queue.message import QueuedMessage, QueuedRecipient
from gatepost.queue.orders import Action
from gatepost.queue.store import QueueAdmin, QueueFilter
from gatepost.tenancy.record import audit_record
from gatepost.tenancy.tenant import AuditEntry, Tenant

router = APIRouter()

# --- sessions ---------------------------------------------------------------------------------------------------------


@router.get("/v1/sessions/{id}", response_model=SessionShown)
def why(caller: CallerOf, id: SessionId, conditions: ConditionsOf) -> Response:
    """Show what happened to a session, and why; a tenant's token shows only what concerns that tenant."""
    session_id = session_id_in(id)
    if isinstance(session_id, NoSessionId):
        raise NotFound(str(session_id))
    sessions = open_sessions(caller.config)
    record = sessions.find(session_id)
    if record is not None and not caller.is_operator:
        record = _own(caller, record)
    if record is None:
        oldest = sessions.oldest() if caller.is_operator else None
        missing = SessionNotFound(session_id=session_id, what="session records", oldest=oldest)
        raise NotFound(
            missing.message,
            next_step=missing.next_step,
            to_tenant=Said(message=f"there is no session {session_id} of yours"),
        )
    return conditions.read(document(record))


def _own(caller: Caller, record: Any) -> dict[str, Any] | None:
    tenant = caller.token.tenant
    assert tenant is not None
    at = datetime.fromisoformat(record["at"])
    with caller.directory() as editor:
        began = audit.began(editor, tenant)
        if began and at < began:
            return None
        return own_record(record, tenant, lambda path: _is_of(editor, tenant, path, at))


def _is_of(editor: DirectoryEditor, tenant: str, path: str, at: datetime) -> bool:
    """Whether the domain is the tenant's and was when the session was held: before, it may have been another's."""
    try:
        owner = editor.covering_domain(domain_key(path.rpartition("@")[2]))
    except DomainError:
        return False
    return owner is not None and owner.tenant == tenant and not (owner.verified_at and at < owner.verified_at)


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
    wanted = waiting_mail.choice(
        message_id=message_id, tenant=tenant, domain=domain, state=state, older_than=older_than, sender=sender
    )
    return conditions.read(overview_record(waiting_mail.overview(_admin(caller), wanted, limit)))


@router.get("/v1/queue/messages/{message}", response_model=QueueMessageShown)
def show_any_message(caller: CallerOf, message: MessageId, conditions: ConditionsOf) -> Response:
    """Show a queued message (operator)."""
    caller.must_be_operator()
    return conditions.read(shown_record(waiting_mail.shown(_admin(caller), message)))


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
    owner = _tenant(caller, tenant)
    wanted = waiting_mail.choice(
        message_id=message_id,
        tenant=owner.name,
        received_since=owner.created_at.timestamp(),
        domain=domain,
        state=state,
        older_than=older_than,
        sender=sender,
    )
    found = waiting_mail.overview(_admin(caller), wanted, limit)
    return conditions.read(overview_record(replace(found, first=_told(caller, owner, found.first))))


@router.get("/v1/tenants/{tenant}/queue/messages/{message}", response_model=QueueMessageShown)
def show_message(caller: CallerOf, tenant: TenantName, message: MessageId, conditions: ConditionsOf) -> Response:
    """Show a queued message, with the tenant's recipients."""
    owner = _tenant(caller, tenant)
    found = waiting_mail.shown(_admin(caller), message)
    own = [each for each in found.recipients if each.tenant == owner.name]
    if not own or found.message.received_at < owner.created_at.timestamp():
        raise NotFound(f"message {message} is not in the queue: it is done with, or was removed")
    told = [recipient for _, recipient in _told(caller, owner, [(found.message, each) for each in own])]
    return conditions.read(shown_record(replace(found, recipients=told)))


_Waiting = tuple[QueuedMessage, QueuedRecipient]


def _told(caller: Caller, owner: Tenant, found: Sequence[_Waiting]) -> list[_Waiting]:
    """To the tenant; an operator reads all."""
    if caller.is_operator:
        return list(found)
    with caller.directory() as editor:
        return own_recipients(editor, owner.name, found)


def _add_decisions(action: Action) -> None:
    def decide(caller: CallerOf, body: QueueChoice) -> Response:
        caller.must_be_operator()
        said = _choice(body, body.tenant)
        return _carried_out(caller, action, said, is_everything=said == QueueFilter(), meant=body.all)

    def decide_of_tenant(caller: CallerOf, tenant: TenantName, body: QueueChoice) -> Response:
        owner = _tenant(caller, tenant)
        said = _choice(body, owner.name)
        wanted = replace(said, received_since=owner.created_at.timestamp())
        return _carried_out(
            caller, action, wanted, is_everything=said == QueueFilter(tenant=owner.name), meant=body.all
        )

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


def _choice(body: QueueChoice, tenant: str | None) -> QueueFilter:
    return waiting_mail.choice(
        message_id=body.message_id,
        tenant=tenant,
        domain=body.domain,
        state=body.state,
        older_than=body.older_than,
        sender=body.sender,
    )


def _carried_out(caller: Caller, action: Action, wanted: QueueFilter, *, is_everything: bool, meant: bool) -> Response:
    if is_everything is not meant:
        raise BadRequest("choose the mail: message_id, domain, state, older_than, sender, or all alone")
    with caller.directory() as editor:
        changed = waiting_mail.carry_out(_admin(caller), editor, action, wanted, time.time())
    return written({"recipients": changed})


def _tenant(caller: Caller, name: str) -> Tenant:
    """Mail from before it was created is an earlier tenant's of the name."""
    with caller.directory() as editor:
        return tenant_named(editor, caller.tenant(editor, name))


def _admin(caller: Caller) -> QueueAdmin:
    return open_queue_admin(caller.config, who=f"token {caller.token.id}")


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
