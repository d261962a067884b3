"""A session's record says what was presented and decided, recipient by recipient."""

import json
from ipaddress import ip_address
from typing import Any

from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox
from gatepost.mail.reply import Reply, reply
from gatepost.receiving.account import SessionAccount, TransactionAccount
from gatepost.receiving.session_record import session_record
from gatepost.receiving.transaction import Peer, RecipientDecision
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


def session(transaction: TransactionAccount, why: str = "Remote") -> SessionAccount:
    return SessionAccount(
        session_id="08DD34FA3086278D",
        at=1_767_268_800.1234567,
        ended_at=1_767_268_801.0,
        listener="127.0.0.1:25",
        peer=Peer(address=ip_address("192.0.2.1"), address_text="192.0.2.1", ehlo="mail"),
        tenant="contoso",
        by_stranger=False,
        transactions=(transaction,),
        why=why,
    )


def transaction(said: Reply, attribution: Attribution | None = RELAYED) -> TransactionAccount:
    return TransactionAccount(
        number=0,
        reverse_path=NULL_REVERSE_PATH,
        decisions=(RecipientDecision(forward_path=BOB, attribution=attribution, reply=said),),
        first=0,
        more_refused=0,
        reply=QUEUED,
        queue_id="0-1",
        size=42,
    )


def stored(transaction: TransactionAccount, why: str = "Remote") -> dict[str, Any]:
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
