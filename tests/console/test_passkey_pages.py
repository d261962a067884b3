"""Sign-in with a passkey, and what an answer must hold."""

from typing import Any

import pytest

from console.software_authenticator import SoftwareAuthenticator
from console.test_account_pages import ORIGIN, asked, named, with_passkey
from gatepost.admin.people import people
from gatepost.console.visit import COOKIE
from gatepost.tenancy.person import ActivityFilter

PASSWORD = "correct horse battery staple"


def signed_in(browser: Any, device: SoftwareAuthenticator, **more: Any) -> Any:
    page = browser.get("/passkey?back=%2Ftrace")
    options, state = asked(page)
    csrf = page.text.partition('name="csrf" value="')[2].partition('"')[0]
    return browser.submit("/passkey", state=state, answer=device.get(options, **more), csrf=csrf)


def test_a_passkey_signs_in_and_is_noted(console: Any) -> None:
    console = named(console)
    _, device = with_passkey(console, "ann", "contoso")
    browser = console.browser()
    assert 'href="https://console.example/passkey?back=' in browser.get("/sign-in").text
    for count in (1, 2):
        answer = signed_in(browser, device)
        assert answer.status_code == 303 and answer.headers["location"] == "/trace"
        with console.editor() as editor:
            (passkey,) = editor.people.passkeys_of("ann")
            assert passkey.sign_count == count and passkey.used_at is not None
            latest = people.activities(editor, ActivityFilter(person="ann", what="signed in"), 1)[0]
            assert (latest.what, latest.about) == ("signed in", "with passkey phone")
    assert "ann" in browser.get("/trace").text


def test_two_tabs_ask_with_challenges_of_their_own(console: Any) -> None:
    console = named(console)
    _, device = with_passkey(console, "ann", "contoso")
    browser = console.browser()
    (first, one), (second, two) = asked(browser.get("/passkey")), asked(browser.get("/passkey"))
    assert first["challenge"] != second["challenge"]
    assert browser.submit("/passkey", state=two, answer=device.get(first)).status_code == 403
    options, state = asked(browser.get("/passkey"))
    assert browser.submit("/passkey", state=one, answer=device.get(first)).status_code == 303
    assert console.browser().submit("/passkey", state=state, answer=device.get(options)).status_code == 403


def test_an_answer_counts_once(console: Any) -> None:
    console = named(console)
    _, device = with_passkey(console, "ann", "contoso")
    browser = console.browser()
    options, state = asked(browser.get("/passkey"))
    kept = {cookie.name: cookie.value for cookie in browser.cookies.jar}
    answer = device.get(options)
    assert browser.submit("/passkey", state=state, answer=answer).status_code == 303
    replayed = console.browser()
    for name, value in kept.items():
        replayed.cookies.set(name, value, domain="console.example", path="/")
    again = replayed.submit("/passkey", state=state, answer=answer)
    assert again.status_code == 403 and "finished already" in again.text and not replayed.cookies.get(COOKIE)


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({"origin": "https://evil.example"}, {}),
        ({"origin": "http://console.example"}, {}),
        ({}, {"rp_id": "evil.example"}),
        ({"verifies": False}, {}),
        ({"count": -1}, {}),
        ({"key": SoftwareAuthenticator(ORIGIN).key}, {}),
        ({"id": b"credential-0002"}, {}),
        ({"handle": b"somebody else"}, {}),
    ],
    ids=["origin", "no TLS", "host", "not verified", "a copy", "another key", "unknown", "another person"],
)
def test_an_answer_that_does_not_hold_lets_nobody_in(
    console: Any, change: dict[str, Any], more: dict[str, Any]
) -> None:
    console = named(console)
    _, device = with_passkey(console, "ann", "contoso")
    assert signed_in(console.browser(), device).status_code == 303
    for name, value in change.items():
        setattr(device, name, value)
    browser = console.browser()
    answer = signed_in(browser, device, **more)
    assert answer.status_code == 403 and answer.text.count('role="alert" id="problem"') == 1
    assert "data-at-once" not in answer.text, "the device is not asked again by itself"
    assert not browser.cookies.get(COOKIE)


@pytest.mark.parametrize("answer", ["", "x", "{}", "[]", "7", "null", '{"id": 7}', "[" * 15_000, '{"response": {}}'])
def test_what_is_no_answer_is_one_line(console: Any, answer: str) -> None:
    console = named(console)
    browser = console.browser()
    _, state = asked(browser.get("/passkey"))
    found = browser.submit("/passkey", state=state, answer=answer)
    assert found.status_code == 403 and found.text.count('role="alert" id="problem"') == 1


def test_who_is_disabled_or_whose_passkey_was_removed_stays_outside(console: Any) -> None:
    console = named(console)
    ann, device = with_passkey(console, "ann", "contoso")
    olga = console.person("olga")
    csrf = olga.csrf()
    assert olga.submit("/people/ann/disable", csrf=csrf).status_code == 303
    assert "is disabled" in signed_in(console.browser(), device).text
    assert olga.submit("/people/ann/enable", csrf=csrf).status_code == 303
    assert signed_in(ann, device).status_code == 303
    id = olga.get("/people/ann").text.partition('name="id" value="')[2].partition('"')[0]
    assert olga.submit("/people/olga/remove-passkey", csrf=csrf, id=id).status_code == 404
    assert olga.submit("/people/ann/remove-passkey", csrf=csrf, id=id).status_code == 303
    assert "not registered here" in signed_in(console.browser(), device).text


def test_an_address_has_no_passkeys(console: Any) -> None:
    browser = console.browser()
    assert browser.get("/passkey").status_code == 404 and "passkey" not in browser.get("/sign-in").text
