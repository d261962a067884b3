"""Rates, reasons and what ends: an operator's of the workers, a tenant's of its own mail."""

import html
import json
import re
import time
from datetime import UTC, datetime
from typing import Any

from gatepost.admin.directory import domains
from gatepost.app.figures import definitions, snapshots


def chart(page: str) -> dict[str, Any]:
    found = re.search(r'data-chart="([^"]*)"', page)
    assert found, page
    shown: dict[str, Any] = json.loads(html.unescape(found[1]))
    return shown


def test_an_operator_sees_what_the_workers_counted(console: Any) -> None:
    last_minute = str(int(time.time() // 60) - 1)
    refused = {"certificate-expired": 7, "no-certificate-presented": 2}
    minute = {"accepted": 12, "refused": refused, "delivered": 3, "deferred": 0, "failed": 0}
    counts = [0] * (len(definitions.HISTOGRAMS[2].bounds) + 1)
    counts[3] = 100
    past = {
        "counters": {},
        "histograms": {definitions.ACCEPT_SECONDS: {"counts": counts, "sum": 1.0}},
        "minutes": {last_minute: minute},
    }
    folder = console.config.status_folder
    snapshots.begin(folder, {"pid": 0, "started_at": 0, "version": "x"})
    record = json.loads((folder / "serve.json").read_text("utf-8"))
    snapshots.write(folder / "serve.json", {**record, "past": past})
    page = console.person("olga").get("/dashboard").text
    assert chart(page)["counts"]["accepted"][-1] == 12 and chart(page)["counts"]["refused"][-1] == 9
    assert page.index("certificate-expired") < page.index("no-certificate-presented")
    assert "10 ms" in page and "does not run" in page
    assert '<td class="number">12</td>' in page, "the numbers stand in a table too"


def test_a_tenant_sees_its_own_mail_alone(console: Any, row: Any) -> None:
    with console.editor() as editor:
        for tenant in ("contoso", "fabrikam"):
            long_ago = datetime(2020, 1, 1, tzinfo=UTC)
            domains.add(editor, tenant, f"{tenant}.com", match_subdomains=False, verified=True, at=long_ago)
    console.trace(*(row() for _ in range(3)), row(refused=True), row(tenant="fabrikam", mail_from="f@fabrikam.com"))
    page = console.person("ann", "contoso").get("/dashboard").text
    assert sum(chart(page)["counts"]["waiting"]) == 3 and sum(chart(page)["counts"]["refused"]) == 1
    assert "certificate-expired" in page and "How long it took" not in page
    fred = console.person("fred", "fabrikam").get("/dashboard").text
    assert sum(chart(fred)["counts"]["waiting"]) == 1


def test_without_mail_the_page_says_so(console: Any) -> None:
    for who in (console.person("olga"), console.person("ann", "contoso")):
        page = who.get("/dashboard").text
        assert "No mail in this time" in page and "data-chart" not in page


def test_what_ends_is_shown_to_its_tenant(console: Any) -> None:
    with console.editor() as editor:
        for tenant in ("contoso", "fabrikam"):
            claimed = datetime.now(UTC).replace(microsecond=0)
            domains.add(editor, tenant, f"{tenant}.net", match_subdomains=False, verified=False, at=claimed)
    for who in (console.person("olga"), console.person("ann", "contoso")):
        answer = who.get("/ending")
        assert answer.status_code == 200
    assert "fabrikam" not in answer.text
