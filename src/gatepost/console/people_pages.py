"""People of the console: who may come in, how, and with what they may do; a tenant's administrator sees its own.

Laws: a link is shown once, to whoever made it; nobody changes their own role, disables themselves
or lets themselves in anew.
"""

from datetime import UTC, datetime
from typing import Any, Final

from starlette.responses import RedirectResponse, Response

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.people import passkeys, people
from gatepost.console.page import Page, Who
from gatepost.console.rendering import link, page
from gatepost.console.visit import Visit, not_found
from gatepost.errors import NotAllowed, NotFound, Refused
from gatepost.tenancy.person import ActivityFilter, Person, Role

_ACTIVITIES: Final = 20
_NOT_TO_ONESELF: Final = ("role", "disable", "remove", "link")
"""A link sets a password without the one before: whoever has found an open session must not keep it by that."""


def _list(visit: Visit) -> Response:
    return _listed(visit)


def _listed(visit: Visit, refused: Refused | None = None, form: Any = None) -> Response:
    with visit.person.directory() as directory:
        every = people.every(directory, visit.person.of_tenant)
    problem = refused and (refused.said if visit.person.is_operator else refused.to_tenant)
    roles = [each for each in Role if visit.person.is_operator or each.fits(visit.person.of_tenant)]
    return page(
        visit, "people.html", 409 if refused else 200, people=every, roles=roles, problem=problem, form=form or {}
    )


def _add(visit: Visit) -> Response:
    form = {name: visit.form.get(name, "").strip() for name in ("name", "tenant", "role")}
    tenant = form["tenant"] or None if visit.person.is_operator else visit.person.of_tenant
    try:
        with visit.person.directory() as directory:
            person, secret = people.add(directory, form["name"], tenant, form["role"] or None, datetime.now(UTC))
    except Refused as error:
        return _listed(visit, error, form)
    return _with_link(visit, person, secret)


def _person(visit: Visit) -> Response:
    with visit.person.directory() as directory:
        person = _named(visit, directory)
        sessions = directory.people.sessions_of(person.name)
        own_passkeys = directory.people.passkeys_of(person.name)
        wanted = ActivityFilter(person=person.name, tenant=visit.person.of_tenant)
        activities = people.activities(directory, wanted, _ACTIVITIES)
    now = datetime.now(UTC)
    return page(
        visit,
        "person.html",
        person=person,
        sessions=[each for each in sessions if each.holds_for(person, now)],
        passkeys=own_passkeys,
        activities=activities,
        roles=[each for each in Role if each.fits(person.tenant)],
        is_self=person.name == visit.person.name,
    )


def _change(visit: Visit) -> Response:
    now = datetime.now(UTC)
    with visit.person.directory() as directory:
        person = _named(visit, directory)
        if person.name == visit.person.name and visit.part["action"] in _NOT_TO_ONESELF:
            raise NotAllowed("nobody may do this to themselves", next_step="ask another administrator")
        match visit.part["action"]:
            case "link":
                return _with_link(visit, *people.link(directory, person.name, now))
            case "role":
                people.set_role(directory, person.name, visit.form.get("role", ""))
            case "disable":
                people.disable(directory, person.name, now)
            case "enable":
                people.enable(directory, person.name)
            case "remove-passkey":
                passkeys.remove(directory, person, visit.form.get("id", ""))
            case "sign-out":
                people.end_sessions(directory, person.name)
            case "remove":
                people.remove(directory, person.name)
                return RedirectResponse("/people", 303)
            case _:
                not_found()
    return RedirectResponse(link(f"/people/{person.name}"), 303)


def _with_link(visit: Visit, person: Person, secret: str) -> Response:
    assert visit.config.console is not None
    address = f"{visit.config.console.url}{link('/link', token=secret)}"
    return page(visit, "person_link.html", person=person, address=address)


def _named(visit: Visit, directory: DirectoryEditor) -> Person:
    """Of another tenant, as of nobody."""
    name, tenant = visit.part["name"], visit.person.of_tenant
    person = people.named(directory, name)
    if tenant is not None and (person.tenant is None or person.tenant.casefold() != tenant.casefold()):
        raise NotFound(f"there is no person '{name}'", next_step="see: gatepost person list")
    return person


PAGES: Final = (
    Page("/people", Who.ADMINS, _list),
    Page("/people", Who.WRITERS, _add, "POST"),
    Page("/people/{name}", Who.ADMINS, _person),
    Page("/people/{name}/{action}", Who.WRITERS, _change, "POST"),
)
