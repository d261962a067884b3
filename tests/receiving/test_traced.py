"""Each recipient of a session is received once: when it is refused, or when its transaction ends."""

from ipaddress import ip_address
from typing import Any

from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox
from gatepost.mail.reply import Reply, reply
from gatepost.receiving import replies
from gatepost.receiving.account import SessionAccount, TransactionAccount
from gatepost.receiving.traced import received_by
from gatepost.receiving.transaction import Peer, RecipientDecision
from gatepost.tenancy.attribution import Attribution, Basis, Outcome
from gatepost.tenancy.evidence import TlsEvidence
from gatepost.trace.story import QueuePlace, Received

RELAYED = Attribution(Outcome.RELAY, "contoso", "mail", Basis.ADDRESS, (), (), 3)
LIMITED = replies.tenant_over_limit("Too many messages", 60.0, 0.0, "08DD34FA3086278D")
QUEUED = replies.queued("0-1")


def decision(user: str, said: Reply = replies.RECIPIENT_OK, found: Attribution | None = RELAYED) -> RecipientDecision:
    path = Mailbox(user, "fabrikam.com", f"{user}@fabrikam.com")
    return RecipientDecision(forward_path=path, attribution=found, reply=said)


def transaction(*decisions: RecipientDecision, **said: Any) -> TransactionAccount:
    usual: dict[str, Any] = {"first": 0, "reply": QUEUED, "queue_id": "0-1", "at": 5.0, "message_id": "1@contoso.com"}
    return TransactionAccount(
        number=2,
        reverse_path=Mailbox("ann", "contoso.com", "Ann@Contoso.com"),
        decisions=decisions,
        more_refused=0,
        size=42,
        **(usual | said),
    )


def rows(*transactions: TransactionAccount, tls: TlsEvidence | None = None) -> list[Received]:
    session = SessionAccount(
        session_id="08DD34FA3086278D",
        at=1.0,
        ended_at=9.0,
        listener="127.0.0.1:25",
        peer=Peer(address=ip_address("192.0.2.1"), address_text="192.0.2.1", tls=tls),
        tenant="contoso",
        by_stranger=False,
        transactions=transactions,
        why="Remote",
    )
    return list(received_by(session))


def test_a_message_is_received_by_each_recipient_with_its_place_in_the_queue() -> None:
    found = rows(transaction(decision("a"), decision("no", LIMITED), decision("b")))
    assert [(each.within, each.place) for each in found] == [
        ("2.0", QueuePlace("0-1", 0)),
        ("2.1", None),
        ("2.2", QueuePlace("0-1", 1)),
    ]
    assert (found[0].at, found[0].tenant, found[0].basis, found[0].size) == (5.0, "contoso", "address", 42)
    assert (found[0].mail_from, found[0].from_domain, found[0].message_id) == (
        "Ann@Contoso.com",
        "contoso.com",
        "1@contoso.com",
    )
    assert (found[1].reason, found[1].reply) == ("tenant-over-limit", str(LIMITED))


def test_what_an_earlier_account_told_is_not_told_again() -> None:
    begun = transaction(decision("no", LIMITED), decision("a"), reply=None, queue_id=None, at=0.0, message_id=None)
    assert [each.rcpt_to for each in rows(begun)] == ["no@fabrikam.com"]
    ended = transaction(decision("no", LIMITED), decision("a"), decision("b"), first=2)
    assert [each.rcpt_to for each in rows(ended)] == ["a@fabrikam.com", "b@fabrikam.com"]


def test_a_refusal_after_the_content_refuses_whom_nothing_refused_before() -> None:
    (found,) = rows(transaction(decision("a"), reply=replies.TOO_MANY_HOPS, queue_id=None))
    assert (found.place, found.reason) == (None, "too-many-hops")


def test_a_transaction_that_was_left_leaves_no_row_and_neither_does_an_enrolment() -> None:
    assert rows(transaction(decision("a"), reply=None, queue_id=None)) == []
    assert rows(transaction(decision("a"), reply=replies.enrolled("08DD34FA3086278D"), queue_id=None)) == []


def test_the_null_reverse_path_and_tls_without_a_certificate_are_facts_too() -> None:
    tls = TlsEvidence(protocol="TLSv1.2", cipher="x", cipher_bits=256, server_name=None, certificate=None)
    nobody = TransactionAccount(
        number=0,
        reverse_path=NULL_REVERSE_PATH,
        decisions=(decision("a", reply(550, "1.1", "no such"), None),),
        first=0,
        more_refused=0,
        reply=None,
        queue_id=None,
        size=0,
    )
    (found,) = rows(nobody, tls=tls)
    assert (found.mail_from, found.from_domain, found.tls, found.certificate) == ("", "", "TLSv1.2", None)
    assert (found.tenant, found.reason, found.at) == (None, None, 9.0)
