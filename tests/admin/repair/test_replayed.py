"""A recorded session as a question, and which sessions a change could concern."""

from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

from contracts.trace_store_contract import received
from gatepost.admin.repair.replayed import lately, replayed
from gatepost.admin.sessions.recorded import RecordedSessions
from gatepost.admin.sessions.why import document
from gatepost.admin.trace.tracing import LocalTraces
from gatepost.net.certificates import facts
from gatepost.store.trace.reader import SqliteTraceReader
from gatepost.store.trace.writer import Retention, SqliteTraceWriter
from gatepost.tenancy.session_record import certificate_record
from gatepost.tenancy.tenant import InboundConnector
from pki import Pki

ID = "08DF4F93C5973840"


def record(session_id: str = ID, tls: Any = None, mail_from: str = "ann@contoso.com") -> dict[str, Any]:
    recipient = {"rcpt_to": "bob@outside.example", "outcome": "refused", "reply": "550 5.7.64 no", "tenant": None}
    transaction = {"number": 0, "mail_from": mail_from, "recipients": [recipient], "reply": None}
    return {
        "session_id": session_id,
        "at": "2026-01-02T03:04:05Z",
        "closed_at": None,
        "closed": None,
        "listener": "main",
        "address": "192.0.2.1",
        "ehlo": "mail.contoso.com",
        "tls": tls,
        "transactions": [transaction],
    }


def test_the_certificates_are_those_that_were_presented(tmp_path: Any) -> None:
    leaf = Pki(tmp_path).leaf("mail.contoso.com")
    presented = facts(leaf.der)
    chain = [certificate_record(presented)]
    found = replayed(document(record(tls={"certificate": {"chain": chain}})), facts)
    assert found is not None and found.question.chain == (presented,)
    assert (found.question.tls, str(found.question.address), found.question.ehlo) == (
        True,
        "192.0.2.1",
        "mail.contoso.com",
    )
    del chain[0]["der"]
    assert replayed(document(record(tls={"certificate": {"chain": chain}})), facts) is None


def test_a_session_without_mail_or_with_an_odd_path_is_left_out() -> None:
    assert replayed(document({**record(), "transactions": []}), facts) is None
    assert replayed(document(record(mail_from="\x00")), facts) is None


def test_one_session_of_each_kind_is_read_and_a_missing_one_is_counted(tmp_path: Any, editor: Any) -> None:
    now = datetime.now(UTC).timestamp()
    writer = SqliteTraceWriter(tmp_path / "trace", 0, Retention(max_age_s=0, max_octets=0), lambda: now)
    rows = [received(at=now, refused=True, address=f"192.0.2.{n % 3}") for n in range(9)]
    writer.write("strangers", rows)
    writer.close()

    class Sessions:
        def find(self, session_id: str) -> dict[str, Any] | None:
            return None if session_id == rows[-1].session_id else record(session_id)

        def oldest(self) -> datetime | None:
            return None

    traces = LocalTraces(reader=SqliteTraceReader(tmp_path / "trace"), directory=editor, now=now + 1)
    connector = InboundConnector(tenant="contoso", name="mail", addresses=(ip_network("192.0.2.1"),))
    found, missing = lately(traces, RecordedSessions(sessions=Sessions(), directory=editor), [connector], facts)
    assert (len(found), missing) == (2, 1)
