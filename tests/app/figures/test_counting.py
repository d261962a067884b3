"""Each session, recipient, message and attempt is counted once, under labels that nobody outside chooses."""

from ipaddress import ip_address
from typing import Any

from gatepost.app.figures import definitions as names
from gatepost.app.figures.counting import Figures
from gatepost.logs.log_writer import LogWriter
from gatepost.mail.address import Mailbox
from gatepost.mail.reply import RemoteReply, Reply
from gatepost.queue.outcome import Deferred, Delivered
from gatepost.receiving import replies
from gatepost.receiving.account import SessionAccount, TransactionAccount
from gatepost.receiving.transaction import Peer, RecipientDecision
from gatepost.tenancy.attribution import Attribution, Basis, Outcome
from gatepost.tenancy.evidence import TlsEvidence

NOON = 1_796_126_400.0
LISTENER = "127.0.0.1:25"
TAKEN = Attribution(Outcome.RELAY, "contoso", "mail", Basis.ADDRESS, (), (), 3)
OTHER_TENANT = Attribution(Outcome.RELAY, "fabrikam", "mail", Basis.CERTIFICATE, (), (), 3)
LIMITED = replies.tenant_over_limit("Too many", 60.0, 0.0, "08DD34FA3086278D")


def transaction(*decisions: tuple[Attribution | None, Reply], **said: Any) -> TransactionAccount:
    path = Mailbox("bob", "x.example", "bob@x.example")
    usual: dict[str, Any] = {"first": 0, "reply": replies.queued("0-1"), "queue_id": "0-1", "took_s": 0.004}
    return TransactionAccount(
        number=0,
        reverse_path=path,
        decisions=tuple(RecipientDecision(forward_path=path, attribution=of, reply=said) for of, said in decisions),
        more_refused=0,
        size=1,
        **(usual | said),
    )


def session(*transactions: TransactionAccount, why: str = "Remote", tls: str | None = None) -> SessionAccount:
    shown = tls and TlsEvidence(protocol=tls, cipher="x", cipher_bits=1, server_name=None, certificate=None)
    return SessionAccount(
        session_id="08DD34FA3086278D",
        at=NOON,
        ended_at=NOON,
        listener=LISTENER,
        peer=Peer(address=ip_address("192.0.2.1"), address_text="192.0.2.1", tls=shown or None),
        tenant="contoso",
        by_stranger=False,
        transactions=transactions,
        why=why,
    )


def figures() -> Figures:
    return Figures(3, [LISTENER], LogWriter(), lambda: NOON)


def counted(of: Figures, name: str) -> dict[tuple[str, ...], int]:
    """What is not 0."""
    return {tuple(labels): value for *labels, value in of.snapshot(1, None)["counters"][name] if value}


def test_a_message_counts_by_session_recipient_and_time() -> None:
    found = figures()
    found.add(session(transaction((TAKEN, replies.RECIPIENT_OK), (OTHER_TENANT, replies.RECIPIENT_OK)), tls="TLSv1.3"))
    found.flush()
    assert counted(found, names.SESSIONS) == {(LISTENER, "accepted", "TLSv1.3"): 1}
    assert counted(found, names.ACCEPTED) == {(): 1} and counted(found, names.RECIPIENTS) == {(): 2}
    assert counted(found, names.ATTRIBUTION) == {("address", "relay", "none"): 1, ("certificate", "relay", "none"): 1}
    histogram = found.snapshot(1, None)["histograms"][names.ACCEPT_SECONDS]
    assert sum(histogram["counts"]) == 1 and histogram["counts"][2] == 1 and histogram["sum"] == 0.004
    assert found.snapshot(1, None)["minutes"][str(int(NOON // 60))]["accepted"] == 1


def test_a_session_of_several_accounts_is_one_session_and_no_recipient_counts_twice() -> None:
    found = figures()
    begun = transaction((TAKEN, LIMITED), reply=None, queue_id=None, took_s=0.0)
    found.add(session(begun, why=""))
    found.flush()
    found.add(session(transaction((TAKEN, LIMITED), (TAKEN, LIMITED), first=1, reply=None, queue_id=None, took_s=0.0)))
    found.flush()
    assert counted(found, names.SESSIONS) == {(LISTENER, "refused", "none"): 1}
    assert counted(found, names.ATTRIBUTION) == {("none", "refused", "other"): 2}


def test_attempts_count_by_outcome_and_tls() -> None:
    found = figures()
    reply = RemoteReply(250, "2.0.0", ("250 ok",))
    said: Any = {"recipient": None}
    found.attempted(
        "delivered", Delivered(**said, reply=reply, host="mx", dsn_passed_on=False, tls="TLSv1.3", took_s=3.0)
    )
    found.attempted("deferred", Deferred(**said, why="busy", status="4.4.1"))
    assert counted(found, names.DELIVERY_ATTEMPTS) == {("delivered", "TLSv1.3"): 1, ("deferred", "none"): 1}
    assert found.snapshot(1, None)["histograms"][names.DELIVERY_SECONDS]["sum"] == 3.0


def test_commits_count_by_size_and_time() -> None:
    found = figures()
    found.committed(3, 0.004)
    histograms = found.snapshot(1, None)["histograms"]
    assert (histograms[names.GROUP_SIZE]["counts"][2], histograms[names.GROUP_SIZE]["sum"]) == (1, 3)
    assert histograms[names.COMMIT_SECONDS]["counts"][3] == 1


def test_unknown_protocols_and_old_minutes_and_many_errors_are_bounded() -> None:
    now = NOON
    found = Figures(3, [LISTENER], LogWriter(), lambda: now)
    for number in range(200):
        now += 60
        found.add(session(tls=f"TLSv{number}"))
        found.flush()
        found.heed(now, "bug", "x" * 10_000, "")
    assert set(counted(found, names.SESSIONS)) == {(LISTENER, "none", "other")}
    snapshot = found.snapshot(1, "full")
    assert len(snapshot["minutes"]) <= 61 and [each["at"] for each in snapshot["errors"]] == [now]
    assert len(snapshot["errors"][0]["problem"]) == 500 and snapshot["why_not"] == "full"
