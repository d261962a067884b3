"""What a server must offer for a message, and how its commands are written; nothing is converted."""

from collections.abc import Iterator
from dataclasses import dataclass

from gatepost.mail.address import Mailbox
from gatepost.mail.envelope import NO_DSN_REQUEST, Body, DsnRequest, Envelope
from gatepost.mail.reply import RemoteReply
from gatepost.smtp.outgoing import NOTHING_OFFERED, NUL, OutgoingTransaction, read_offers, script, why_not

ANN = Mailbox("ann", "contoso.example", "ann@contoso.example")


@dataclass
class Recipient:
    forward_path: str = "bob@fabrikam.example"
    dsn: DsnRequest = NO_DSN_REQUEST


@dataclass
class Octets:
    octets: bytes

    @property
    def size(self) -> int:
        return len(self.octets)

    def chunks(self) -> Iterator[bytes]:
        yield self.octets


def transaction(octets: bytes = b"Subject: x\r\n\r\n", body: Body = Body.SEVEN_BIT) -> OutgoingTransaction:
    envelope = Envelope(reverse_path=ANN, body=body)
    return OutgoingTransaction(envelope=envelope, recipients=[Recipient(), Recipient()], content=Octets(octets))


def test_offers_are_read_from_the_lines_after_the_first() -> None:
    lines = ("250-relay.example", "250-size 1000", "250-LIMITS RCPTMAX=5", "250 PIPELINING")
    offers = read_offers(RemoteReply(250, None, lines))
    assert (offers.largest_message, offers.most_recipients, offers.pipelining) == (1000, 5, True)
    assert not offers.chunking


def test_the_script_names_each_recipient_after_what_the_last_transaction_left() -> None:
    lines = [line for _, line in script(transaction(), NOTHING_OFFERED, reset=True)]
    assert lines == ["RSET", "MAIL FROM:<ann@contoso.example>", *["RCPT TO:<bob@fabrikam.example>"] * 2]


def test_what_cannot_be_carried_unchanged_is_never_sent() -> None:
    eight_bit = why_not(transaction(b"\xc3\xa4\r\n", Body.EIGHT_BIT_MIME), NOTHING_OFFERED, True)
    assert eight_bit is not None and eight_bit.status == "5.6.3"
    assert why_not(transaction(b"a\0b\r\n"), NOTHING_OFFERED, True) is NUL
    assert why_not(transaction(b"a\0b\r\n"), NOTHING_OFFERED, False) is None, "it is looked at while it is sent"
