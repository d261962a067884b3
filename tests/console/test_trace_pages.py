"""The trace as a list and as a story."""

import re
from typing import Any

from gatepost.console.trace_pages import ROWS


def test_a_filter_is_in_the_address_and_in_its_field(console: Any, row: Any) -> None:
    console.trace(row(mail_from="ann@contoso.com"), row(refused=True, mail_from="eve@evil.example"))
    page = console.person("olga").get("/trace?from=eve%40evil.example&outcome=refused").text
    assert 'name="from" type="text" value="eve@evil.example"' in page and "ann@contoso.com</td>" not in page
    assert '<option value="refused" selected>' in page


def test_pages_follow_without_a_count(console: Any, row: Any) -> None:
    console.trace(*(row() for _ in range(ROWS + 3)))
    browser = console.person("olga")
    first = browser.get("/trace?outcome=accepted").text
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following and "outcome=accepted" in following[1]
    second = browser.get(following[1].replace("&amp;", "&")).text
    assert second.count('<tr role="row">') == 1 + 3 and 'rel="next"' not in second


def test_a_wrong_filter_is_said_at_its_field(console: Any) -> None:
    answer = console.person("olga").get("/trace?from=nonsense&cursor=")
    assert answer.status_code == 409
    assert re.search(r'id="f-from"[^>]* aria-invalid="true" aria-describedby="problem"', answer.text)
    assert 'id="problem"' in answer.text


def test_a_changed_cursor_opens_nothing(console: Any) -> None:
    assert console.person("olga").get("/trace?cursor=AAAA").status_code == 409


def test_a_tenant_sees_its_own_mail_alone(console: Any, row: Any) -> None:
    own, other = row(tenant="contoso"), row(tenant="fabrikam", mail_from="fred@fabrikam.com")
    console.trace(own, other)
    ann = console.person("ann", "contoso")
    page = ann.get("/trace").text
    assert own.rcpt_to in page and "fabrikam" not in page
    assert ann.get("/trace?tenant=fabrikam").status_code == 404
    foreign, nothing = ann.get(f"/trace/{other.id}"), ann.get("/trace/0000000000000000.0.0")
    assert foreign.status_code == nothing.status_code == 404
    assert foreign.text.replace(other.id, "ID") == nothing.text.replace("0000000000000000.0.0", "ID")


def test_a_story_is_told_even_when_the_session_record_is_gone(console: Any, row: Any) -> None:
    item = row(subject="Hello", tenant="contoso")
    console.trace(item)
    page = console.person("olga").get(f"/trace/{item.id}").text
    assert "What happened" in page and "Hello" in page and "mail.contoso.com" in page and "Attribution" not in page


def test_no_mail_says_so(console: Any) -> None:
    browser = console.person("olga")
    assert "There is no mail yet" in browser.get("/trace").text
    assert "No mail matches" in browser.get("/trace?domain=x.example").text


def test_a_role_without_subjects_reads_none(console: Any, row: Any) -> None:
    item = row(tenant="contoso", subject="the merger")
    console.trace(item)
    ann = console.person("ann", "contoso")
    tess = console.person("tess", "contoso", "trace-without-subject")
    assert "the merger" in ann.get(f"/trace/{item.id}").text
    for path in (f"/trace/{item.id}", "/trace", "/", "/search?q=" + item.id):
        answer = tess.get(path)
        assert answer.status_code in (200, 303) and "the merger" not in answer.text
    searched = tess.get("/trace?subject=merger")
    assert searched.status_code == 409 and "may not search subjects" in searched.text
    assert tess.get("/queue").status_code == 403
    exported = tess.get("/export?format=json")
    assert item.id in exported.text and "the merger" not in exported.text
    assert "the merger" in ann.get("/export?format=json").text
    for path in re.findall(r'<a href="(/[a-z]*)"', tess.get("/").text.partition("<nav")[2].partition("</nav>")[0]):
        assert tess.get(path).status_code == 200, "the navigation leads to nothing that is closed"
