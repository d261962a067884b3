"""A person's own passkeys and sessions."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from typing import Any

from console.software_authenticator import SoftwareAuthenticator, text_of
from gatepost.admin.people import passkeys, people
from gatepost.console.visit import COOKIE

ORIGIN = "https://console.example"
PASSWORD = "correct horse battery staple"


def named(console: Any) -> Any:
    """At a host name, which passkeys need."""
    return console.with_settings(url=ORIGIN)


def asked(page: Any) -> tuple[dict[str, Any], str]:
    """What the device is asked, and the state of the form."""
    options = re.search(r'data-options="([^"]+)"', page.text)
    state = re.search(r'name="state" value="([^"]+)"', page.text)
    assert options and state, page.text
    return json.loads(unescape(options[1])), state[1]


def add(browser: Any, device: SoftwareAuthenticator, label: str = "phone") -> Any:
    options, state = asked(browser.get("/account/passkeys/new"))
    answer = device.create(options)
    return browser.submit("/account/passkeys", csrf=browser.csrf(), state=state, answer=answer, label=label)


def with_passkey(console: Any, *who: str) -> tuple[Any, SoftwareAuthenticator]:
    browser, device = console.person(*who), SoftwareAuthenticator(ORIGIN)
    assert add(browser, device).status_code == 303
    return browser, device


def test_a_passkey_is_asked_for_our_host_verified_and_discoverable(console: Any) -> None:
    ann = named(console).person("ann", "contoso")
    options, _ = asked(ann.get("/account/passkeys/new"))
    assert options["rp"]["id"] == "console.example" and options["user"]["name"] == "ann"
    selection = options["authenticatorSelection"]
    assert (selection["residentKey"], selection["userVerification"]) == ("required", "required")
    assert options["attestation"] == "none"
    assert "ann" not in options["user"]["id"]


def test_several_are_added_listed_and_removed(console: Any) -> None:
    console = named(console)
    ann, phone = with_passkey(console, "ann", "contoso")
    key = SoftwareAuthenticator(ORIGIN, id=b"security-key-01")
    options, _ = asked(ann.get("/account/passkeys/new"))
    assert [each["id"] for each in options["excludeCredentials"]] == [text_of(phone.id)]
    assert add(ann, key, "security <key>").status_code == 303
    page = ann.get("/account").text
    assert "phone" in page and "security &lt;key&gt;" in page
    assert ann.submit(f"/account/passkeys/{text_of(phone.id)}/remove", csrf=ann.csrf()).status_code == 303
    assert "phone" not in ann.get("/account").text
    with console.editor() as editor:
        assert [each.action for each in editor.audit(subject="person ann")][:3] == [
            "remove-passkey",
            "add-passkey",
            "add-passkey",
        ]


def test_the_page_of_a_link_names_the_passkeys_that_stay(console: Any) -> None:
    console = named(console)
    with_passkey(console, "ann", "contoso")
    with console.editor() as editor:
        _, token = people.link(editor, "ann", datetime.now(UTC))
    shown = console.browser().get(f"/link?token={token}").text
    assert "stay valid: <strong>phone</strong>" in shown
    assert "stay valid" not in console.browser().get(f"/link?token={console.link('fred', 'fabrikam')}").text


def test_whose_role_follows_groups_is_offered_no_passkey(console: Any) -> None:
    console = named(console)
    ann = console.person("ann", "contoso")
    options, state = asked(ann.get("/account/passkeys/new"))
    with console.editor() as editor:
        editor.people.put(replace(people.named(editor, "ann"), role_by_groups=True), "test")
    shown = ann.get("/account").text
    assert "with the provider only" in shown and "/account/passkeys/new" not in shown
    answer = SoftwareAuthenticator(ORIGIN).create(options)
    refused = ann.submit("/account/passkeys", csrf=ann.csrf(), state=state, answer=answer, label="phone")
    assert refused.status_code == 409 and "with the provider only" in refused.text


def test_nobody_removes_anothers_or_adds_the_same_twice(console: Any) -> None:
    console = named(console)
    ann, device = with_passkey(console, "ann", "contoso")
    fred = console.person("fred", "fabrikam")
    assert fred.submit(f"/account/passkeys/{text_of(device.id)}/remove", csrf=fred.csrf()).status_code == 404
    twice = add(fred, device)
    assert twice.status_code == 409 and "registered already" in twice.text
    assert ann.get("/account").text.count("phone") >= 1


def test_what_does_not_hold_adds_nothing_and_asks_again(console: Any) -> None:
    console = named(console)
    ann, fred = console.person("ann", "contoso"), console.person("fred", "fabrikam")
    for device in (SoftwareAuthenticator("https://evil.example"), SoftwareAuthenticator(ORIGIN, verifies=False)):
        answer = add(ann, device)
        assert answer.status_code == 409 and "does not hold" in answer.text
        assert asked(answer), "the page asks anew"
    assert add(ann, SoftwareAuthenticator(ORIGIN), "").status_code == 409
    assert add(ann, SoftwareAuthenticator(ORIGIN), "x" * 61).status_code == 409
    options, state = asked(ann.get("/account/passkeys/new"))
    answer = SoftwareAuthenticator(ORIGIN).create(options)
    for name, value in {cookie.name: cookie.value for cookie in ann.cookies.jar}.items():
        if name != COOKIE:
            fred.cookies.set(name, value, domain="console.example", path="/")
    stolen = fred.submit("/account/passkeys", csrf=fred.csrf(), state=state, answer=answer, label="x")
    assert stolen.status_code == 409 and "begun by somebody else" in stolen.text
    with console.editor() as editor:
        assert [*editor.people.passkeys_of("ann"), *editor.people.passkeys_of("fred")] == []


def test_their_number_is_bounded(console: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(passkeys, "MOST", 1)
    ann, _ = with_passkey(named(console), "ann", "contoso")
    assert "at most 1" in add(ann, SoftwareAuthenticator(ORIGIN, id=b"another-device1")).text


def test_sessions_are_listed_and_ended_everywhere(console: Any) -> None:
    ann, other = console.person("ann", "contoso"), console.browser("192.0.2.77")
    assert other.submit("/sign-in", name="ann", password=PASSWORD).status_code == 303
    page = ann.get("/account").text
    assert "192.0.2.1" in page and "192.0.2.77" in page and page.count("this one") == 1
    assert "set <code>[console] url</code>" in page.replace("sets", "set"), "an address has no passkeys"
    assert ann.submit("/account/sign-out-everywhere", csrf=ann.csrf()).headers["location"] == "/sign-in"
    assert ann.get("/trace").status_code == other.get("/trace").status_code == 303
