"""A session's record says what was presented and decided, recipient by recipient."""

import json
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any, cast

from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox
from gatepost.mail.envelope import NO_DSN_REQUEST, Envelope
from gatepost.mail.reply import Reply, reply
from gatepost.queue.message import NewRecipient
from gatepost.receiving.acceptance import Acceptance, News, Transaction, Verdict
from gatepost.receiving.connection import SessionEnd
from gatepost.receiving.session_record import session_record
from gatepost.smtp.server_effects import AskMail
from gatepost.tenancy.attribution import Attribution, Basis, Outcome
from gatepost.tenancy.reasons import Reason, ReasonCode

BOB = Mailbox("bob", "fabrikam.com", "bob@fabrikam.com")
RELAYED = Attribution(
    outcome=Outcome.RELAY,
    tenant="contoso",
    connector="contoso/mail",
    basis=Basis.CERTIFICATE,
    reasons=(Reason(code=ReasonCode.CERTIFICATE_NAME_MATCHED, connector="contoso/mail", says="It matched."),),
    warnings=("soon",),
    directory_version=3,
)
QUEUED = reply(250, "6.0", "Queued")


def session(transaction: Transaction, why: str = "Remote") -> SessionEnd:
    return SessionEnd(
        session_id="08DD34FA3086278D",
        at=1_767_268_800.1234567,
        ended_at=1_767_268_801.0,
        listener="127.0.0.1:25",
        acceptance=cast(Acceptance, SimpleNamespace(tls=None, address=ip_address("192.0.2.1"), ehlo="mail")),
        news=(News(number=0, transaction=transaction, first=0, verdicts=tuple(transaction.verdicts)),),
        why=why,
    )


def transaction(said: Reply, attribution: Attribution | None = RELAYED) -> Transaction:
    mail = AskMail(envelope=Envelope(reverse_path=NULL_REVERSE_PATH))
    recipient = NewRecipient(forward_path=BOB, tenant="contoso", connector="contoso/mail", dsn=NO_DSN_REQUEST)
    return Transaction(
        mail=mail,
        recipients=[recipient],
        verdicts=[Verdict(forward_path=BOB, attribution=attribution, reply=said)],
        reply=QUEUED,
        queue_id="0-1",
        size=42,
    )


def stored(transaction: Transaction, why: str = "Remote") -> dict[str, Any]:
    record, chain = session_record(session(transaction, why))
    assert chain == ()
    assert next(iter(record)) == "session_id", "the look-up relies on it"
    document: dict[str, Any] = json.loads(json.dumps(record))
    return document


def test_an_accepted_recipient_is_stored_with_its_whole_attribution() -> None:
    record = stored(transaction(reply(250, "1.5", "Recipient OK")))
    assert record["at"] == "2026-01-01T12:00:00.123000Z"
    assert record["closed"] == "Remote"
    [kept] = record["transactions"]
    assert (kept["mail_from"], kept["reply"], kept["queue_id"], kept["size"]) == ("", "250 2.6.0 Queued", "0-1", 42)
    assert kept["recipients"] == [
        {
            "rcpt_to": "bob@fabrikam.com",
            "outcome": "relay",
            "reason": None,
            "tenant": "contoso",
            "connector": "contoso/mail",
            "basis": "certificate",
            "reply": "250 2.1.5 Recipient OK",
            "reasons": [{"code": "certificate-name-matched", "connector": "contoso/mail", "says": "It matched."}],
            "warnings": ["soon"],
            "directory_version": 3,
        }
    ]


def test_a_recipient_refused_for_another_cause_than_attribution_is_stored_as_refused() -> None:
    for attribution in (RELAYED, None):
        record = stored(transaction(reply(451, "7.1", "Too many messages"), attribution))
        assert record["transactions"][0]["recipients"][0]["outcome"] == "refused"


def test_a_session_that_goes_on_is_not_stored_as_closed() -> None:
    record = stored(transaction(reply(250, "1.5", "Recipient OK")), why="")
    assert (record["closed"], record["closed_at"]) == (None, None)
