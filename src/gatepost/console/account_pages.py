"""What is a person's own: their passkeys, and the sessions that are open."""

from datetime import UTC, datetime
from typing import Final

from starlette.responses import RedirectResponse, Response

from gatepost.admin.people import passkeys as use_cases
from gatepost.admin.people import people
from gatepost.console import passkeys, tickets
from gatepost.console.doors import gone_out
from gatepost.console.page import Page, Who
from gatepost.console.rendering import page
from gatepost.console.visit import Visit, not_found
from gatepost.errors import NotAllowed, Refused, Said

_PURPOSE: Final = "new-passkey"


def _account(visit: Visit) -> Response:
    console, entered = visit.config.console, visit.person.entered
    assert console is not None
    now = datetime.now(UTC)
    with visit.person.directory() as directory:
        own = directory.people.passkeys_of(entered.person.name)
        sessions = directory.people.sessions_of(entered.person.name)
    return page(
        visit,
        "account.html",
        person=entered.person,
        passkeys=own,
        are_possible=passkeys.are_possible(console),
        sessions=[each for each in sessions if each.holds_for(entered.person, now)],
        this_one=entered.session.secret_sha256,
    )


def _new_passkey(visit: Visit) -> Response:
    return _asked(visit)


def _asked(visit: Visit, label: str = "", problem: Said | None = None) -> Response:
    console, person = visit.config.console, visit.person.entered.person
    if console is None or not passkeys.are_possible(console):
        not_found()
    with visit.person.directory() as directory:
        ticket = tickets.new(directory, _PURPOSE, person=person.name)
        known = directory.people.passkeys_of(person.name)
    options = passkeys.creation_options(console, ticket, person, known)
    response = page(
        visit,
        "new_passkey.html",
        409 if problem else 200,
        options=options,
        state=ticket.id,
        label=label,
        problem=problem,
    )
    ticket.give(response, datetime.now(UTC))
    return response


def _add_passkey(visit: Visit) -> Response:
    console, person = visit.config.console, visit.person.entered.person
    assert console is not None
    now, label = datetime.now(UTC), visit.form.get("label", "").strip()
    try:
        with visit.person.directory() as directory:
            ticket = tickets.opened(directory, visit.cookies, _PURPOSE, visit.form.get("state", ""), now)
            if ticket.about["person"] != person.name:
                raise NotAllowed("this was begun by somebody else", next_step="begin again")
            made = passkeys.created(console, ticket, person, visit.form.get("answer", ""), label, now)
            use_cases.add(directory, made)
    except Refused as error:
        return _asked(visit, label, error.said)
    response = RedirectResponse("/account", 303)
    ticket.forget(response)
    return response


def _remove_passkey(visit: Visit) -> Response:
    with visit.person.directory() as directory:
        use_cases.remove(directory, visit.person.entered.person, visit.part["id"])
    return RedirectResponse("/account", 303)


def _sign_out_everywhere(visit: Visit) -> Response:
    """Here too: the one that is open somewhere else may look just like this one."""
    with visit.person.directory() as directory:
        people.end_sessions(directory, visit.person.name)
    return gone_out()


PAGES: Final = (
    Page("/account", Who.TRACERS, _account),
    Page("/account/passkeys/new", Who.TRACERS, _new_passkey),
    Page("/account/passkeys", Who.TRACERS, _add_passkey, "POST"),
    Page("/account/passkeys/{id}/remove", Who.TRACERS, _remove_passkey, "POST"),
    Page("/account/sign-out-everywhere", Who.TRACERS, _sign_out_everywhere, "POST"),
)
