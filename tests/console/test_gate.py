"""Who comes in, and what a write must show."""

from typing import Any

import pytest

from gatepost.console.visit import COOKIE
from gatepost.https.rates import Allotment

CONSOLE = "https://console.example"


def test_who_is_not_signed_in_is_led_to_the_door_and_back(console: Any) -> None:
    answer = console.browser().get("/trace?from=a%40b.example")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?back=%2Ftrace%3Ffrom%3Da%2540b.example"
    assert console.browser().submit("/queue/hold").headers["location"] == "/sign-in"


@pytest.mark.parametrize("cookie", ["", "x", "x" * 5000, "a; b=c", "\u00e9".encode().decode("latin-1")])
def test_a_wrong_cookie_is_none(console: Any, cookie: str) -> None:
    browser = console.browser()
    browser.cookies.set(COOKIE, cookie.replace("\xc3\xa9", "e"))
    assert browser.get("/trace").status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://console.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_from_elsewhere_does_nothing(console: Any, headers: dict[str, str]) -> None:
    browser = console.person("olga")
    csrf = browser.csrf()
    assert browser.submit("/sign-out", headers, csrf=csrf).status_code == 403
    assert console.browser().submit("/sign-in", headers, name="olga", password="x").status_code == 403
    assert browser.get("/trace").status_code == 200


def test_a_form_shows_the_token_of_its_own_session(console: Any) -> None:
    browser, other = console.person("olga"), console.person("otto")
    for said in ({"other": "x"}, {"csrf": ""}, {"csrf": other.csrf()}):
        assert browser.submit("/sign-out", **said).status_code == 403
    assert browser.get("/trace").status_code == 200
    assert browser.submit("/sign-out", csrf=browser.csrf()).status_code == 303
    assert browser.get("/trace").status_code == 303


def test_a_query_of_too_many_fields_is_refused_as_a_page(console: Any) -> None:
    query = "&".join(f"f{number}=x" for number in range(101))
    for browser in (console.browser(), console.person("olga")):
        answer = browser.get(f"/trace?{query}")
        assert answer.status_code == 400 and "too many fields" in answer.text


def test_a_tenants_changes_stop_when_its_share_of_the_audit_is_used(
    console: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, fay = console.person("ann", "contoso"), console.person("fay", "fabrikam")
    for browser in (ann, fay):
        assert browser.submit("/queue/hold", csrf=browser.csrf()).status_code != 429
    monkeypatch.setattr(Allotment, "wait_s", lambda self, key, now: 60.0 if key == "contoso" else 0.0)
    csrf = ann.csrf()
    assert ann.submit("/queue/hold", csrf=csrf).status_code == 429
    assert fay.submit("/queue/hold", csrf=fay.csrf()).status_code != 429
    assert ann.get("/trace").status_code == 200
    assert ann.submit("/sign-out", csrf=csrf).status_code == 303


def test_a_body_that_is_no_form_is_refused(console: Any) -> None:
    browser = console.person("olga")
    headers = {"Origin": CONSOLE, "Content-Type": "application/json"}
    assert browser.submit("/sign-out", headers, csrf=browser.csrf()).status_code == 415
    assert browser.submit("/sign-out", csrf=browser.csrf(), more="x" * 70_000).status_code == 413
    assert browser.submit("/sign-out", **{f"f{n}": "x" for n in range(101)}).status_code == 400


def test_what_is_refused_is_a_page_with_the_next_step(console: Any) -> None:
    browser = console.person("olga")
    answer = browser.get("/nowhere<script>")
    assert answer.status_code == 404 and "<h1>Not found</h1>" in answer.text and "<script>" not in answer.text
    assert browser.get("/sign-out").status_code == 404
    assert browser.get("/tenants/nobody").status_code == 404


def test_a_role_that_is_not_enough_is_told_so(console: Any) -> None:
    reader = console.person("rita", "contoso", "tenant-read")
    assert reader.get("/people").status_code == 403
    assert reader.get("/queue/hold?domain=x.example").status_code == 403
    assert reader.submit("/queue/hold", csrf="x", domain="x.example").status_code == 403


def test_every_answer_forbids_what_pages_do_not_need(console: Any) -> None:
    browser = console.person("olga")
    for path in ("/", "/sign-in", "/nowhere", "/static/console.css"):
        headers = browser.get(path).headers
        assert (
            headers["x-content-type-options"] == "nosniff"
            and "frame-ancestors 'none'" in headers["content-security-policy"]
        )
        assert ("no-store" in headers["cache-control"]) is not path.startswith("/static") or path == "/sign-in"


def test_one_address_without_a_session_must_not_hurry(console: Any) -> None:
    slow = console.with_settings(requests_per_minute=4)
    answers = [slow.browser("198.51.100.7").get("/sign-in").status_code for _ in range(2)]
    assert answers == [200, 429]
    assert slow.browser("203.0.113.7").get("/sign-in").status_code == 200
