"""Signing keys of tenants' domains. The private half can be sent and is never shown."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from gatepost.admin.directory import routes
from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.signing import keys
from gatepost.api.bodies import PageShown, RecordLookedFor, SigningKeyBody, SigningKeyShown, SigningKeysStopped
from gatepost.api.caller import Caller, CallerOf
from gatepost.api.conditional import ConditionsOf, written
from gatepost.api.names import DomainName, Selector, TenantName
from gatepost.api.paging import Page, PageOf
from gatepost.app.admin_wiring import every_name_server
from gatepost.tenancy.record import signing_key_shown
from gatepost.tenancy.signing_key import SigningKey

router = APIRouter()


@router.get(routes.SIGNING_KEYS.of_all, response_model=PageShown[SigningKeyShown])
def list_all_signing_keys(caller: CallerOf, page: PageOf, conditions: ConditionsOf) -> Response:
    """List signing keys of all tenants; with a tenant's token, its own."""
    with caller.directory() as editor:
        return conditions.read(_listed(editor, caller.of_tenant, page))


@router.get(routes.SIGNING_KEYS.of_tenant, response_model=PageShown[SigningKeyShown])
def list_signing_keys(caller: CallerOf, tenant: TenantName, page: PageOf, conditions: ConditionsOf) -> Response:
    """List the signing keys of a tenant."""
    with caller.directory() as editor:
        return conditions.read(_listed(editor, caller.tenant(editor, tenant), page))


@router.get(routes.SIGNING_KEY.of_tenant, response_model=SigningKeyShown)
def show_signing_key(
    caller: CallerOf, tenant: TenantName, domain: DomainName, selector: Selector, conditions: ConditionsOf
) -> Response:
    """Show a signing key with its TXT record."""
    with caller.directory() as editor:
        return conditions.read(signing_key_shown(_key(caller, editor, tenant, domain, selector)))


@router.put(routes.SIGNING_KEY.of_tenant, response_model=SigningKeyShown, status_code=201)
def make_signing_key(
    caller: CallerOf, tenant: TenantName, domain: DomainName, selector: Selector, body: SigningKeyBody
) -> Response:
    """Make a signing key; it signs once it is activated. One that exists is not changed."""
    with caller.directory() as editor:
        owner = caller.tenant(editor, tenant)
        pair = keys.pair_for(body.algorithm, (body.private_key.encode(), "private_key") if body.private_key else None)
        made = keys.add(
            editor,
            caller.config.hostname,
            owner,
            domain,
            selector=selector,
            pair=pair,
            rotate_days=body.rotate_days,
            at=datetime.now(UTC),
        )
        return written(signing_key_shown(made), created=True)


@router.delete(routes.SIGNING_KEY.of_tenant, status_code=204, response_class=Response)
def remove_signing_key(caller: CallerOf, tenant: TenantName, domain: DomainName, selector: Selector) -> None:
    """Remove a signing key that signs nothing."""
    with caller.directory() as editor:
        keys.remove(editor, _key(caller, editor, tenant, domain, selector))


@router.get(routes.SIGNING_KEY_RECORD.of_tenant, response_model=RecordLookedFor)
def look_for_record(caller: CallerOf, tenant: TenantName, domain: DomainName, selector: Selector) -> Any:
    """Ask DNS for the record now, every name server of the zone."""
    with caller.directory() as editor:
        published = _looked_for(caller, _key(caller, editor, tenant, domain, selector))
    why_not = published.why_not
    return {"record": published.key.record_name, "published": why_not is None, "why_not": why_not}


@router.post(routes.SIGNING_KEY_ACTIVATION.of_tenant, response_model=SigningKeysStopped)
def activate_signing_key(caller: CallerOf, tenant: TenantName, domain: DomainName, selector: Selector) -> Response:
    """Sign with the key from now on, if DNS shows its record. Others of its kind stop signing."""
    with caller.directory() as editor:
        published = _looked_for(caller, _key(caller, editor, tenant, domain, selector))
        active, stopped = keys.activate(editor, published, datetime.now(UTC))
        return written({"key": signing_key_shown(active), "stopped": [each.selector for each in stopped]})


@router.delete(routes.SIGNING_KEY_ACTIVATION.of_tenant, response_model=SigningKeyShown)
def retire_signing_key(caller: CallerOf, tenant: TenantName, domain: DomainName, selector: Selector) -> Response:
    """Stop signing with the key. Its record must stay in DNS until mail signed with it has gone."""
    with caller.directory() as editor:
        key = _key(caller, editor, tenant, domain, selector)
        return written(signing_key_shown(keys.retire(editor, key, datetime.now(UTC))[0]))


def _listed(editor: DirectoryEditor, tenant: str | None, page: Page) -> dict[str, Any]:
    found = sorted(editor.signing_keys.every(tenant), key=_place)
    return page.of((each for each in found if _place(each) > page.after), _place, signing_key_shown)


def _place(key: SigningKey) -> str:
    """In the list."""
    return "\n".join((key.tenant or "", key.domain, key.selector))


def _key(caller: Caller, editor: DirectoryEditor, tenant: str, domain: str, selector: str) -> SigningKey:
    return keys.named(editor, caller.tenant(editor, tenant), domain, selector)


def _looked_for(caller: Caller, key: SigningKey) -> keys.Published:
    return asyncio.run(keys.look(every_name_server(caller.config), key))
