"""A pasted bounce is diagnosed with the relay's own records, as far as they are of whoever asks."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from gatepost.admin.directory import domains
from gatepost.app.diagnosing import GivenUp
from gatepost.doctor.apart import report_about
from gatepost.https.rates import Rate

REPLY = (
    "550 5.7.64 TenantAttribution; Relay Access Denied; certificate-expired 'mail.contoso.com' "
    "[r.example.net 2026-12-01T12:00:00.000Z {}]"
)


@pytest.fixture(autouse=True)
def owners(console: Any) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    with console.editor() as editor:
        for tenant in ("contoso", "fabrikam"):
            domains.add(editor, tenant, f"{tenant}.com", match_subdomains=False, verified=True, at=long_ago)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded machine takes as long as it takes; `app.diagnosing` is tested by itself."""
    monkeypatch.setattr("gatepost.console.diagnosis.diagnosed", lambda texts, tenant: report_about(texts))


def test_a_bounce_shows_the_cause_the_repair_and_the_message(console: Any, row: Any) -> None:
    item = row(refused=True)
    console.trace(item)
    bounce = f"Your message could not be delivered:\r\n{REPLY.format(item.session_id)}\r\n<script>alert(1)</script>"
    for who in (console.person("olga"), console.person("ann", "contoso")):
        page = who.get(f"/search?q={quote(bounce)}")
        assert page.status_code == 200
        assert f'href="/trace/{item.id}"' in page.text and f'href="/unattributed/{item.id}"' in page.text
        assert "certificate-expired" in page.text and "Repair" in page.text and "openssl" in page.text
        assert "<script>alert" not in page.text and "&lt;script&gt;" in page.text


def test_another_tenants_message_is_as_if_it_were_not_there(console: Any, row: Any) -> None:
    item = row(refused=True, mail_from="ann@contoso.com")
    console.trace(item)
    fred = console.person("fred", "fabrikam")
    page = fred.get(f"/search?q={quote('a bounce' + chr(10) + REPLY.format(item.session_id))}").text
    assert "no record of yours" in page and item.id not in page and item.rcpt_to not in page
    assert fred.get(f"/diagnosis/{item.id}").status_code == 404


def test_a_message_is_diagnosed_from_the_records_alone(console: Any, row: Any) -> None:
    item = row(refused=True, reply=REPLY.format("08DF4F93C5973881"))
    console.trace(item)
    page = console.person("ann", "contoso").get(f"/diagnosis/{item.id}").text
    assert "The relay refused with the reason certificate-expired" in page and "the relay&#39;s trace" in page


def test_who_sees_the_trace_alone_is_led_to_no_connector(console: Any, row: Any) -> None:
    item = row(refused=True)
    console.trace(item)
    tess = console.person("tess", "contoso", "trace-without-subject")
    for path in (f"/diagnosis/{item.id}", f"/trace/{item.id}"):
        page = tess.get(path)
        assert page.status_code == 200 and "/unattributed" not in page.text.partition("<main")[2]


def test_nobody_diagnoses_all_the_time(console: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("gatepost.console.diagnosis.diagnosed", lambda texts, tenant: GivenUp.TOO_LONG)
    olga = console.person("olga-in-a-hurry")
    answers = [olga.get(f"/search?q={quote('two' + chr(10) + 'lines')}") for _ in range(6)]
    assert "took too long" in answers[0].text and answers[-1].status_code == 429


def test_a_tenant_with_many_people_takes_no_turn_of_another(console: Any, monkeypatch: Any) -> None:
    said = {None: GivenUp.FAILED, "contoso": GivenUp.BUSY, "fabrikam": GivenUp.BUSY}
    monkeypatch.setattr("gatepost.console.diagnosis.diagnosed", lambda texts, tenant: said[tenant])
    monkeypatch.setattr("gatepost.console.diagnosis._ASKED_BY_TENANT", Rate(24))
    olga, fred = console.person("olga"), console.person("fred", "fabrikam")
    console = console.with_settings(requests_per_minute=100_000)
    path = f"/search?q={quote('two' + chr(10) + 'lines')}"
    answers = [console.person(f"ann{n}", "contoso").get(path) for n in range(9)]
    assert "other diagnoses are running" in answers[0].text
    assert answers[-1].status_code == 429 and "by this tenant" in answers[-1].text
    assert fred.get(path).status_code == 200
    assert "ended without a report" in olga.get(path).text
