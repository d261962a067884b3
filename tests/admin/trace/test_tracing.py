"""The trace as its operator and its tenants ask it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.trace_store_contract import CERTIFICATE, NOON, event, received
from gatepost.admin.directory import inbound_connectors
from gatepost.admin.trace.choice import Words
from gatepost.admin.trace.tracing import LocalTraces
from gatepost.errors import BadRequest, NotAllowed, NotFound
from gatepost.store.directory.editor import SqliteDirectoryEditor
from gatepost.store.trace.reader import SqliteTraceReader
from gatepost.store.trace.writer import Retention, SqliteTraceWriter
from gatepost.tenancy.tenant import AcceptedDomain
from gatepost.trace.search import Share
from gatepost.trace.story import Received, What

AT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def traces(tmp_path: Path, editor: SqliteDirectoryEditor) -> Any:
    editor.put_domain(
        AcceptedDomain(domain="contoso.com", tenant="contoso", token="t", verified=True, verified_at=AT), "add"
    )

    def opened(*rows: Received, tenant: str | None = None) -> LocalTraces:
        writer = SqliteTraceWriter(tmp_path / "trace", 0, Retention(max_age_s=0.0, max_octets=0), lambda: NOON)
        for each in rows:
            share: Share = "strangers" if each.tenant is None else "tenants"
            writer.write(share, [each])
        writer.close()
        reader = SqliteTraceReader(tmp_path / "trace")
        return LocalTraces(reader=reader, directory=editor, now=NOON + 60, tenant=tenant)

    return opened


def test_a_story_is_found_by_whatever_names_it(traces: Any) -> None:
    row = received(first=event(What.DELIVERED))
    asked = traces(row)
    queue_id = row.place.message if row.place else ""
    for text in (
        row.id,
        row.id.lower(),
        row.session_id,
        f" {row.session_id.lower()} ",
        queue_id,
        f"<{row.message_id}>",
        row.message_id,
        f"250 2.6.0 {queue_id} Queued mail for delivery",
        f"550 5.7.64 TenantAttribution; x [relay.example.net 2026-12-01T12:00:00.000Z {row.session_id}]",
        f"Your message\nMessage-ID: <{row.message_id}>\ncould not be delivered",
    ):
        assert asked.story(text)["id"] == row.id, text


@pytest.mark.parametrize("text", ["", "nothing", "08DF4F93C5973840", "9-9", "<no@where>", "x" * 5000, "a\x1b[31mb"])
def test_what_is_not_there_is_one_line(traces: Any, text: str) -> None:
    for tenant in (None, "contoso"):
        with pytest.raises(NotFound) as refused:
            traces(received(), tenant=tenant).story(text)
        assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


def test_a_tenant_pages_through_its_own_though_most_is_anothers(traces: Any) -> None:
    rows = [received(NOON + number, tenant="contoso" if number % 50 == 0 else "fabrikam") for number in range(200)]
    asked = traces(*rows, tenant="contoso")
    first = asked.search(Words(), 3)
    assert len(first.items) == 3 and {each["tenant"] for each in first.items} == {"contoso"}
    second = asked.search(Words(), 3, first.next)
    assert (len(second.items), second.next) == (1, None)


def test_refused_mail_is_shown_to_whom_it_concerns(traces: Any) -> None:
    refused = received(refused=True, certificate=CERTIFICATE)
    assert [each["id"] for each in traces(refused, tenant="contoso").search(Words(), 5).items] == [refused.id]
    assert traces(tenant="fabrikam").search(Words(), 5).items == []


def test_what_a_tenant_is_not_shown_it_does_not_find_by_guessing(traces: Any, editor: SqliteDirectoryEditor) -> None:
    """Anybody may list a server's address, and then sees that it was refused; whom it wrote to is not told."""
    inbound_connectors.add(editor, "fabrikam", "listed", {"addresses": ["192.0.2.1"]}, enabled=True)
    row = received(refused=True, certificate=None, mail_from="ann@partner.example", from_domain="partner.example")
    asked = traces(row, tenant="fabrikam")
    (shown,) = asked.search(Words(), 5).items
    assert "ann" not in str(shown) and shown["mail_from"].endswith("@partner.example")
    for guess in (
        Words(mail_from="ann@partner.example"),
        Words(rcpt_to=row.rcpt_to),
        Words(message_id=row.message_id),
    ):
        assert asked.search(guess, 5).items == []
    assert len(asked.search(Words(domain="partner.example"), 5).items) == 1
    assert len(traces().search(Words(mail_from="ann@partner.example"), 5).items) == 1


def test_another_tenants_name_is_as_unknown_as_one_that_does_not_exist(traces: Any) -> None:
    for name in ("fabrikam", "nobody"):
        with pytest.raises(NotFound, match=f"there is no tenant '{name}'"):
            traces(received(tenant="fabrikam"), tenant="contoso").search(Words(tenant=name), 5)
    assert traces().search(Words(tenant="removed-long-ago"), 5).items == []


def test_a_cursor_of_another_search_is_refused(traces: Any) -> None:
    asked = traces(*(received(NOON + number) for number in range(3)))
    cursor = asked.search(Words(), 1).next
    assert asked.search(Words(), 1, cursor).items
    for words, text in ((Words(tenant="contoso"), cursor), (Words(), cursor + "x"), (Words(), "")):
        with pytest.raises(BadRequest) as refused:
            asked.search(words, 1, text)
        assert refused.value.code == "bad-cursor"


def test_without_the_subject_it_is_neither_shown_nor_searched(traces: Any) -> None:
    row = received(first=event(What.DELIVERED), subject="the merger")
    whole = traces(row)
    assert whole.search(Words(subject="merger"), 10).items[0]["subject"] == "the merger"
    asked = replace(whole, with_subject=False)
    assert "merger" not in str(asked.search(Words(), 10)) + str(asked.story(row.id))
    assert asked.story(row.id)["rcpt_to"] == row.rcpt_to
    with pytest.raises(NotAllowed, match="may not search subjects"):
        asked.search(Words(subject="merger"), 10)
