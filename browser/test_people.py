"""Coming in by a provider and by a passkey, and who else may: what a person does, in a browser."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from looking import PICTURES, Open, serious

from end_to_end.console_client import PASSWORD, Browser, link_for
from end_to_end.installation import Installation

DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def with_device(opened: Open) -> Iterator[Any]:
    """A page in a browser with a device that has passkeys; whoever holds it confirms."""
    page = opened(1280, "light")
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    yield page


def test_a_passkey_is_added_and_signs_in(with_device: Any, relay: Installation) -> None:
    page = with_device
    page.goto(link_for(relay, "add", "pia", "--tenant", "contoso"))
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{relay.console_url}/")
    page.click("text=pia")
    page.click("text=Add a passkey")
    page.fill("#label", "laptop")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{relay.console_url}/account")
    assert "laptop" in page.inner_text("main") and serious(page) == []
    page.screenshot(path=PICTURES / "account-with-passkey.png", full_page=True)
    page.click("text=Sign out everywhere")
    page.wait_for_url(re.compile("/sign-in"))
    page.goto(f"{relay.console_url}/trace")
    page.click("text=Sign in with a passkey")
    page.wait_for_url(f"{relay.console_url}/trace")
    assert "pia" in page.inner_text("header")
    page.goto(f"{relay.console_url}/account")
    page.click("main button[aria-label='Remove laptop']")
    page.wait_for_selector("text=You have no passkey")


def test_a_browser_without_a_passkey_says_so_and_leaves_other_ways(opened: Open, relay: Installation) -> None:
    page = opened(400, "dark")
    page.add_init_script("navigator.credentials.get = async () => { throw new DOMException('', 'NotAllowedError'); };")
    page.goto(f"{relay.console_url}/passkey")
    page.wait_for_selector("[data-complaint]:not([hidden])")
    page.click("main form button")
    page.wait_for_selector("[data-complaint]:not([hidden])")
    assert "Try again" in page.inner_text("[data-complaint]") and serious(page) == []
    page.screenshot(path=PICTURES / "passkey-400-dark.png", full_page=True)
    page.click("text=Sign in another way")
    page.wait_for_url(re.compile("/sign-in"))


def test_a_provider_signs_in_and_leads_back(opened: Open, relay: Installation) -> None:
    page = opened(1280, "light")
    page.goto(f"{relay.console_url}/queue")
    page.click("text=Sign in with acme")
    page.click("button:has-text('s-1')")
    page.wait_for_url(f"{relay.console_url}/queue")
    assert "carl@acme" in page.inner_text("header") and "tenant-read of contoso" in page.inner_text("header")


def test_a_person_and_a_token_are_added_by_keyboard_and_shown_once(
    opened: Open, relay: Installation, people: dict[str, Browser]
) -> None:
    for width, scheme in ((400, "dark"), (1280, "light")):
        page = opened(width, scheme, people["operator"])
        page.goto(f"{relay.console_url}/people")
        page.focus("#name")
        page.keyboard.type(f"keyboard-{width}")
        page.keyboard.press("Tab")
        page.keyboard.type("contoso")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=One-time link for")
        assert re.search(r"https://localhost:\d+/link\?token=", page.inner_text(".secret")) and serious(page) == []
        page.screenshot(path=PICTURES / f"operator/person-link-{width}-{scheme}.png", full_page=True)
        page.goto(f"{relay.console_url}/tokens")
        page.fill("#tenant", "contoso")
        page.click("main button:has-text('Create')")
        page.wait_for_selector("text=It is shown only now")
        assert page.inner_text(".secret").startswith("gp_") and serious(page) == []
        page.screenshot(path=PICTURES / f"operator/token-{width}-{scheme}.png", full_page=True)
        page.goto(f"{relay.console_url}/tokens")
        page.screenshot(path=PICTURES / f"operator/tokens-some-{width}-{scheme}.png", full_page=True)
        assert serious(page) == []
        page.click("main button:has-text('Revoke') >> nth=0")
        page.wait_for_selector("text=Revoked and expired")
