"""Every page is in the table of who may open it (`routes.toml`, which the end-to-end test walks), and answers whatever
is sent to it with a page in which that is inert."""

import re
import tomllib
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from gatepost.console.application import PAGES
from gatepost.console.page import Page
from gatepost.https.gate import _BUGS
from soak import some

ROUTES = tomllib.loads(Path(__file__).with_name("routes.toml").read_text("utf-8"))["route"]
HOSTILE = (
    "",
    "<script>alert(1)</script>",
    "\x00\x1b[31m\u202e\ud7ff",
    "9" * 400,
    "-1",
    "../../etc/passwd",
    "' OR 1=1 --",
    "ü" * 150,
    "%ff%00",
    '{"id": [[[',
)
FIELDS = [
    "action",
    "address",
    "answer",
    "as_of",
    "back",
    "before",
    "certificate",
    "code",
    "cursor",
    "domain",
    "error",
    "expires",
    "form",
    "format",
    "from",
    "id",
    "iss",
    "label",
    "message_id",
    "name",
    "older_than",
    "outcome",
    "password",
    "person",
    "q",
    "reason",
    "role",
    "saved",
    "scope-read",
    "sender",
    "session",
    "since",
    "state",
    "step",
    "subject",
    "tenant",
    "to",
    "token",
    "until",
    "what",
    "who",
]


def test_every_page_is_in_the_table_and_every_row_is_a_page() -> None:
    assert {(each.method, each.path) for each in PAGES} == {(each["method"], each["path"]) for each in ROUTES}


def test_no_page_stands_twice() -> None:
    assert len({(each.method, each.path) for each in PAGES}) == len(PAGES)


def test_our_files_need_nobody_to_sign_in(console: Any) -> None:
    for name, kind in (("console.css", "text/css"), ("htmx.min.js", "text/javascript"), ("icon.svg", "image/svg+xml")):
        answer = console.browser().get(f"/static/{name}")
        assert answer.status_code == 200 and answer.headers["content-type"].startswith(kind)
    assert console.browser().get("/static/../application.py").status_code == 404


def filled(page: Page, text: str) -> str:
    """Its address with `text` for what is in braces."""
    return re.sub(r"\{[^}]*\}", lambda _: quote(text, safe="") or "x", page.path)


@pytest.fixture
def unbounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every bug is said here, also the same again."""
    monkeypatch.setattr(_BUGS, "wait_s", lambda where, now: 0.0)


@pytest.mark.soak
@pytest.mark.parametrize("who", [("olga",), ("ann", "contoso"), ()], ids=["operator", "tenant", "nobody"])
def test_every_page_answers_whatever_is_sent(
    console: Any, unbounded: None, capsys: pytest.CaptureFixture[str], who: tuple[str, ...]
) -> None:
    console = console.with_settings(requests_per_minute=1_000_000, url="https://console.example")
    browser = console.person(*who) if who else console.browser()
    csrf = browser.csrf() if who else ""
    for page in PAGES:
        if "sign-out" in page.path:
            continue
        for text in some(HOSTILE, 4, seed=page.path + page.method):
            address, said = filled(page, text), dict.fromkeys(FIELDS, text)
            if page.method == "GET":
                # As it is where it is encoded already: octets that are no UTF-8.
                value = text if text.startswith("%") else quote(text)
                answer = browser.get(f"{address}?{'&'.join(f'{name}={value}' for name in FIELDS)}")
            else:
                answer = browser.submit(address, **said, csrf=csrf)
            assert answer.status_code < 500, f"{page.method} {address} with {text!r}: {capsys.readouterr().err}"
            assert "<script>alert" not in answer.text, f"{page.method} {address}"
            assert "Traceback" not in unescape(answer.text)
    assert "bug" not in capsys.readouterr().err
