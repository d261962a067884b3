"""Sign-in with an identity provider: the browser is sent there with a ticket, and comes back with a code.

Laws: who comes back without the ticket of this browser comes in as nobody; whatever the provider does, the page that is
shown has the form for a password.
"""

from contextlib import closing
from datetime import UTC, datetime
from typing import Final

from starlette.responses import RedirectResponse, Response

from gatepost.admin.people import signing_in
from gatepost.admin.people.recognition import IdentityProvider, recognise
from gatepost.app import open_editor
from gatepost.console import tickets
from gatepost.console.doors import come_in, page_of_ours, sign_in_page
from gatepost.console.page import Page, Who
from gatepost.console.visit import Visit, not_found
from gatepost.errors import NotAllowed, Refused

_PURPOSE: Final = "oidc"
_LONGEST: Final = 4096
"""Of a code, as of what else comes in an address."""


def _begin(visit: Visit) -> Response:
    provider = _provider(visit)
    visit.attempts.count_start(visit.address)
    back, link = page_of_ours(visit.query.get("back", "")), visit.query.get("token", "")
    now = datetime.now(UTC)
    try:
        with closing(open_editor(visit.config)) as editor:
            if link:
                signing_in.invited(editor, link, now)
            ticket = tickets.new(editor, _PURPOSE, provider=provider.provider.name, back=back, link=link[:100])
        nonce, verifier = ticket.derived_text("nonce"), ticket.derived_text("verifier")
        response = RedirectResponse(provider.address(_comes_back_to(visit), ticket.id, nonce, verifier), 303)
        ticket.give(response, now)
    except Refused as error:
        return sign_in_page(visit, 403, back=back, problem=error.said)
    return response


def _come_back(visit: Visit) -> Response:
    provider = _provider(visit)
    said = {name: visit.query.get(name, "")[:_LONGEST] for name in ("state", "code", "error")}
    now = datetime.now(UTC)
    name = provider.provider.name
    back = "/"
    try:
        with closing(open_editor(visit.config)) as editor:
            ticket = tickets.opened(editor, visit.cookies, _PURPOSE, said["state"], now)
        if ticket.about["provider"] != name:
            raise NotAllowed("this sign-in was begun with another provider", next_step="begin again")
        back = ticket.about["back"]
        if said["error"] or not said["code"]:
            why = said["error"][:100] or "it sent no code"
            raise NotAllowed(f"provider {name} did not sign you in: {why}", next_step="try again")
        nonce, verifier = ticket.derived_text("nonce"), ticket.derived_text("verifier")
        found = provider.assertion(said["code"], visit.query.get("iss"), _comes_back_to(visit), nonce, verifier)
        with closing(open_editor(visit.config, f"provider {name}", visit.address)) as editor:
            person, secret = recognise(editor, provider.provider, found, ticket.about["link"], visit.address, now)
    except Refused as error:
        return sign_in_page(visit, 403, back=back, problem=error.said)
    visit.attempts.succeeded(person.name, visit.address)
    response = come_in(visit, back, secret)
    ticket.forget(response)
    return response


def _provider(visit: Visit) -> IdentityProvider:
    return visit.providers.get(visit.part["provider"]) or not_found()


def _comes_back_to(visit: Visit) -> str:
    assert visit.config.console is not None
    return f"{visit.config.console.url}/oidc/{visit.part['provider']}/callback"


PAGES: Final = (
    Page("/oidc/{provider}", Who.ANYBODY, _begin),
    Page("/oidc/{provider}/callback", Who.ANYBODY, _come_back),
)
