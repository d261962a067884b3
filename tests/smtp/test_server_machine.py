"""A transaction begins empty, and knows its envelope."""

from gatepost.mail.address import NULL_REVERSE_PATH
from gatepost.mail.envelope import Envelope
from gatepost.smtp.server_machine import Transaction


def test_a_transaction_begins_without_recipients_or_content() -> None:
    envelope = Envelope(reverse_path=NULL_REVERSE_PATH)
    transaction = Transaction(envelope)
    assert transaction.envelope is envelope
    assert (transaction.asked_recipients, transaction.taken_recipients, transaction.size) == (0, 0, 0)
    assert transaction.data is transaction.chunks is transaction.failure is None
