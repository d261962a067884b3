"""`why` tells the most telling verdict first and loses none."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gatepost.admin.sessions.why import NoSessionId, SessionNotFound, session_id_in, why

SESSION = "08DD34FA3086278D"


def recipient(rcpt_to: str, outcome: str, reply: str) -> dict[str, Any]:
    return {
        "rcpt_to": rcpt_to,
        "outcome": outcome,
        "reason": "no-certificate-presented" if outcome == "refused" else None,
        "tenant": None if outcome == "refused" else "contoso",
        "connector": None,
        "basis": None,
        "reply": reply,
        "reasons": [],
        "warnings": [],
        "directory_version": 7,
    }


class Sessions:
    def __init__(self, *transactions: dict[str, Any], oldest: datetime | None = None) -> None:
        self._transactions = list(transactions)
        self._oldest = oldest

    def find(self, session_id: str) -> Mapping[str, Any] | None:
        if session_id != SESSION:
            return None
        return {
            "session_id": session_id,
            "at": "2025-01-01T00:00:00Z",
            "closed_at": None,
            "closed": None,
            "listener": "127.0.0.1:25",
            "address": "192.0.2.1",
            "ehlo": "mail",
            "tls": None,
            "transactions": self._transactions,
        }

    def oldest(self) -> datetime | None:
        return self._oldest


def transaction(*recipients: dict[str, Any], reply: str | None = None) -> dict[str, Any]:
    return {
        "number": 0,
        "mail_from": "ann@contoso.com",
        "recipients": list(recipients),
        "reply": reply,
        "queue_id": None,
        "size": 0,
    }


def told(*transactions: dict[str, Any]) -> dict[str, Any]:
    document = why(Sessions(*transactions), SESSION)
    assert isinstance(document, dict)
    return document


ACCEPTED = recipient("a@fabrikam.com", "relay", "250 2.1.5 Recipient OK")
REFUSED = recipient("b@fabrikam.com", "refused", "550 5.7.64 TenantAttribution; Relay Access Denied")


def test_the_first_refusal_is_told_first() -> None:
    document = told(
        transaction(ACCEPTED, reply="250 2.6.0 Queued"), transaction(ACCEPTED, REFUSED, reply="250 2.6.0 Queued")
    )
    assert (document["outcome"], document["reason"]) == ("refused", "no-certificate-presented")
    assert document["reply"] == REFUSED["reply"]
    assert document["evidence"]["rcpt_to"] == "b@fabrikam.com"
    assert len(document["transactions"]) == 2


def test_where_all_was_accepted_the_last_final_reply_is_told() -> None:
    document = told(transaction(ACCEPTED, reply="250 2.6.0 Queued"))
    assert (document["outcome"], document["tenant"], document["reply"]) == ("relay", "contoso", "250 2.6.0 Queued")


def test_a_refusal_after_the_content_refuses_what_was_accepted_before() -> None:
    document = told(transaction(ACCEPTED, reply="452 4.3.1 Insufficient system storage"))
    assert (document["outcome"], document["reply"]) == ("refused", "452 4.3.1 Insufficient system storage")


def test_a_session_without_a_verdict_is_told_as_such() -> None:
    document = told()
    assert document["outcome"] is None
    assert document["evidence"]["address"] == "192.0.2.1"


def test_an_unknown_session_says_how_far_back_the_records_go() -> None:
    oldest = datetime(2026, 1, 1, tzinfo=UTC)
    missing = why(Sessions(oldest=oldest), "08DD34FA30862780")
    assert isinstance(missing, SessionNotFound)
    assert "2025-01-15 00:18:51 UTC" in str(missing)
    assert "go back to 2026-01-01 00:00 UTC" in str(missing)
    assert "\n" not in str(missing)
    assert "no session records here yet" in str(why(Sessions(), "08DD34FA30862780"))
    for made_up in ("F" * 16, "0" * 16):
        assert "not a valid session id" in str(why(Sessions(), made_up))


def test_what_holds_no_id_is_answered_with_where_to_find_one() -> None:
    answer = session_id_in("550 go away")
    assert isinstance(answer, NoSessionId)
    assert "16 hexadecimal digits" in str(answer)
    assert session_id_in(f"[relay 2026-01-01T00:00:00.000Z {SESSION.lower()}]") == SESSION
