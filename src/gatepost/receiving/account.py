"""What is recorded of a session: for `why`, for the use of connectors, for whose protocol log its rows go to.

What flows through: transactions as they are decided; a `SessionAccount` comes out now and then, and at the end.

Laws: an account is made on the session's thread and never changes, so that the thread of the logs reads no session that
goes on; what one account holds is not in the next, so that neither our memory nor the record grows faster than what the
peer does.
"""

from collections.abc import Collection

from gatepost.mail.address import ReversePath
from gatepost.mail.reply import Reply
from gatepost.receiving.transaction import Peer, RecipientDecision, Transaction
from gatepost.signing.message import Signed, Unsigned
from gatepost.value import value


@value(frozen=True, slots=True, kw_only=True)
class TransactionAccount:
    number: int
    """Of the transaction within its session."""
    reverse_path: ReversePath
    decisions: tuple[RecipientDecision, ...]
    first: int
    """How many of them earlier accounts hold."""
    more_refused: int
    """Recipients that were refused like earlier ones of the session, and are not among the decisions."""
    reply: Reply | None
    queue_id: str | None
    size: int
    at: float = 0.0
    """When the content was whole; 0: it is not."""
    message_id: str | None = None
    """Without its angle brackets."""
    subject: bytes | None = None
    """As it was written, for the trace of the tenants `subject_for`."""
    subject_for: Collection[str] = ()
    signing: Signed | Unsigned | None = None
    took_s: float = 0.0
    """From the end of the content to the final reply."""


@value(frozen=True, slots=True, kw_only=True)
class SessionAccount:
    session_id: str
    at: float
    ended_at: float
    listener: str
    peer: Peer
    tenant: str | None
    """Whose mail was taken."""
    by_stranger: bool
    """No server of a tenant has been recognised in the session."""
    transactions: tuple[TransactionAccount, ...]
    why: str
    """Why it ended; empty while it goes on."""


class Unreported:
    """The transactions of one session whose end no account holds yet."""

    __slots__ = ("_decisions", "_transactions", "_transactions_before")

    def __init__(self) -> None:
        self._transactions: list[Transaction] = []
        self._transactions_before = 0
        self._decisions = 0
        """Of the first in `_transactions`, how many earlier accounts hold."""

    def add(self, transaction: Transaction) -> None:
        self._transactions.append(transaction)

    def is_any(self, running: Transaction | None) -> bool:
        """Whether an account would hold anything new; `running`: the transaction that goes on."""
        transactions = self._transactions
        return bool(transactions) and (
            transactions[0] is not running or len(transactions[0].decisions) > self._decisions
        )

    def take(self, running: Transaction | None) -> tuple[TransactionAccount, ...]:
        """What was decided since this was last asked."""
        accounts = []
        for number, transaction in enumerate(self._transactions, self._transactions_before):
            first, self._decisions = self._decisions, 0
            accounts.append(_account(number, transaction, first))
        go_on = [transaction for transaction in self._transactions if transaction is running]
        self._transactions_before += len(self._transactions) - len(go_on)
        self._decisions = len(go_on[0].decisions) if go_on else 0
        self._transactions = go_on
        return tuple(accounts)


def _account(number: int, transaction: Transaction, first: int) -> TransactionAccount:
    return TransactionAccount(
        number=number,
        reverse_path=transaction.mail.envelope.reverse_path,
        decisions=tuple(transaction.decisions),
        first=first,
        more_refused=transaction.more_refused,
        reply=transaction.reply,
        queue_id=transaction.queue_id,
        size=transaction.size,
        at=transaction.at,
        message_id=transaction.message_id,
        subject=transaction.subject,
        subject_for=transaction.subject_for,
        signing=transaction.signing,
        took_s=transaction.took_s,
    )
