"""A ticket is of its browser and its purpose, for ten minutes, and once; every console takes it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from typing import Any

import pytest
from starlette.responses import Response

from gatepost.console import tickets
from gatepost.console.tickets import LIFETIME, Ticket
from gatepost.errors import NotAllowed

AT = datetime(2026, 1, 2, tzinfo=UTC)


def given(console: Any, **about: str) -> tuple[Ticket, dict[str, str]]:
    with console.editor() as editor:
        ticket = tickets.new(editor, "oidc", **about)
    response = Response()
    ticket.give(response, AT)
    cookies = SimpleCookie(response.headers["set-cookie"])
    for attribute in ("HttpOnly", "Secure", "SameSite=lax", "Max-Age=600", "Path=/", "__Host-gatepost-oidc-"):
        assert attribute in response.headers["set-cookie"]
    return ticket, {name: morsel.value for name, morsel in cookies.items()}


def opened(
    console: Any,
    cookies: Mapping[str, str],
    id: str,
    *,
    purpose: str = "oidc",
    at: datetime = AT + timedelta(minutes=1),
) -> Ticket:
    with console.editor() as editor:
        return tickets.opened(editor, cookies, purpose, id, at)


def test_a_ticket_opens_once_for_another_process_too(console: Any) -> None:
    ticket, cookies = given(console, back="/trace?x=ü")
    found = opened(console, cookies, ticket.id)
    assert found == ticket and found.about == {"back": "/trace?x=ü"}
    assert found.derived_text("nonce") == ticket.derived_text("nonce") != ticket.derived_text("verifier")
    with pytest.raises(NotAllowed, match="finished already"):
        opened(console, cookies, ticket.id)


def test_two_tabs_do_not_meet(console: Any) -> None:
    (first, one), (second, two) = given(console, back="/a"), given(console, back="/b")
    cookies = {**one, **two}
    assert len(cookies) == 2
    assert opened(console, cookies, second.id).about["back"] == "/b"
    assert opened(console, cookies, first.id).about["back"] == "/a"


def test_nothing_secret_stands_in_it(console: Any) -> None:
    ticket, cookies = given(console)
    (text,) = cookies.values()
    assert ticket.derived_text("verifier") not in text and ticket.key.hex() not in repr(ticket)


def test_another_browser_purpose_time_or_text_does_not_open(console: Any) -> None:
    ticket, cookies = given(console)
    ((name, text),) = cookies.items()
    refused: list[tuple[dict[str, str], dict[str, Any]]] = [
        ({}, {}),
        ({name: ""}, {}),
        ({name: text[:-1] + ("0" if text[-1] != "0" else "1")}, {}),
        ({name: "x" + text}, {}),
        ({name: text.replace(".", "..")}, {}),
        ({name: "é.é"}, {}),
        (cookies, {"at": AT + LIFETIME}),
        (cookies, {"at": AT - timedelta(seconds=1)}),
        (cookies, {"purpose": "passkey"}),
        ({name.replace("oidc", "passkey"): text}, {"purpose": "passkey"}),
    ]
    for kept, said in refused:
        with pytest.raises(NotAllowed, match="begin again"):
            opened(console, kept, ticket.id, **said)
    other, _ = given(console)
    with pytest.raises(NotAllowed):
        opened(console, cookies, other.id)
    assert opened(console, cookies, ticket.id)


def test_what_no_cookie_holds_is_refused(console: Any) -> None:
    with console.editor() as editor, pytest.raises(NotAllowed, match="too long"):
        tickets.new(editor, "oidc", back="/" + "x" * 5000).give(Response(), AT)
