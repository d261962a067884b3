"""Every page in a browser: readable, reachable, and running nothing but our own files."""

import re
from typing import Any

import pytest
from looking import PICTURES, Open, serious

from end_to_end.console_client import PASSWORD, Browser, link_for
from end_to_end.installation import Installation

WIDTHS = (400, 1280)
SCHEMES = ("light", "dark")
LOOKED_THROUGH = {(400, "light"), (1280, "dark")}


def pages(relay: Installation, role: str) -> dict[str, str]:
    """What is opened, by the name of its picture."""
    refused = relay.told("trace", "--outcome", "refused", "--certificate", "mail.contoso.com")["items"][0]
    waiting = relay.told("trace", "--outcome", "delayed", "--tenant", "contoso")["items"][0]
    (change,) = relay.told("audit", "list", "inbound-connector contoso/mail", "--limit", "1")
    found = {
        "home": "/",
        "dashboard": "/dashboard",
        "ending": "/ending",
        "trace": "/trace",
        "trace-filtered": "/trace?from=nonsense&address=127.0.99.1",
        "trace-empty": "/trace?domain=nowhere.example",
        "story-refused": f"/trace/{refused['id']}",
        "story-waiting": f"/trace/{waiting['id']}",
        "session": f"/sessions/{refused['session_id']}",
        "unattributed": "/unattributed",
        "who-could-this-be": f"/unattributed/{refused['id']}",
        "connector-form": "/tenants/contoso/connector-form?connector=mail&addresses=192.0.2.77",
        "connector-new": "/tenants/contoso/connector-form",
        "change": f"/changes/{change['version']}",
        "diagnosis": f"/diagnosis/{refused['id']}",
        "search": "/search?q=ann@contoso.com",
        "search-nothing": "/search?q=nothing+of+the+kind",
        "tenants": "/tenants",
        "tenant": "/tenants/contoso",
        "connector": "/tenants/contoso/connectors/mail",
        "queue": "/queue",
        "queue-filtered": "/queue?domain=dead.example",
        "message": f"/queue/messages/{waiting['queue_id']}",
        "decision": f"/queue/remove?message_id={waiting['queue_id']}",
        "people": "/people",
        "person": "/people/tenant-person",
        "tokens": "/tokens",
        "audit": "/audit",
        "audit-filtered": "/audit?what=connector&since=nonsense",
        "activity": "/audit/activity",
        "account": "/account",
        "new-passkey": "/account/passkeys/new",
        "not-found": "/nowhere",
    }
    if role == "operator":
        found |= {"protocol-log": f"/sessions/{refused['session_id']}/protocol-log"}
    return found


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("role", ["operator", "tenant"])
def test_every_page_is_for_everybody(
    opened: Open, relay: Installation, people: dict[str, Browser], role: str, width: int, scheme: str
) -> None:
    page = opened(width, scheme, people[role])
    folder = PICTURES / role
    folder.mkdir(parents=True, exist_ok=True)
    wrong: dict[str, object] = {}
    for name, path in pages(relay, role).items():
        page.goto(f"{relay.console_url}{path}")
        page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
        # Contrast depends on the scheme, what there is to read on the width: two of the four say both.
        if (width, scheme) in LOOKED_THROUGH and (found := serious(page)):
            wrong[name] = found
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wrong[f"{name} is wider than the window"] = page.evaluate(
                "[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, nav') &&"
                " e.getBoundingClientRect().right > innerWidth).map(e => e.outerHTML.slice(0, 80)).slice(0, 3)"
            )
    assert wrong == {}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_doors_are_for_everybody(opened: Open, relay: Installation, width: int, scheme: str) -> None:
    link = link_for(relay, "add", f"guest-{width}-{scheme}", "--tenant", "fabrikam")
    page = opened(width, scheme)
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, address in (("sign-in", f"{relay.console_url}/sign-in"), ("link", link)):
        page.goto(address)
        page.screenshot(path=PICTURES / f"{name}-{width}-{scheme}.png", full_page=True)
        assert serious(page) == []
    page.fill("#password", "short")
    page.evaluate("document.querySelector('main form').noValidate = true")
    page.click("main form button")
    assert "12 characters" in page.inner_text("[role=alert]")
    assert serious(page) == []


def test_the_keyboard_leads_from_the_door_to_the_cause(opened: Open, relay: Installation) -> None:
    page = opened(1280, "light")
    page.goto(link_for(relay, "add", "keys", "--operator"))
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{relay.console_url}/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    refused = relay.told("trace", "--outcome", "refused")["items"][0]
    page.keyboard.press("/")
    page.keyboard.insert_text(f"Your message\ncould not be delivered:\n{refused['reply']}\n")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/search"))
    assert refused["reason"] in page.inner_text("main")
    page.focus("main >> text=What happened to it")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(re.escape(f"/trace/{refused['id']}")))
    assert page.get_attribute("main time", "title"), "a time says when that was here"


def test_filters_answer_at_once_and_stand_in_the_address(opened: Open, relay: Installation, people: Any) -> None:
    page = opened(1280, "light", people["operator"])
    page.goto(f"{relay.console_url}/trace")
    page.select_option("#f-outcome", "refused")
    page.wait_for_url(re.compile("outcome=refused"))
    page.wait_for_function("document.querySelectorAll('#results tbody tr').length > 0")
    assert set(page.locator("#results .outcome").all_inner_texts()) == {"refused"}
    page.go_back()
    page.wait_for_url(re.compile("/trace$"))


def test_a_decision_is_carried_out_by_its_form(opened: Open, relay: Installation, people: Any) -> None:
    waiting = relay.told("trace", "--outcome", "delayed", "--tenant", "contoso")["items"][0]
    page = opened(1280, "light", people["tenant"])
    page.goto(f"{relay.console_url}/queue/messages/{waiting['queue_id']}")
    page.click("main >> text=hold")
    page.click("main button:has-text('Hold 1 recipient')")
    page.wait_for_url(f"{relay.console_url}/queue")
    assert "held" in page.inner_text("main")
