"""Sign-in with a provider: with a real one in a process of its own, and with one that lies."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from gatepost.admin.people import people
from gatepost.console.tickets import LIFETIME
from gatepost.console.visit import COOKIE
from gatepost.tenancy.person import Identity, Role
from gatepost.tenancy.provider import GroupRole, Provider
from net.lying_provider import LyingProvider, lying_provider
from net.real_provider import real_provider

PASSWORD = "correct horse battery staple"
GROUPS = (
    GroupRole(group="mail-operators", role=Role.OPERATOR),
    GroupRole(group="contoso", role=Role.TENANT_READ, tenant="contoso"),
)
USERS = {
    "Olga-1": {"preferred_username": "olga", "groups": ["mail-operators"]},
    "olga-1": {"preferred_username": "olga", "groups": ["nothing"]},
    "carl": {"preferred_username": "carl", "groups": ["contoso"]},
    "plain": {"preferred_username": "plain"},
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with real_provider(USERS) as issuer:
        yield issuer


def at(console: Any, issuer: str, **said: Any) -> Any:
    secret = console.config.data / "acme.secret"
    secret.write_text("any\n")
    said = {"client_secret_file": secret, **said}
    provider = {"name": "acme", "issuer": issuer, "client_id": "gatepost", "groups_claim": "groups", "groups": GROUPS}
    other = Provider(name="other", issuer="https://other.example", client_id="x")
    return console.with_settings(providers=(Provider(**{**provider, **said}), other))


def sent_to_the_provider(browser: Any, path: str = "/oidc/acme") -> str:
    answer = browser.get(path)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def signed_in_there(address: str, sub: str, **form: str) -> str:
    """What a browser does at the provider; the address on the console that it is sent back to."""
    answer = httpx.post(address, data=form or {"sub": sub})
    assert answer.status_code == 302, answer.text
    back = urlsplit(answer.headers["location"])
    return f"{back.path}?{back.query}"


def come_in(browser: Any, sub: str, path: str = "/oidc/acme") -> httpx.Response:
    return browser.get(signed_in_there(sent_to_the_provider(browser, path), sub))  # type: ignore[no-any-return]


def test_the_door_names_every_provider(console: Any, issuer: str) -> None:
    page = at(console, issuer).browser().get("/sign-in?back=%2Ftrace").text
    assert 'href="https://127.0.0.1:8444/oidc/acme?back=%2Ftrace">Sign in with acme</a>' in page
    assert "Sign in with other" in page and "Sign in with" not in console.browser().get("/sign-in").text


def test_a_group_of_a_real_provider_lets_in_with_its_role(console: Any, issuer: str) -> None:
    console = at(console, issuer)
    browser = console.browser()
    browser.get("/sign-in")
    answer = come_in(browser, "Olga-1", "/oidc/acme?back=%2Fpeople")
    assert answer.status_code == 303 and answer.headers["location"] == "/people"
    page = browser.get("/people")
    assert page.status_code == 200 and "olga@acme" in page.text
    carl = console.browser()
    come_in(carl, "carl")
    assert carl.get("/people").status_code == 403 and carl.get("/tenants/contoso").status_code == 200
    assert carl.get("/tenants/fabrikam").status_code == 404
    with console.editor() as editor:
        person = editor.people.with_identity(Identity(issuer, "Olga-1"))
        assert person and person.role is Role.OPERATOR
        entry = editor.audit(subject="person olga@acme")[0]
        assert (entry.who, entry.action, entry.address) == ("provider acme", "add", "192.0.2.1")


def test_an_office_behind_one_address_comes_in_together(console: Any, issuer: str) -> None:
    console = at(console, issuer)
    answers = [come_in(console.browser(), "Olga-1").status_code for _ in range(8)]
    assert answers == [303] * 8


def test_the_subject_counts_as_it_is_written(console: Any, issuer: str) -> None:
    console = at(console, issuer)
    come_in(console.browser(), "Olga-1")
    answer = come_in(console.browser(), "olga-1")
    assert answer.status_code == 403 and "nobody here has the identity olga-1" in answer.text
    assert "gatepost person add NAME --oidc" in answer.text and 'name="password"' in answer.text


def test_without_groups_nobody_comes_in_but_whom_the_operator_added(console: Any, issuer: str) -> None:
    console = at(console, issuer)
    assert come_in(console.browser(), "plain").status_code == 403
    with console.editor() as editor:
        now = datetime.now(UTC)
        people.add_known_elsewhere(editor, "ann", "contoso", "tenant-read", Identity(issuer, "plain"), now)
    browser = console.browser()
    assert come_in(browser, "plain").status_code == 303
    assert "ann" in browser.get("/trace").text


def test_a_one_time_link_links_the_identity(console: Any, issuer: str) -> None:
    console = at(console, issuer)
    token = console.link("ann", "contoso")
    page = console.browser().get(f"/link?token={token}").text
    assert f"/oidc/acme?token={token}" in page.replace("&amp;", "&")
    browser = console.browser()
    assert come_in(browser, "plain", f"/oidc/acme?token={token}").status_code == 303
    assert "ann" in browser.get("/trace").text
    assert come_in(console.browser(), "plain").status_code == 303, "from now on without a link"
    again = console.browser().get(f"/oidc/acme?token={token}")
    assert again.status_code == 403 and "used already" in again.text


def test_two_tabs_come_in_each_to_its_page(console: Any, issuer: str) -> None:
    console = at(console, issuer)
    browser = console.browser()
    first = sent_to_the_provider(browser, "/oidc/acme?back=%2Ftrace")
    second = sent_to_the_provider(browser, "/oidc/acme?back=%2Fqueue")
    assert browser.get(signed_in_there(second, "Olga-1")).headers["location"] == "/queue"
    session = browser.cookies.get(COOKIE)
    assert browser.get(signed_in_there(first, "Olga-1")).headers["location"] == "/trace"
    assert browser.cookies.get(COOKIE) not in (None, session), "each sign-in has a session of its own"


def test_a_sign_in_that_began_before_a_restart_ends_after_it(console: Any, issuer: str) -> None:
    browser = at(console, issuer).browser()
    back = signed_in_there(sent_to_the_provider(browser), "Olga-1")
    after = at(console, issuer).browser()
    for cookie in browser.cookies.jar:
        after.cookies.set(cookie.name, cookie.value, domain=cookie.domain, path=cookie.path)
    assert after.get(back).status_code == 303


def test_who_comes_back_twice_or_to_another_browser_is_nobody(console: Any, issuer: str) -> None:
    console = at(console, issuer)
    browser = console.browser()
    back = signed_in_there(sent_to_the_provider(browser), "Olga-1")
    other = console.browser()
    stolen = other.get(back)
    assert stolen.status_code == 403 and "not begun in this browser" in stolen.text and not other.cookies.get(COOKIE)
    kept = {cookie.name: cookie.value for cookie in browser.cookies.jar}
    assert browser.get(back).status_code == 303
    replayed = console.browser()
    for name, value in kept.items():
        replayed.cookies.set(name, value, domain="console.example", path="/")
    assert replayed.get(back).status_code == 403 and not replayed.cookies.get(COOKIE)
    assert f"{LIFETIME.total_seconds() / 60:.0f} minutes" in stolen.text


def test_what_another_provider_began_is_not_taken(console: Any, issuer: str) -> None:
    browser = at(console, issuer).browser()
    back = signed_in_there(sent_to_the_provider(browser), "Olga-1")
    answer = browser.get(back.replace("/oidc/acme/", "/oidc/other/"))
    assert answer.status_code == 403 and "another provider" in answer.text and not browser.cookies.get(COOKIE)


def test_who_is_refused_there_reads_so_here(console: Any, issuer: str) -> None:
    browser = at(console, issuer).browser()
    # This provider's answer lacks the state, which RFC 6749 4.1.2.1 demands.
    back = signed_in_there(sent_to_the_provider(browser), "", action="deny")
    assert browser.get(back).status_code == 403
    asked = dict(parse_qsl(urlsplit(sent_to_the_provider(browser)).query))
    answer = browser.get(f"{back}&state={asked['state']}")
    assert answer.status_code == 403 and "provider acme did not sign you in: access_denied" in answer.text


@pytest.mark.parametrize("path", ["/oidc/nobody", "/oidc/nobody/callback", "/oidc/ACME", "/oidc/acme/x"])
def test_a_provider_that_is_none_is_not_found(console: Any, issuer: str, path: str) -> None:
    assert at(console, issuer).browser().get(path).status_code == 404


@pytest.mark.parametrize(
    "query", ["", "?state=", "?state=x&code=y", "?code=y", "?state=%00&code=%ff", "?state=" + "x" * 5000]
)
def test_a_wrong_return_is_one_line(console: Any, issuer: str, query: str) -> None:
    answer = at(console, issuer).browser().get(f"/oidc/acme/callback{query}")
    assert answer.status_code == 403 and answer.text.count('role="alert"') == 1


def test_nobody_is_led_elsewhere_by_a_provider(console: Any, issuer: str) -> None:
    answer = come_in(at(console, issuer).browser(), "Olga-1", "/oidc/acme?back=%2F%2Fevil.example")
    assert answer.headers["location"] == "/"


@pytest.fixture
def lying() -> Iterator[LyingProvider]:
    with lying_provider() as provider:
        yield provider


def test_a_provider_that_lies_lets_nobody_in_and_a_password_does(console: Any, lying: LyingProvider) -> None:
    console.person("ann", "contoso")
    console = at(console, lying.issuer)
    browser = console.browser()
    asked = lying.authorized(sent_to_the_provider(browser))
    lying.claims = {"groups": ["mail-operators"], "aud": "somebody-else"}
    page = browser.get(f"/oidc/acme/callback?state={asked['state']}&code=c")
    assert page.status_code == 403 and "provider acme: its ID token does not hold" in page.text
    assert not browser.cookies.get(COOKIE) and "Traceback" not in page.text
    assert browser.submit("/sign-in", name="ann", password=PASSWORD).status_code == 303


def test_a_provider_that_is_down_leaves_the_form_for_a_password(console: Any, lying: LyingProvider) -> None:
    console.person("ann", "contoso")
    console = at(console, lying.issuer)
    lying.server.shutdown()
    lying.server.server_close()
    page = console.browser().get("/oidc/acme")
    assert page.status_code == 403 and "cannot be reached" in page.text and 'name="password"' in page.text
    assert not re.search(r"__Host-gatepost-oidc", page.headers.get("set-cookie", ""))


def test_the_address_that_the_browser_comes_back_to_is_the_configured_one(console: Any, lying: LyingProvider) -> None:
    console = at(console.with_settings(url="https://console.contoso.example"), lying.issuer)
    asked = dict(parse_qsl(urlsplit(sent_to_the_provider(console.browser())).query))
    assert asked["redirect_uri"] == "https://console.contoso.example/oidc/acme/callback"
