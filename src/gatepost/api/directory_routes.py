"""Who asks, tenants, accepted domains."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from gatepost import __version__
from gatepost.admin.directory import domains, routes, tenants, tokens, verification
from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.lookups import domain_named
from gatepost.api.bodies import DomainBody, DomainShown, PageShown, TenantBody, TenantShown, WhoAmI
from gatepost.api.caller import Caller, CallerOf
from gatepost.api.conditional import ConditionsOf, written
from gatepost.api.names import DomainName, TenantName
from gatepost.api.objects import domain_shown
from gatepost.api.paging import PageOf
from gatepost.app.admin_wiring import txt_lookup
from gatepost.errors import NotFound
from gatepost.https.problem import Problem
from gatepost.mail.domain import DomainError, domain_key
from gatepost.tenancy.fields import time_text
from gatepost.tenancy.notation import usable_limit
from gatepost.tenancy.record import tenant_record
from gatepost.tenancy.tenant import LIMIT_NAMES, AcceptedDomain
from gatepost.tenancy.token import Scope, Token

router = APIRouter()


@router.get("/v1/whoami", response_model=WhoAmI)
def who_am_i(caller: CallerOf) -> Any:
    """Show the token's tenant and scopes, and the relay's name and version."""
    with caller.directory() as editor:
        return _who(caller, caller.token, editor.version)


@router.post("/v1/whoami/renewal", response_model=WhoAmI)
def renew_token(caller: CallerOf) -> Any:
    """Extend the token by its original lifetime. Requires the scope `renew`."""
    if Scope.RENEW not in caller.token.scopes:
        raise Problem(403, "scope-missing", "this token may not renew itself", do="use one made with --scope renew")
    with caller.directory() as editor:
        return _who(caller, tokens.renew(editor, caller.token, datetime.now(UTC)), editor.version)


def _who(caller: Caller, token: Token, version: int) -> dict[str, Any]:
    return {
        "token": token.id,
        "tenant": token.tenant,
        "operator": caller.is_operator,
        "scopes": sorted(token.scopes),
        "created_at": time_text(token.created_at),
        "expires_at": time_text(token.expires_at),
        "hostname": caller.config.hostname,
        "version": __version__,
        "directory_version": version,
        "protocol_log_folder": str(caller.config.send_log_folder.absolute()) if caller.is_operator else None,
    }


# --- tenants ----------------------------------------------------------------------------------------------------------


@router.get(routes.TENANTS.of_all, response_model=PageShown[TenantShown])
def list_tenants(caller: CallerOf, page: PageOf, conditions: ConditionsOf) -> Response:
    """List tenants by name; a tenant's token lists its own."""
    with caller.directory() as editor:
        found = editor.all_tenants(page.after) if caller.is_operator else _own_tenant(caller, editor, page.after)
        return conditions.read(page.of(found, lambda each: each.name, tenant_record))


@router.get(routes.TENANT.of_all, response_model=TenantShown)
def show_tenant(caller: CallerOf, tenant: TenantName, conditions: ConditionsOf) -> Response:
    """Show a tenant."""
    with caller.directory() as editor:
        return conditions.read(tenant_record(tenants.contents(editor, caller.tenant(editor, tenant)).tenant))


@router.put(routes.TENANT.of_all, response_model=TenantShown, responses={201: {"model": TenantShown}})
def put_tenant(caller: CallerOf, tenant: TenantName, body: TenantBody, conditions: ConditionsOf) -> Response:
    """Create or change a tenant (operator)."""
    caller.must_be_operator()
    with caller.directory() as editor, editor.change():
        existing = editor.tenant(tenant)
        conditions.must_hold(existing and tenant_record(existing))
        if existing is None:
            tenants.add(editor, tenant, datetime.now(UTC))
        made = tenants.change(
            editor, tenant, contact=body.contact or "", trace_subject=body.trace_subject, limits=_limits(body)
        )
        return written(tenant_record(made), created=existing is None)


@router.delete(routes.TENANT.of_all, status_code=204, response_class=Response)
def remove_tenant(
    caller: CallerOf,
    tenant: TenantName,
    conditions: ConditionsOf,
    with_holding: Annotated[bool, Query(description="Its domains and connectors too.")] = False,
) -> None:
    """Remove a tenant (operator)."""
    caller.must_be_operator()
    with caller.directory() as editor, editor.change():
        found = tenants.contents(editor, tenant)
        conditions.must_hold(tenant_record(found.tenant))
        tenants.remove(editor, tenant, with_contents=with_holding)


def _limits(body: TenantBody) -> dict[str, int | None]:
    """All that a tenant may have, where the body says any."""
    if body.limits is None:
        return {}
    return {**dict.fromkeys(LIMIT_NAMES), **{name: usable_limit(name, limit) for name, limit in body.limits.items()}}


def _own_tenant(caller: Caller, editor: DirectoryEditor, after: str) -> Any:
    own = editor.tenant(caller.of_tenant or "")
    return [own] if own and own.name > after else []


# --- domains ----------------------------------------------------------------------------------------------------------


@router.get(routes.DOMAINS.of_all, response_model=PageShown[DomainShown])
def list_all_domains(caller: CallerOf, page: PageOf, conditions: ConditionsOf) -> Response:
    """List accepted domains of all tenants; with a tenant's token, its own."""
    with caller.directory() as editor:
        found = editor.all_domains(caller.of_tenant, page.after)
        return conditions.read(page.of(found, _name_of_claim if caller.is_operator else _name_of, domain_shown))


@router.get(routes.DOMAIN.of_all, response_model=DomainShown)
def find_domain(caller: CallerOf, domain: DomainName, conditions: ConditionsOf) -> Response:
    """Show an accepted domain: the owner's, or the only claim to it; with a tenant's token, its own."""
    with caller.directory() as editor:
        if caller.is_operator:
            return conditions.read(domain_shown(domain_named(editor, domain)))
        return conditions.read(domain_shown(_visible(editor, domain, caller.of_tenant or "")))


@router.get(routes.DOMAINS.of_tenant, response_model=PageShown[DomainShown])
def list_domains(caller: CallerOf, tenant: TenantName, page: PageOf, conditions: ConditionsOf) -> Response:
    """List the accepted domains of a tenant."""
    with caller.directory() as editor:
        found = editor.all_domains(caller.tenant(editor, tenant), page.after)
        return conditions.read(page.of(found, _name_of, domain_shown))


@router.get(routes.DOMAIN.of_tenant, response_model=DomainShown)
def show_domain(caller: CallerOf, tenant: TenantName, domain: DomainName, conditions: ConditionsOf) -> Response:
    """Show an accepted domain, with the TXT record that proves it."""
    with caller.directory() as editor:
        return conditions.read(domain_shown(_visible(editor, domain, caller.tenant(editor, tenant))))


@router.put(routes.DOMAIN.of_tenant, response_model=DomainShown, responses={201: {"model": DomainShown}})
def put_domain(
    caller: CallerOf, tenant: TenantName, domain: DomainName, body: DomainBody, conditions: ConditionsOf
) -> Response:
    """Add or change a domain. It takes effect once it is verified."""
    at = datetime.now(UTC)
    with caller.directory() as editor, editor.change():
        owner = caller.tenant(editor, tenant)
        existing = _found(editor, domain, owner)
        conditions.must_hold(existing and domain_shown(existing))
        stands = existing is not None and existing.verified
        verified = None if body.verified is None or body.verified is stands else body.verified
        if verified is not None:
            caller.must_be_operator("verified")
        if existing is None:
            made = domains.add(
                editor, owner, domain, match_subdomains=body.match_subdomains, verified=bool(verified), at=at
            )
        else:
            said = {"match_subdomains": body.match_subdomains, "verified": verified}
            made = domains.change(editor, existing.domain, **said, at=at, tenant=owner)
        return written(domain_shown(made.domain, _warnings(caller, made)), created=existing is None)


@router.delete(routes.DOMAIN.of_tenant, status_code=204, response_class=Response)
def remove_domain(caller: CallerOf, tenant: TenantName, domain: DomainName, conditions: ConditionsOf) -> None:
    """Remove a domain from a tenant."""
    with caller.directory() as editor, editor.change():
        existing = _visible(editor, domain, caller.tenant(editor, tenant))
        conditions.must_hold(domain_shown(existing))
        domains.remove(editor, existing.domain, existing.tenant)


@router.post(routes.DOMAIN_VERIFICATION.of_tenant, response_model=DomainShown)
def verify_domain(caller: CallerOf, tenant: TenantName, domain: DomainName) -> Response:
    """Check the TXT record in DNS now."""
    with caller.directory() as editor:
        existing = _visible(editor, domain, caller.tenant(editor, tenant))
        lookup = txt_lookup(caller.config)
        at = datetime.now(UTC)
        made = asyncio.run(verification.verify(editor, lookup, existing.domain, at, existing.tenant))
        return written(domain_shown(made.domain, _warnings(caller, made)))


@router.delete(routes.DOMAIN_VERIFICATION.of_tenant, response_model=DomainShown)
def give_verification_up(caller: CallerOf, tenant: TenantName, domain: DomainName) -> Response:
    """Revoke the verification; the domain and its TXT record stay as they are."""
    with caller.directory() as editor:
        existing = _visible(editor, domain, caller.tenant(editor, tenant))
        made = verification.give_up(editor, existing.domain, datetime.now(UTC), existing.tenant)
        return written(domain_shown(made.domain, _warnings(caller, made)))


def _name_of(domain: AcceptedDomain) -> str:
    return domain.domain


def _name_of_claim(domain: AcceptedDomain) -> str:
    """Among those of all tenants."""
    return f"{domain.domain}/{domain.tenant}"


def _found(editor: DirectoryEditor, name: str, tenant: str) -> AcceptedDomain | None:
    """The tenant's own."""
    try:
        return editor.accepted_domain(domain_key(name), tenant)
    except DomainError:
        return None


def _visible(editor: DirectoryEditor, name: str, tenant: str) -> AcceptedDomain:
    found = _found(editor, name, tenant)
    if found is None:
        raise NotFound(f"there is no accepted domain '{name}'")
    return found


def _warnings(caller: Caller, made: domains.DomainChange) -> list[str]:
    own = f"{caller.of_tenant}/"
    stopped = [each for each in made.stopped if caller.is_operator or each.startswith(own)]
    return [domains.stopped_warning(stopped)] if stopped else []
