"""One box leads to the page that answers."""

from typing import Any
from urllib.parse import quote

import pytest


def test_whatever_names_one_message_leads_to_its_story(console: Any, row: Any) -> None:
    item = row(refused=True)
    accepted = row()
    console.trace(item, accepted)
    olga = console.person("olga")
    reply = f"550 5.7.64 TenantAttribution; x [relay.example.net 2026-12-01T12:00:00.000Z {item.session_id}]"
    for text, leads_to in (
        (item.session_id.lower(), item.id),
        (reply, item.id),
        (accepted.message_id, accepted.id),
        (f"<{accepted.message_id}>", accepted.id),
        (accepted.place.message, accepted.id),
    ):
        answer = olga.get(f"/search?q={quote(text)}")
        assert (answer.status_code, answer.headers.get("location")) == (303, f"/trace/{leads_to}"), text


@pytest.mark.parametrize(
    ("text", "leads_to"),
    [
        ("192.0.2.1", "/trace?address=192.0.2.1"),
        ("[2001:db8::1]", "/trace?address=2001%3Adb8%3A%3A1"),
        ("ab" * 32, f"/trace?certificate={'ab' * 32}"),
        (":".join(["AB"] * 32), f"/trace?certificate={'%3A'.join(['AB'] * 32)}"),
        ("", "/"),
    ],
)
def test_a_fact_leads_to_the_filter_that_asks_for_it(console: Any, text: str, leads_to: str) -> None:
    answer = console.person("olga").get(f"/search?q={quote(text)}")
    assert (answer.status_code, answer.headers["location"]) == (303, leads_to)


def test_an_address_and_a_name_show_what_there_is(console: Any, row: Any) -> None:
    console.trace(row(mail_from="ann@contoso.com", from_domain="contoso.com", rcpt_to="bob@outside.example"))
    olga = console.person("olga")
    for text, titles in (
        ("ann@contoso.com", ("Sent by this address", "Sent to this address")),
        ("mail.contoso.com", ("Mail of this domain", "With a certificate of this name")),
    ):
        answer = olga.get(f"/search?q={text}")
        assert answer.status_code == 200 and all(each in answer.text for each in titles)
        assert "bob@outside.example" in answer.text


@pytest.mark.parametrize("text", ["nothing at all", "<script>", "a@b", "x" * 3000, "\x00", "%", "a..b"])
def test_what_is_nowhere_is_said_with_what_would_be_found(console: Any, text: str) -> None:
    answer = console.person("olga").get(f"/search?q={quote(text)}")
    assert answer.status_code == 404


def test_a_tenant_finds_nothing_of_anothers(console: Any, row: Any) -> None:
    item = row(tenant="fabrikam", mail_from="fred@fabrikam.com", from_domain="fabrikam.com")
    console.trace(item)
    ann = console.person("ann", "contoso")
    for text in (item.session_id, item.message_id, item.place.message, "fred@fabrikam.com", "fabrikam.com"):
        answer = ann.get(f"/search?q={quote(text)}")
        assert answer.status_code == 404 and item.rcpt_to not in answer.text, text
    assert item.rcpt_to not in ann.get("/").text
