"""Coming in and going out: sign-in, the one-time link, sign-out.

Law: a link is used up by a form, not by looking, since mail filters look.
"""

from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from typing import Final

from starlette.responses import RedirectResponse, Response

from gatepost.admin.people import signing_in
from gatepost.app import open_editor
from gatepost.console.page import Page, Who
from gatepost.console.passwords import Argon2Passwords
from gatepost.console.rendering import page
from gatepost.console.visit import COOKIE, Visit
from gatepost.errors import Refused

_passwords = cache(Argon2Passwords)


def _sign_in_form(visit: Visit) -> Response:
    if visit.visitor is not None:
        return RedirectResponse(_back(visit.query.get("back", "")), 303)
    return page(visit, "sign_in.html", name="", back=visit.query.get("back", ""), problem=None)


def _sign_in(visit: Visit) -> Response:
    name, password = visit.form.get("name", "").strip(), visit.form.get("password", "")
    visit.attempts.count(name, visit.address)
    try:
        with closing(open_editor(visit.config)) as editor:
            person, secret = signing_in.sign_in(
                editor, _passwords(), name[:64], password, visit.address, datetime.now(UTC)
            )
    except Refused as error:
        return page(visit, "sign_in.html", 403, name=name, back=visit.form.get("back", ""), problem=error.said)
    visit.attempts.succeeded(person.name, visit.address)
    return _come_in(_back(visit.form.get("back", "")), secret)


def _link_form(visit: Visit) -> Response:
    token = visit.query.get("token", "")
    with closing(open_editor(visit.config)) as editor:
        person = signing_in.invited(editor, token, datetime.now(UTC))
    return page(visit, "link.html", person=person, token=token, problem=None)


def _use_link(visit: Visit) -> Response:
    token, password = visit.form.get("token", ""), visit.form.get("password", "")
    visit.attempts.count("", visit.address)
    now = datetime.now(UTC)
    who = f"person at {visit.address}"
    with closing(open_editor(visit.config, who, visit.address)) as editor:
        person = signing_in.invited(editor, token, now)
        try:
            _, secret = signing_in.set_password(editor, _passwords(), token, password, visit.address, now)
        except Refused as error:
            return page(visit, "link.html", 409, person=person, token=token, problem=error.said)
    visit.attempts.succeeded(person.name, visit.address)
    return _come_in("/", secret)


def _sign_out(visit: Visit) -> Response:
    with closing(open_editor(visit.config)) as editor:
        signing_in.sign_out(editor, visit.person.entered, datetime.now(UTC))
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return response


def _come_in(path: str, secret: str) -> Response:
    response = RedirectResponse(path, 303)
    response.set_cookie(COOKIE, secret, path="/", secure=True, httponly=True, samesite="lax")
    return response


def _back(path: str) -> str:
    """A page of ours, and nothing else."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"


PAGES: Final = (
    Page("/sign-in", Who.ANYBODY, _sign_in_form),
    Page("/sign-in", Who.ANYBODY, _sign_in, "POST"),
    Page("/link", Who.ANYBODY, _link_form),
    Page("/link", Who.ANYBODY, _use_link, "POST"),
    Page("/sign-out", Who.PEOPLE, _sign_out, "POST"),
)
