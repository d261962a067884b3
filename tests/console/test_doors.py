"""Coming in and going out."""

from typing import Any

import pytest

from gatepost.console.visit import COOKIE

PASSWORD = "correct horse battery staple"
"""As everybody chooses it here."""


def test_a_link_sets_a_password_once_and_signs_in(console: Any) -> None:
    token = console.link("ann", "contoso")
    browser = console.browser()
    for _ in range(2):
        page = browser.get(f"/link?token={token}")
        assert page.status_code == 200 and "ann" in page.text and "tenant-admin of contoso" in page.text
    short = browser.submit("/link", token=token, password="short")
    assert short.status_code == 409 and "12 characters" in short.text and COOKIE not in browser.cookies
    answer = browser.submit("/link", token=token, password=PASSWORD)
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    for attribute in (f"{COOKIE}=", "; HttpOnly", "; Path=/", "; SameSite=lax", "; Secure"):
        assert attribute in cookie
    assert "Domain" not in cookie
    assert browser.get("/trace").status_code == 200
    again = console.browser().submit("/link", token=token, password=PASSWORD)
    assert again.status_code == 409 and "used already" in again.text


def test_a_password_signs_in_with_a_session_of_its_own(console: Any) -> None:
    first = console.person("ann", "contoso")
    second = console.browser()
    second.cookies.set(COOKIE, "chosen by somebody else", domain="console.example", path="/")
    answer = second.submit("/sign-in", name="Ann", password=PASSWORD, back="/trace?from=%3C%3E")
    assert answer.status_code == 303 and answer.headers["location"] == "/trace?from=%3C%3E"
    assert "chosen" not in answer.headers["set-cookie"]
    assert first.get("/trace").status_code == 200


@pytest.mark.parametrize("back", ["//evil.example", "/\\evil.example", "https://evil.example", "", "x", "/a\nb"])
def test_nobody_is_led_elsewhere(console: Any, back: str) -> None:
    console.person("ann", "contoso")
    answer = console.browser().submit("/sign-in", name="ann", password=PASSWORD, back=back)
    assert answer.headers["location"] == "/"


def test_a_wrong_password_says_no_more_than_that(console: Any) -> None:
    console.person("ann", "contoso")
    wrong = console.browser().submit("/sign-in", name="ann", password="wrong")
    nobody = console.browser().submit("/sign-in", name="bob", password="wrong")
    assert wrong.status_code == nobody.status_code == 403
    assert wrong.text.replace('value="ann"', 'value="bob"') == nobody.text and COOKIE not in wrong.headers.get(
        "set-cookie", ""
    )


def test_guessing_ends_in_waiting(console: Any) -> None:
    """One attempt a minute, so that no machine is too slow for it."""
    console = console.with_settings(requests_per_minute=30)
    console.person("ann", "contoso")
    guesser = console.browser("198.51.100.7")
    statuses = [guesser.submit("/sign-in", name="ann", password=f"guess {n}").status_code for n in range(2)]
    assert statuses == [403, 429]
    answer = console.browser().submit("/sign-in", name="ann", password=PASSWORD)
    assert answer.status_code == 303, "from where they came in lately they still come in"


def test_who_is_signed_in_need_not_sign_in(console: Any) -> None:
    browser = console.person("ann", "contoso")
    assert browser.get("/sign-in").headers["location"] == "/"
    assert browser.submit("/sign-out", csrf=browser.csrf()).headers["location"] == "/sign-in"
    assert browser.get("/sign-in").status_code == 200


def test_who_is_signed_in_already_is_led_on(console: Any) -> None:
    browser = console.person("olga")
    assert browser.get("/sign-in?back=%2Ftrace").headers["location"] == "/trace"
    assert browser.get("/sign-in?back=%2F%2Fevil.example").headers["location"] == "/"
