"""Tenants, their domains and their connectors, with how each connector is used and when its certificate ends."""

from datetime import UTC, datetime
from itertools import islice
from typing import Final

from starlette.responses import RedirectResponse, Response

from gatepost.admin.directory import connector_use
from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.lookups import inbound_connector_named
from gatepost.admin.directory.tenants import contents
from gatepost.app import open_seen_servers
from gatepost.app.own_credentials import foreseen
from gatepost.console.connector_pages import changes_of_connector
from gatepost.console.page import Page, Who
from gatepost.console.rendering import link, page, with_query
from gatepost.console.visit import Visit

_ROWS: Final = 100


def _tenants(visit: Visit) -> Response:
    """A tenant's person has one, and is led to it."""
    person = visit.person
    if person.of_tenant is not None:
        return RedirectResponse(link(f"/tenants/{person.of_tenant}"), 303)
    with person.directory() as directory:
        tenants = list(islice(directory.all_tenants(visit.said("after") or ""), _ROWS + 1))
        shown = [contents(directory, each.name) for each in tenants[:_ROWS]]
    following = with_query(visit, after=tenants[_ROWS - 1].name) if len(tenants) > _ROWS else None
    return page(visit, "tenants.html", tenants=shown, following=following)


def _tenant(visit: Visit) -> Response:
    person = visit.person
    now = datetime.now(UTC)
    with person.directory() as directory:
        owner = person.tenant(directory, visit.part["tenant"])
        found = contents(directory, owner)
        uses = _uses(visit, directory, owner, now)
    return page(visit, "tenant.html", found=found, uses=uses, now=now)


def _connector(visit: Visit) -> Response:
    person = visit.person
    now = datetime.now(UTC)
    with person.directory() as directory:
        owner = person.tenant(directory, visit.part["tenant"])
        connector = inbound_connector_named(directory, owner, visit.part["connector"])
        use = _uses(visit, directory, owner, now).get((owner, connector.name))
        changes = changes_of_connector(visit, directory, owner, connector.name)
        ahead = [each for each in foreseen(visit.config, directory, now, owner) if each.connector == connector.name]
    saved = visit.said("saved") or ""
    latest = next((each for each in changes if saved == str(each.version)), None)
    return page(
        visit, "connector.html", connector=connector, use=use, now=now, changes=changes, saved=latest, ahead=ahead
    )


def _uses(visit: Visit, directory: DirectoryEditor, tenant: str, now: datetime) -> connector_use.Uses:
    return connector_use.by_connector(connector_use.uses(directory, open_seen_servers(visit.config), now, tenant))


PAGES: Final = (
    Page("/tenants", Who.PEOPLE, _tenants),
    Page("/tenants/{tenant}", Who.PEOPLE, _tenant),
    Page("/tenants/{tenant}/connectors/{connector:path}", Who.PEOPLE, _connector),
)
