"""A search as a file: what the page shows, no formula, page after page, and kept who fetched it."""

import csv
import io
import json
from typing import Any

import pytest

from gatepost.admin.people import people
from gatepost.tenancy.person import ActivityFilter


def test_a_file_holds_what_the_search_shows_to_whoever_asks(console: Any, row: Any) -> None:
    rows = [row() for _ in range(3)]
    theirs = row(tenant="fabrikam", mail_from="fred@fabrikam.com", from_domain="fabrikam.com")
    console.trace(*rows, theirs)
    olga, ann = console.person("olga"), console.person("ann", "contoso")
    for who, count in ((olga, 4), (ann, 3)):
        answer = who.get("/export?format=json&outcome=accepted")
        assert answer.headers["content-type"] == "application/json"
        assert 'attachment; filename="trace-' in answer.headers["content-disposition"]
        found = answer.json()
        assert (len(found["items"]), found["next"]) == (count, None)
        table = list(csv.DictReader(io.StringIO(who.get("/export").text)))
        assert len(table) == count and table[0]["id"] == found["items"][0]["id"]
    assert "fabrikam" not in ann.get("/export").text
    assert ann.get("/export?tenant=fabrikam").status_code == 404
    assert console.browser().get("/export").status_code == 303


def test_nothing_in_it_is_a_formula(console: Any, row: Any) -> None:
    console.trace(row(mail_from='=HYPERLINK("http://x")@contoso.com', reply="+1", rcpt_to="-1@x.example"))
    (found,) = csv.DictReader(io.StringIO(console.person("olga").get("/export").text))
    assert [found[each][0] for each in ("mail_from", "reply", "rcpt_to")] == ["'", "'", "'"]


def test_it_goes_from_page_to_page_and_says_where_it_ends(
    console: Any, row: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    console.trace(*[row() for _ in range(25)])
    monkeypatch.setattr("gatepost.console.export.MOST_ON_A_PAGE", 10)
    olga = console.person("olga")
    assert len(olga.get("/export?format=json").json()["items"]) == 25
    assert len(olga.get("/export").text.splitlines()) == 26
    monkeypatch.setattr("gatepost.console.export.MOST_ROWS", 20)
    found = olga.get("/export?format=json").json()
    assert len(found["items"]) == 20
    rest = olga.get(f"/export?format=json&cursor={found['next']}").json()
    assert (len(rest["items"]), rest["next"]) == (5, None)
    assert f"cursor={found['next']}" in olga.get("/export").text.splitlines()[-1]


def test_what_is_wrong_is_a_page_and_what_is_empty_is_a_file(console: Any) -> None:
    olga = console.person("olga")
    for wrong in ("format=xml", "address=nonsense", "since=yesterday", "cursor=abc"):
        answer = olga.get(f"/export?{wrong}")
        assert answer.status_code == 409 and "text/html" in answer.headers["content-type"]
    assert olga.get("/export?format=json").json() == {"items": [], "next": None}
    assert len(olga.get("/export").text.splitlines()) == 1


def test_who_fetched_what_is_kept(console: Any, row: Any) -> None:
    console.trace(row())
    ann = console.person("ann", "contoso")
    ann.get("/export?from=ann@contoso.com")
    with console.editor() as editor:
        latest = people.activities(editor, ActivityFilter(person="ann"), 1)[0]
    assert latest.about == f"an export of the trace as csv, filters: {json.dumps({'from': 'ann@contoso.com'})}"


def test_the_search_leads_to_the_file(console: Any, row: Any) -> None:
    console.trace(row())
    page = console.person("olga").get("/trace?from=ann@contoso.com&cursor=").text
    assert 'href="/export?from=ann%40contoso.com&amp;format=csv"' in page


def test_who_may_not_see_subjects_exports_none(console: Any, row: Any) -> None:
    console.trace(row(subject="a secret"))
    tess, ann = console.person("tess", "contoso", "trace-without-subject"), console.person("ann", "contoso")
    assert "a secret" in ann.get("/export?format=json").text
    answer = tess.get("/export?format=json")
    assert len(answer.json()["items"]) == 1 and "a secret" not in answer.text
