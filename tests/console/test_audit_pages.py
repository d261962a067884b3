"""Who changed what and who looked at what, by who, what and when; a tenant's administrator sees its own."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gatepost.admin.directory import domains


@pytest.fixture
def furnished(console: Any) -> Any:
    with console.editor() as editor:
        for tenant in ("contoso", "fabrikam"):
            domains.add(editor, tenant, f"{tenant}.com", match_subdomains=False, verified=False, at=datetime.now(UTC))
    return console


def test_changes_are_found_by_who_what_and_when(furnished: Any) -> None:
    olga = furnished.person("olga")
    page = olga.get("/audit").text
    assert "domain contoso.com" in page and "domain fabrikam.com" in page and "tester" in page
    found = olga.get("/audit?what=DOMAIN+contoso").text
    assert "domain contoso.com" in found and "domain fabrikam.com" not in found
    assert "No change is like that" in olga.get("/audit?who=somebody").text
    assert "domain contoso.com" in olga.get("/audit?who=TEST&since=1h").text
    assert "domain contoso.com" in olga.get(f"/audit?since={'9' * 300}d").text
    assert "No change is like that" in olga.get("/audit?until=1h").text
    version = olga.get("/audit").text.partition("/changes/")[2].partition('"')[0]
    assert olga.get(f"/changes/{version}").status_code == 200


def test_a_tenants_administrator_sees_its_own_and_not_from_where_others_did_it(furnished: Any) -> None:
    ann = furnished.person("ann", "contoso")
    page = ann.get("/audit").text
    assert "domain contoso.com" in page and "fabrikam" not in page
    assert "No change is like that" in ann.get("/audit?what=fabrikam").text
    assert "192.0.2.1" in page, "from where a person of its own did something"
    assert "No change is like that" in ann.get("/audit?who=192.0.2").text, "addresses are not searched"
    with furnished.editor() as editor:
        assert {each.who for each in editor.audit(subject="person ann")} == {"person ann", "tester"}


def test_who_looked_at_what_is_the_tenants_own_to_see(furnished: Any, row: Any) -> None:
    own, theirs = row(tenant="contoso"), row(tenant="fabrikam", mail_from="f@fabrikam.com", from_domain="fabrikam.com")
    furnished.trace(own, theirs)
    ann, fred, olga = (furnished.person(*who) for who in (("ann", "contoso"), ("fred", "fabrikam"), ("olga",)))
    ann.get(f"/trace/{own.id}"), fred.get(f"/trace/{theirs.id}"), olga.get(f"/trace/{own.id}")
    page = ann.get("/audit/activity").text
    assert own.id in page and "signed in" in page and "fred" not in page and "olga" not in page
    assert theirs.id not in ann.get("/audit/activity?who=fred").text
    every = olga.get("/audit/activity?what=message").text
    assert theirs.id in every and every.count(own.id) == 2 and "signed in with" not in every
    assert "Nothing is like that" in olga.get("/audit/activity?until=2d").text


def test_older_entries_follow(furnished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.console.audit_pages._ROWS", 2)
    olga = furnished.person("olga")
    for path in ("/audit", "/audit/activity"):
        for _ in range(2):
            furnished.browser().submit("/sign-in", name="olga", password="wrong")
        seen, address = [], path
        while address:
            page = olga.get(address).text
            seen.append(page)
            address = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
        assert len(seen) > 1 and seen[0] != seen[1]


@pytest.mark.parametrize("query", ["since=never", "until=2026-13-01", "until=0x5"])
def test_a_wrong_time_is_said_at_its_field(furnished: Any, query: str) -> None:
    olga = furnished.person("olga")
    for path in ("/audit", "/audit/activity"):
        answer = olga.get(f"{path}?{query}")
        assert answer.status_code == 409 and 'aria-invalid="true"' in answer.text
        assert "--" not in answer.text.partition('role="alert"')[2].partition("</p>")[0]
        assert "<tbody" not in answer.text, "what was not asked for does not pass for an answer"


@pytest.mark.parametrize("before", ["0", "x", "-1", "9" * 19, "9" * 400, "²"])
def test_whatever_a_page_is_said_to_begin_before_is_answered(furnished: Any, before: str) -> None:
    olga = furnished.person("olga")
    for path in ("/audit", "/audit/activity"):
        assert olga.get(f"{path}?before={before}").status_code == 200
