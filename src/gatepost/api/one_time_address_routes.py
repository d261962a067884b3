"""Rehearsals and enrolments."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.enrolment import one_time_addresses, proofs
from gatepost.admin.sessions.tenant_view import own_verdict
from gatepost.api.bodies import EnrolmentShown, PageShown, ProofShown, RehearsalBody, RehearsalShown
from gatepost.api.caller import Caller, CallerOf
from gatepost.api.conditional import ConditionsOf, written
from gatepost.api.names import OneTimeAddressId, Pin, TenantName
from gatepost.app.admin_wiring import certificate_facts
from gatepost.tenancy.fields import Record
from gatepost.tenancy.one_time_address import OneTimeAddress, Purpose

router = APIRouter()


@router.post("/v1/tenants/{tenant}/rehearsals", status_code=201, response_model=RehearsalShown)
def make_rehearsal(caller: CallerOf, tenant: TenantName, body: RehearsalBody) -> Response:
    """Create a one-time address; a session that names it is recorded, accepts nothing and changes nothing."""
    envelopes = [(each.mail_from, each.rcpt_to) for each in body.envelopes]
    with caller.directory() as editor:
        owner = caller.tenant(editor, tenant)
        made = one_time_addresses.make(editor, owner, Purpose.REHEARSAL, datetime.now(UTC), envelopes)
        return written(_rehearsal_shown(caller, editor, made), created=True)


@router.get("/v1/tenants/{tenant}/rehearsals/{id}", response_model=RehearsalShown)
def show_rehearsal(caller: CallerOf, tenant: TenantName, id: OneTimeAddressId, conditions: ConditionsOf) -> Response:
    """Show what the session presented, and what the relay would decide about it now."""
    with caller.directory() as editor:
        found = one_time_addresses.found(editor, caller.tenant(editor, tenant), Purpose.REHEARSAL, id)
        return conditions.read(_rehearsal_shown(caller, editor, found))


@router.post("/v1/tenants/{tenant}/enrolments", status_code=201, response_model=EnrolmentShown)
def make_enrolment(caller: CallerOf, tenant: TenantName) -> Response:
    """Create a one-time address; one message to it, in a session with the EHLO name `ehlo`, proves the server's key."""
    with caller.directory() as editor:
        owner = caller.tenant(editor, tenant)
        made = one_time_addresses.make(editor, owner, Purpose.ENROLMENT, datetime.now(UTC))
        return written(_enrolment_shown(caller, editor, made), created=True)


@router.get("/v1/tenants/{tenant}/enrolments", response_model=PageShown[EnrolmentShown])
def list_enrolments(caller: CallerOf, tenant: TenantName, conditions: ConditionsOf) -> Response:
    """List recent enrolments, newest first."""
    with caller.directory() as editor:
        found = editor.one_time_addresses(caller.tenant(editor, tenant), Purpose.ENROLMENT)
        shown = [_enrolment_shown(caller, editor, each) for each in found]
        return conditions.read({"items": shown, "next": None})


@router.get("/v1/tenants/{tenant}/enrolments/{id}", response_model=EnrolmentShown)
def show_enrolment(caller: CallerOf, tenant: TenantName, id: OneTimeAddressId, conditions: ConditionsOf) -> Response:
    """Show what the session presented, what that proved, and the connector that it suggests."""
    with caller.directory() as editor:
        found = one_time_addresses.found(editor, caller.tenant(editor, tenant), Purpose.ENROLMENT, id)
        return conditions.read(_enrolment_shown(caller, editor, found))


def _rehearsal_shown(caller: Caller, editor: DirectoryEditor, one_time_address: OneTimeAddress) -> Record:
    shown = one_time_addresses.shown(one_time_address, caller.config.hostname, datetime.now(UTC))
    return {**shown, "verdicts": _verdicts(caller, editor, one_time_address)}


def _verdicts(caller: Caller, editor: DirectoryEditor, one_time_address: OneTimeAddress) -> list[dict[str, Any]]:
    seen: Mapping[str, Any] | None = one_time_address.seen
    if seen is None:
        return []
    at = datetime.now(UTC)
    with caller.judging.relay(seen["listener"], editor) as relay:
        found = one_time_addresses.verdicts(editor, one_time_address, relay, certificate_facts, at)
    return [each.record if caller.is_operator else own_verdict(each.record, one_time_address.tenant) for each in found]


def _enrolment_shown(caller: Caller, editor: DirectoryEditor, one_time_address: OneTimeAddress) -> Record:
    return one_time_addresses.enrolment_shown(
        editor, one_time_address, caller.config.hostname, datetime.now(UTC), for_tenant=not caller.is_operator
    )


@router.get("/v1/tenants/{tenant}/proofs", response_model=PageShown[ProofShown])
def list_proofs(caller: CallerOf, tenant: TenantName, conditions: ConditionsOf) -> Response:
    """List the pins that the tenant's servers have proven, and whether each is valid."""
    with caller.directory() as editor:
        found = proofs.every(editor, caller.tenant(editor, tenant), datetime.now(UTC))
        return conditions.read({"items": [each.record for each in found], "next": None})


@router.delete("/v1/tenants/{tenant}/proofs/{pin}", status_code=204)
def take_back_proof(caller: CallerOf, tenant: TenantName, pin: Pin) -> Response:
    """Revoke a proof: the pin counts like an address from now on."""
    with caller.directory() as editor:
        proofs.take_back(editor, caller.tenant(editor, tenant), pin, datetime.now(UTC))
    return Response(status_code=204)
