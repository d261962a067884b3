"""A transaction keeps what the peer had shown when it began, and says why a recipient was refused."""

from ipaddress import ip_address

from gatepost.mail.address import NULL_REVERSE_PATH
from gatepost.mail.envelope import Envelope
from gatepost.mail.reply import reply
from gatepost.receiving.transaction import Peer, RecipientDecision, Transaction
from gatepost.smtp.server_effects import AskMail
from receiving.relay_side import mailbox

PEER = Peer(address=ip_address("192.0.2.1"), address_text="192.0.2.1", ehlo="mail.contoso.com")


def test_evidence_is_of_the_peer_and_the_envelope() -> None:
    transaction = Transaction(mail=AskMail(envelope=Envelope(reverse_path=NULL_REVERSE_PATH)), peer=PEER)
    evidence = transaction.evidence("main", mailbox("b@x.example"))
    assert (evidence.address, evidence.ehlo, evidence.listener) == (PEER.address, "mail.contoso.com", "main")
    assert evidence.reverse_path is NULL_REVERSE_PATH
    assert [str(path) for path in evidence.forward_paths] == ["b@x.example"]


def test_a_recipient_that_was_taken_has_no_reason_of_refusal() -> None:
    to = mailbox("a@x.example")
    taken = RecipientDecision(forward_path=to, attribution=None, reply=reply(250, "1.5", "OK"))
    refused = RecipientDecision(forward_path=to, attribution=None, reply=reply(452, "3.1", "queue-full No room"))
    assert (taken.reason_of_refusal, refused.reason_of_refusal) == (None, "4.3.1 queue-full No room")
