"""A person's browser, as far as HTTP goes: it keeps cookies, follows nothing by itself, and fills forms in."""

import re
import ssl
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlsplit

import httpx

from end_to_end.installation import Installation

PASSWORD = "correct horse battery staple"


class Browser(httpx.Client):
    def __init__(self, relay: Installation) -> None:
        trust = ssl.create_default_context(cafile=str(relay.folder / "server.pem"))
        trust.check_hostname = False
        super().__init__(base_url=relay.console_url, verify=trust, timeout=30)

    @property
    def session(self) -> str | None:
        return self.cookies.get("__Host-gatepost")

    def submit(self, path: str, /, **fields: str) -> httpx.Response:
        return self.post(path, data=fields, headers={"Origin": str(self.base_url).rstrip("/")})

    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.get("/trace").text)
        assert found, "a page has no token"
        return found[1]

    def come_in(self, link: str) -> None:
        """By a one-time link."""
        answer = self.submit("/link", token=token_in(link), password=PASSWORD)
        assert answer.status_code == 303, answer.text


def link_for(relay: Installation, *arguments: str) -> str:
    """`person add` or `person link`; the address that it prints."""
    said = relay("person", *arguments)
    return next(line for line in said.splitlines() if line.startswith("https://"))


def token_in(link: str) -> str:
    return dict(parse_qsl(urlsplit(link).query))["token"]


def person(relay: Installation, name: str, *options: str) -> Browser:
    """Somebody who is signed in."""
    browser = Browser(relay)
    browser.come_in(link_for(relay, "add", name, *options))
    return browser


class Elements(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
