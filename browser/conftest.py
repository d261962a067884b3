"""A relay whose console has something to show, and a browser."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parent / "tests")]

from looking import Open  # noqa: E402

from end_to_end.console_client import Browser, person  # noqa: E402
from end_to_end.installation import Installation, wait_until  # noqa: E402
from end_to_end.outside import Outside  # noqa: E402
from end_to_end.scene import MESSAGE, Certificates, with_two_tenants  # noqa: E402
from end_to_end.smtp_client import SmtpClient  # noqa: E402
from net.real_provider import real_provider  # noqa: E402

RETRY = '[retry]\nglitch_interval = "1h"\ntransient_interval = "1h"\ninterval = "1h"\n'
PROVIDER = """
[[console.provider]]
name = "acme"
issuer = "{issuer}"
client_id = "gatepost"
client_secret_file = "acme.secret"
groups_claim = "groups"
[[console.provider.group]]
name = "contoso"
role = "tenant-read"
tenant = "contoso"
"""
USERS = {"s-1": {"preferred_username": "carl", "groups": ["contoso"]}}
PEOPLE = {"operator": ("--operator",), "tenant": ("--tenant", "contoso")}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def issuer() -> Iterator[str]:
    with real_provider(USERS) as issuer:
        yield issuer


@pytest.fixture(scope="session")
def relay(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates, issuer: str) -> Iterator[Installation]:
    roots = certificates.pki.roots_file
    relay = Installation(
        tmp_path_factory.mktemp("relay"),
        client_roots=roots,
        console=True,
        console_host="localhost",
        workers=1,
        tables=RETRY + PROVIDER.format(issuer=issuer),
    )
    (relay.folder / "acme.secret").write_text("any\n")
    with Outside() as outside:
        sink = outside.sink()
        with_two_tenants(relay, sink.port)
        relay("send-connector", "add", "dead", "--address-space", "dead.example", "--smart-host", "127.0.0.1:9")
        relay("domain", "add", "contoso", "claimed.example")
        with relay.serving():
            relay.wait_for_output("console on https")
            _send(relay, certificates)
            yield relay


def _send(relay: Installation, certificates: Certificates) -> None:
    """Accepted by certificate and address, waiting, and refused for several reasons."""
    for certificate, source, sender, recipient in (
        (certificates.contoso, "127.0.99.1", "ann@contoso.com", "bob@outside.example"),
        (None, "127.0.2.1", "fred@fabrikam.com", "bob@outside.example"),
        (certificates.contoso, "127.0.99.1", "ann@contoso.com", "carol@dead.example"),
        (None, "127.0.2.1", "fred@fabrikam.com", "dan@dead.example"),
        *[(certificates.expired, "127.0.99.1", "ann@contoso.com", "bob@outside.example")] * 3,
        (certificates.self_signed, "127.0.99.2", f"{'a-long-local-part.' * 3}x@contoso.com", "bob@outside.example"),
        (None, "127.0.99.3", "", '"<script>alert(1)</script>"@outside.example'),
        (None, "127.0.99.3", "eve@elsewhere.example", "bob@outside.example"),
    ):
        with SmtpClient(relay.port, source=source) as smtp:
            if certificate:
                smtp.starttls(certificate)
            else:
                smtp.ehlo()
            answer = smtp.mail(sender, recipient)
            if answer.code == 250:
                smtp.content(MESSAGE)
            else:
                assert "5.7.64" in answer.text, answer.text
    wait_until(lambda: len(relay.told("trace", "--outcome", "refused")["items"]) == 6, "the refusals")
    wait_until(lambda: len(relay.told("trace", "--outcome", "delayed")["items"]) == 2, "the mail that waits")


@pytest.fixture(scope="session")
def people(relay: Installation) -> dict[str, Browser]:
    return {role: person(relay, f"{role}-person", *options) for role, options in PEOPLE.items()}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Any, relay: Installation) -> Iterator[Open]:
    """A page at a width and in a scheme, as somebody, whose browser has nothing to complain about."""
    complaints: list[str] = []

    def open_(width: int, scheme: str, browser: Browser | None = None) -> Any:
        context = chromium.new_context(
            ignore_https_errors=True, color_scheme=scheme, viewport={"width": width, "height": 900}
        )
        if browser is not None:
            cookie = {"name": "__Host-gatepost", "value": browser.session, "url": relay.console_url}
            context.add_cookies([{**cookie, "secure": True, "httpOnly": True}])
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append("a dialog"))
        return page

    yield open_
    # That an answer was 404 or 409 is said too.
    assert [each for each in complaints if "Failed to load resource" not in each] == []
