"""Coming in and going out: sign-in, the one-time link, sign-out.

Law: a link is used up by a form, not by looking, since mail filters look.
"""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from typing import Final

from starlette.responses import RedirectResponse, Response

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.people import signing_in
from gatepost.app import open_editor
from gatepost.console.page import Page, Who
from gatepost.console.passkeys import are_possible
from gatepost.console.passwords import Argon2Passwords
from gatepost.console.rendering import link, page
from gatepost.console.visit import COOKIE, Visit
from gatepost.errors import Refused, Said
from gatepost.tenancy.person import Person

_passwords = cache(Argon2Passwords)


def _sign_in_form(visit: Visit) -> Response:
    if visit.visitor is not None:
        return RedirectResponse(page_of_ours(visit.query.get("back", "")), 303)
    return sign_in_page(visit, back=visit.query.get("back", ""))


def _sign_in(visit: Visit) -> Response:
    name, password = visit.form.get("name", "").strip(), visit.form.get("password", "")
    visit.attempts.count(name, visit.address)
    try:
        with closing(open_editor(visit.config)) as editor:
            person, secret = signing_in.sign_in(
                editor, _passwords(), name[:64], password, visit.address, datetime.now(UTC)
            )
    except Refused as error:
        return sign_in_page(visit, 403, name=name, back=visit.form.get("back", ""), problem=error.said)
    visit.attempts.succeeded(person.name, visit.address)
    return come_in(visit, page_of_ours(visit.form.get("back", "")), secret)


def _link_form(visit: Visit) -> Response:
    token = visit.query.get("token", "")
    with closing(open_editor(visit.config)) as editor:
        person = signing_in.invited(editor, token, datetime.now(UTC))
        return _link_page(visit, editor, person, token)


def _link_page(
    visit: Visit, editor: DirectoryEditor, person: Person, token: str, status: int = 200, problem: Said | None = None
) -> Response:
    return page(
        visit,
        "link.html",
        status,
        person=person,
        token=token,
        problem=problem,
        passkeys=editor.people.passkeys_of(person.name),
        elsewhere=elsewhere(visit, token=token),
    )


def _use_link(visit: Visit) -> Response:
    token, password = visit.form.get("token", ""), visit.form.get("password", "")
    visit.attempts.count_start(visit.address)
    now = datetime.now(UTC)
    with closing(open_editor(visit.config)) as editor:
        person = signing_in.invited(editor, token, now)
    with closing(open_editor(visit.config, f"person {person.name}", visit.address)) as editor:
        try:
            _, secret = signing_in.set_password(editor, _passwords(), token, password, visit.address, now)
        except Refused as error:
            return _link_page(visit, editor, person, token, 409, error.said)
    visit.attempts.succeeded(person.name, visit.address)
    return come_in(visit, "/", secret)


def _sign_out(visit: Visit) -> Response:
    with closing(open_editor(visit.config)) as editor:
        signing_in.sign_out(editor, visit.person.entered, datetime.now(UTC))
    return gone_out()


def gone_out() -> Response:
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return response


def sign_in_page(
    visit: Visit, status: int = 200, *, name: str = "", back: str, problem: Said | None = None
) -> Response:
    return page(
        visit,
        "sign_in.html",
        status,
        name=name,
        back=back,
        problem=problem,
        elsewhere=elsewhere(visit, back=back),
        passkey=_passkey_address(visit, back),
    )


def _passkey_address(visit: Visit, back: str) -> str | None:
    console = visit.config.console
    return f"{console.url}{link('/passkey', back=back)}" if console and are_possible(console) else None


def elsewhere(visit: Visit, **said: str) -> Sequence[tuple[str, str]]:
    """The providers by name, each with the address where a sign-in begins: on the host that its cookie is for."""
    assert visit.config.console is not None
    url = visit.config.console.url
    return [(name, f"{url}{link(f'/oidc/{name}', **said)}") for name in visit.providers]


def come_in(visit: Visit, path: str, secret: str) -> Response:
    """A session that was used in this browser before ends."""
    if visit.visitor is not None:
        with closing(open_editor(visit.config)) as editor:
            signing_in.sign_out(editor, visit.person.entered, datetime.now(UTC))
    response = RedirectResponse(path, 303)
    response.set_cookie(COOKIE, secret, path="/", secure=True, httponly=True, samesite="lax")
    return response


def page_of_ours(path: str) -> str:
    """A page of ours, and nothing else."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"


PAGES: Final = (
    Page("/sign-in", Who.ANYBODY, _sign_in_form),
    Page("/sign-in", Who.ANYBODY, _sign_in, "POST"),
    Page("/link", Who.ANYBODY, _link_form),
    Page("/link", Who.ANYBODY, _use_link, "POST"),
    Page("/sign-out", Who.TRACERS, _sign_out, "POST"),
)
