"""The queue: seen and decided about by those it belongs to."""

import asyncio
import time
from typing import Any

import pytest

from contracts.queue_messages import message
from gatepost.console.queue_pages import by_next_hop
from gatepost.store.queue.sqlite_queue import SqliteQueueStore
from gatepost.trace.story import Event, What


@pytest.fixture(autouse=True)
def queue(console: Any) -> None:
    """0-1 is contoso's, 0-2 fabrikam's."""

    async def fill() -> None:
        store = SqliteQueueStore(console.config.queue_folder, 0)
        for tenant in ("contoso", "fabrikam"):
            made = message(f"to-{tenant}@outside.example", tenant=tenant, received_at=time.time() + 1)
            await store.accept(made, claim=False)
        await store.close()

    asyncio.run(fill())


def test_a_tenant_sees_what_waits_of_its_own(console: Any) -> None:
    olga, ann = console.person("olga"), console.person("ann", "contoso")
    assert "2 recipients in the queue" in olga.get("/queue").text
    page = ann.get("/queue").text
    assert "1 recipient in the queue" in page and "to-contoso@" in page and "fabrikam" not in page
    assert "to-fabrikam@" not in ann.get("/queue?tenant=fabrikam").text
    assert "Subject: hello" in ann.get("/queue/messages/0-1").text
    assert ann.get("/queue/messages/0-2").status_code == 404
    assert olga.get("/queue?state=nonsense").status_code == 409
    assert "No queued mail matches" in olga.get("/queue?domain=x.example").text


def delayed(next_hop: str | None, rcpt_to: str, at: str, reply: str) -> dict[str, Any]:
    return {"next_hop": next_hop, "rcpt_to": rcpt_to, "at": at, "reply": reply}


def test_next_hops_say_what_they_said_last() -> None:
    items = [
        delayed("mx.example[192.0.2.9]:25", "a@one.example", "2026-01-02T00:00:00Z", "450 later"),
        delayed(None, "b@two.example", "2026-01-01T12:00:00Z", "no MX"),
        delayed("mx.example[192.0.2.9]:25", "c@ONE.example", "2026-01-01T00:00:00Z", "450 before"),
    ]
    first, second = by_next_hop(items, None)
    assert (first.host, first.recipients, first.oldest_at, first.said) == (
        "mx.example[192.0.2.9]:25",
        2,
        "2026-01-01T00:00:00Z",
        "450 later",
    )
    assert second.host is None
    assert [each.recipients for each in by_next_hop(items, "one.example")] == [2]


def test_the_queue_shows_the_next_hops_of_its_mail(console: Any, row: Any) -> None:
    deferred = Event(time.time(), What.DEFERRED, "mx.outside.example[192.0.2.9]:25", None, 0.1, "450 4.2.1 busy")
    console.trace(row(first=deferred), row(first=deferred, tenant="fabrikam", mail_from="f@fabrikam.com"))
    olga, ann = console.person("olga"), console.person("ann", "contoso")
    for who, count in ((olga, 2), (ann, 1)):
        shown = who.get("/queue").text.partition("What the next hops said last")[2].partition("</table>")[0]
        assert "450 4.2.1 busy" in shown and f'class="number">{count}<' in shown


def test_a_decision_shows_what_it_changes_before_it_does(console: Any) -> None:
    olga = console.person("olga")
    asked = olga.get("/queue/hold?message_id=0-1").text
    assert "Hold 1 recipient<" in asked
    assert "held" not in olga.get("/queue/messages/0-1").text
    done = olga.submit("/queue/hold", csrf=olga.csrf(), message_id="0-1")
    assert done.status_code == 303 and done.headers["location"] == "/queue"
    assert "<td>held</td>" in olga.get("/queue/messages/0-1").text
    assert "<td>queued</td>" in olga.get("/queue/messages/0-2").text
    with console.editor() as editor:
        entry = editor.audit(subject="queue")[0]
    assert (entry.who, entry.address, entry.action) == ("person olga", "192.0.2.1", "hold")
    assert olga.submit("/queue/hold", csrf=olga.csrf(), message_id="0-1").status_code == 409


def test_a_tenants_decision_reaches_its_own_mail_alone(console: Any) -> None:
    ann = console.person("ann", "contoso")
    csrf = ann.csrf()
    assert "Nothing would change" in ann.get("/queue/remove?message_id=0-2").text
    assert ann.submit("/queue/remove", csrf=csrf, message_id="0-2").status_code == 409
    assert ann.submit("/queue/hold", csrf=csrf, domain="outside.example", tenant="fabrikam").status_code == 303
    olga = console.person("olga")
    assert "<td>held</td>" in olga.get("/queue/messages/0-1").text
    assert "<td>queued</td>" in olga.get("/queue/messages/0-2").text


def test_who_may_only_read_decides_nothing(console: Any) -> None:
    for reader in (console.person("otto", None, "operator-read"), console.person("rita", "contoso", "tenant-read")):
        assert "/queue/hold" not in reader.get("/queue/messages/0-1").text
        assert reader.submit("/queue/hold", csrf=reader.csrf(), message_id="0-1").status_code == 403


def test_an_action_that_does_not_exist_is_not_found(console: Any) -> None:
    assert console.person("olga").get("/queue/explode?message_id=0-1").status_code == 404


def test_a_wrong_filter_is_said_where_it_is(console: Any) -> None:
    olga = console.person("olga")
    for name, text in (("domain", "a..b"), ("older_than", "soon"), ("sender", "nobody")):
        answer = olga.get(f"/queue?{name}={text}&tenant=contoso")
        assert answer.status_code == 409
        beside = answer.text.partition(f'id="f-{name}"')[2].partition("</p>")[0]
        assert 'aria-invalid="true"' in beside and 'role="alert"' in beside
        assert answer.text.count('role="alert"') == 1
