"""The walk of docs/howto/a-customer-says-her-mail-does-not-arrive.md, step by step, with its pictures.

`make pictures` makes the pictures of the manual anew.
"""

import re
from pathlib import Path
from typing import Any

from end_to_end.console_client import Browser
from end_to_end.installation import Installation, wait_until
from end_to_end.scene import MESSAGE, Certificates, until_known
from end_to_end.smtp_client import SmtpClient

PICTURES = Path(__file__).parents[1] / "build/browser/walk"
SERVER = "127.0.77.1"
BOUNCE = """Delivery has failed to these recipients or groups:

bob@outside.example
Your message could not be delivered. The relay of your organisation did not accept it.

Diagnostic information for administrators:
Remote server returned '{reply}'
"""


def sent(relay: Installation, certificate: Any) -> str:
    with SmtpClient(relay.port, source=SERVER) as smtp:
        smtp.starttls(certificate)
        answer = smtp.mail("ann@wingtip.com", "bob@outside.example")
        return (smtp.content(MESSAGE) if answer.code == 250 else answer).text


def test_a_customer_says_her_mail_does_not_arrive(
    chromium: Any, relay: Installation, people: dict[str, Browser], certificates: Certificates
) -> None:
    relay("tenant", "add", "wingtip")
    relay("domain", "add", "wingtip", "wingtip.com", "--verified")
    relay("inbound-connector", "add", "wingtip", "mail", "--certificate-name", "mail.wingtip.com")
    until_known(relay)
    assert sent(relay, certificates.pki.leaf("mail.wingtip.com")).startswith("250")
    renewed = certificates.pki.leaf("smtp.wingtip.com")
    reply = sent(relay, renewed)
    refused = wait_until(lambda: recorded(relay), "the refusal and its session record")

    context = chromium.new_context(ignore_https_errors=True, viewport={"width": 1000, "height": 640})
    cookie = {"name": "__Host-gatepost", "value": people["operator"].session, "url": relay.console_url}
    context.add_cookies([{**cookie, "secure": True, "httpOnly": True}])
    page = context.new_page()
    PICTURES.mkdir(parents=True, exist_ok=True)

    def picture(name: str, height: int = 640) -> None:
        page.set_viewport_size({"width": 1000, "height": height})
        page.screenshot(path=PICTURES / f"{name}.png")

    page.goto(relay.console_url)
    page.fill("#q", BOUNCE.format(reply=reply))
    page.press("#q", "Enter")
    page.wait_for_url(re.compile("/search"))
    assert "certificate-name-matches-no-connector" in page.inner_text("main")
    picture("1-cause", 760)

    page.click("main >> text=Who could this be")
    page.wait_for_url(re.compile(re.escape(f"/unattributed/{refused['id']}")))
    assert "proven" in page.inner_text("main")
    picture("2-who", 620)

    page.click("main >> text=Fill in the change")
    assert page.input_value("#f-certificate_names").split() == ["mail.wingtip.com", "smtp.wingtip.com"]
    picture("3-form", 700)

    page.click("main button:has-text('Try')")
    page.wait_for_selector("#tried")
    assert "Nothing else would change" in page.inner_text("main")
    picture("4-trial", 700)

    page.click("main button:has-text('Save')")
    page.wait_for_url(re.compile("saved="))
    assert "Saved as change" in page.inner_text("[role=status]")
    picture("5-saved", 700)

    until_known(relay)
    assert sent(relay, renewed).startswith("250")
    wait_until(lambda: len(items(relay, "delivered")) == 2, "the delivery")
    page.goto(f"{relay.console_url}/trace?from=ann@wingtip.com")
    picture("6-delivered", 640)
    context.close()


def recorded(relay: Installation) -> Any:
    found = items(relay, "refused")
    return found[0] if found and relay.run("why", found[0]["session_id"]).returncode == 0 else None


def items(relay: Installation, outcome: str) -> Any:
    return relay.told("trace", "--from", "ann@wingtip.com", "--outcome", outcome)["items"]
