"""Session records, whole for operators, and for a tenant as far as they concern it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from gatepost.admin.sessions.recorded import RecordedSessions
from gatepost.errors import NotFound
from gatepost.store.directory.editor import SqliteDirectoryEditor
from gatepost.tenancy.tenant import AcceptedDomain

ID = "08DF4F93C5973840"
AT = datetime(2026, 11, 1, tzinfo=UTC)


def recipient(tenant: str | None, outcome: str) -> dict[str, Any]:
    return {"outcome": outcome, "tenant": tenant, "rcpt_to": "bob@outside.example", "reasons": []}


def record(*transactions: dict[str, Any]) -> dict[str, Any]:
    names = ("closed_at", "closed", "address", "listener", "ehlo", "tls")
    return {"session_id": ID, "at": AT.isoformat(), "transactions": transactions, **dict.fromkeys(names)}


RECORD = record(
    {"mail_from": "ann@contoso.com", "reply": None, "recipients": [recipient(None, "refused")]},
    {"mail_from": "fred@fabrikam.com", "reply": None, "recipients": [recipient("fabrikam", "relay")]},
)


class Stored:
    def find(self, session_id: str) -> Mapping[str, Any] | None:
        return RECORD if session_id == ID else None

    def oldest(self) -> datetime | None:
        return AT


def seen(editor: SqliteDirectoryEditor, tenant: str | None, text: str = ID) -> list[str]:
    found = RecordedSessions(sessions=Stored(), directory=editor, tenant=tenant).document(text)
    return [each["mail_from"] for each in found["transactions"] if each["recipients"]]


@pytest.fixture(autouse=True)
def domains(editor: SqliteDirectoryEditor) -> None:
    since = datetime(2026, 10, 1, tzinfo=UTC)
    domain = AcceptedDomain(domain="contoso.com", tenant="contoso", token="t", verified=True, verified_at=since)
    editor.put_domain(domain, "add")


def test_an_operator_reads_all_and_a_tenant_its_own(editor: SqliteDirectoryEditor) -> None:
    assert seen(editor, None, f"[relay {ID.lower()}]") == ["ann@contoso.com", "fred@fabrikam.com"]
    assert seen(editor, "contoso") == ["ann@contoso.com"]
    assert seen(editor, "fabrikam") == ["fred@fabrikam.com"]


def test_a_domain_that_was_verified_later_shows_nothing_from_before(editor: SqliteDirectoryEditor) -> None:
    since = datetime(2026, 11, 2, tzinfo=UTC)
    domain = AcceptedDomain(domain="contoso.com", tenant="contoso", token="t", verified=True, verified_at=since)
    editor.put_domain(domain, "set")
    with pytest.raises(NotFound):
        seen(editor, "contoso")


def test_what_is_not_a_tenants_is_answered_as_what_does_not_exist(editor: SqliteDirectoryEditor) -> None:
    editor.remove_domain(next(iter(editor.all_domains("contoso"))))
    answers = set()
    for session_id in (ID, "08DF4F93C5973880"):
        with pytest.raises(NotFound) as missing:
            seen(editor, "contoso", session_id)
        answers.add(str(missing.value.to_tenant).replace(session_id, "ID"))
    assert answers == {"there is no session ID of yours"}
