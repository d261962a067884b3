"""Sign-in with a passkey: a page that asks the device, and the form that its answer comes in."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Final

from starlette.responses import Response

from gatepost.admin.people import passkeys as use_cases
from gatepost.app import open_editor
from gatepost.console import passkeys, tickets
from gatepost.console.doors import come_in, page_of_ours
from gatepost.console.page import Page, Who
from gatepost.console.rendering import page
from gatepost.console.visit import Visit, not_found
from gatepost.errors import Refused, Said

_PURPOSE: Final = "passkey"


def _ask(visit: Visit) -> Response:
    return _asked(visit, page_of_ours(visit.query.get("back", "")))


def _asked(visit: Visit, back: str, problem: Said | None = None) -> Response:
    """Each page asks with a challenge of its own."""
    console = visit.config.console
    if console is None or not passkeys.are_possible(console):
        not_found()
    with closing(open_editor(visit.config)) as editor:
        ticket = tickets.new(editor, _PURPOSE, back=back)
    options = passkeys.request_options(console, ticket)
    response = page(visit, "passkey.html", 403 if problem else 200, options=options, state=ticket.id, problem=problem)
    ticket.give(response, datetime.now(UTC))
    return response


def _answer(visit: Visit) -> Response:
    console = visit.config.console
    assert console is not None
    visit.attempts.count_start(visit.address)
    now = datetime.now(UTC)
    answer, back = visit.form.get("answer", ""), "/"
    try:
        with closing(open_editor(visit.config)) as editor:
            ticket = tickets.opened(editor, visit.cookies, _PURPOSE, visit.form.get("state", ""), now)
            back = ticket.about["back"]
            person, secret = use_cases.sign_in(
                editor,
                passkeys.id_in(answer),
                lambda passkey: passkeys.proven_count(console, ticket, passkey, answer),
                visit.address,
                now,
            )
    except Refused as error:
        return _asked(visit, back, error.said)
    visit.attempts.succeeded(person.name, visit.address)
    response = come_in(visit, back, secret)
    ticket.forget(response)
    return response


PAGES: Final = (
    Page("/passkey", Who.ANYBODY, _ask),
    Page("/passkey", Who.ANYBODY, _answer, "POST"),
)
