"""Pages are text that shows what it holds, and load nothing but our own files."""

import re
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import pytest

from gatepost.console import rendering
from gatepost.console.rendering import _environment, in_words, label_of, link, octets, when
from gatepost.errors import BadRequest, Named
from gatepost.tenancy.definitions import INBOUND_CONNECTOR

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202egnp\x1b[2J{{7*7}}&amp;"


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_text_is_inert_in_every_column(console: Any, row: Any) -> None:
    fields = ("mail_from", "rcpt_to", "message_id", "subject", "reply", "reason", "tls", "connector", "address")
    item = row(refused=True, **dict.fromkeys(fields, HOSTILE))
    console.trace(item)
    browser = console.person("olga")
    for path in ("/", "/trace", "/unattributed", link(f"/trace/{item.id}"), link("/search", q=HOSTILE)):
        page = browser.get(path)
        assert page.status_code in (200, 404), path
        found = Tags(page.text)
        assert {tag for tag, _ in found.tags} <= SAFE, path
        assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes), path
        assert "\u202e" not in page.text and "\x1b" not in page.text, path
        assert "<script>alert(1)" in found.text or path == "/unattributed", path
        assert page.headers["content-security-policy"] == rendering.POLICY


SAFE = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "link",
        "script",
        "body",
        "header",
        "nav",
        "main",
        "footer",
        "section",
        "article",
    ),
    *(
        "div",
        "span",
        "p",
        "a",
        "img",
        "form",
        "label",
        "input",
        "select",
        "option",
        "button",
        "textarea",
        "details",
        "summary",
    ),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "h1", "h2", "h3", "h4", "h5", "strong", "code", "time"),
    *("dl", "dt", "dd", "ol", "ul", "li", "br", "q", "pre"),
}


def test_the_policy_allows_our_own_files_and_nothing_inline() -> None:
    assert "unsafe" not in rendering.POLICY and "default-src 'none'" in rendering.POLICY
    folder = files("gatepost.console") / "templates"
    for template in folder.iterdir():
        text = template.read_text("utf-8")
        assert not re.search(r"<script(?! src=\"/static/)|<style|\sstyle=|\son\w+=|\|\s*safe", text), template.name
        assert not re.search(r"(?:src|href|action)=\"(?:https?:|//)", text), template.name


@pytest.mark.parametrize("name", ["console.css", "console.js"])
def test_our_files_load_nothing_from_elsewhere(name: str) -> None:
    text = (files("gatepost.console") / "static" / name).read_text("utf-8")
    assert not re.search(r"https?:|@import|url\(", text)


def test_a_library_comes_with_its_licence() -> None:
    static = files("gatepost.console") / "static"
    libraries = {each.name for each in static.iterdir()} - {"console.css", "console.js", "passkeys.js", "icon.svg"}
    assert libraries == {"htmx.min.js", "htmx.LICENSE.txt", "uplot.min.js", "uplot.min.css", "uplot.LICENSE.txt"}


def test_an_address_holds_any_text() -> None:
    assert link("/trace/a b?c#d", q="x&y=z", none=None, from_="<>") == "/trace/a%20b%3Fc%23d?q=x%26y%3Dz&from=%3C%3E"


def test_a_time_is_in_utc_and_says_so_to_programs() -> None:
    assert when("2026-12-01T11:00:00.5+01:00") == '<time datetime="2026-12-01T10:00:00.500Z">2026-12-01 10:00:00</time>'
    assert "10:00:00.500<" in when("2026-12-01T10:00:00.5Z", True)
    assert "never" in when(None)


def test_a_size_is_for_people() -> None:
    assert [octets(each) for each in (None, 12, 2048, 3 << 20)] == ["", "12 bytes", "2.0 KiB", "3.0 MiB"]


def test_a_sentence_calls_fields_as_a_form_does() -> None:
    field = INBOUND_CONNECTOR["certificate_names"]
    assert label_of(field) == "Certificate names"
    assert in_words(("give ", field)) == "give “Certificate names”"


def test_a_refusal_is_in_the_words_of_the_form_and_shows_what_it_holds() -> None:
    refusal = BadRequest(Named(name="from", option="from"), " \x1b<b>: must be an address", next_step="try again")
    shown = _environment().from_string("{{ problem }}").render(problem=refusal)
    assert shown == "“From” ␛&lt;b&gt;: must be an address; try again"
