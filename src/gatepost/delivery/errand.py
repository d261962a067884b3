"""One claim on its way over one session: which recipients are left, and what became of the others.

Recipients go in transactions as large as the next hop takes. What it found too many goes again in the next one.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from gatepost.mail.header_fields import field_of, header_of
from gatepost.queue.message import Claim, Content, QueuedRecipient
from gatepost.queue.outcome import Deferred, Delivered, DeliveryOutcome, Failed
from gatepost.smtp.client_effects import Verdict
from gatepost.smtp.outgoing import OutgoingTransaction

# How much of a message is searched for its Message-ID.
HEAD: Final = 4096

# RFC 5321 4.5.3.1.10: "too many recipients" is 452; 552 from old servers means the same.
TOO_MANY_RECIPIENTS: Final = (452, 552)


class Hop(NamedTuple):
    """Who speaks at the other end of a session."""

    host: str
    passes_dsn: bool
    tls: str | None
    tls_policy: str | None = None
    """What was demanded of it and came of it, where that is worth saying."""


class Errand:
    __slots__ = ("_batch", "_content", "_left", "began_at", "claim", "outcomes")

    def __init__(self, claim: Claim, content: Content, began_at: float) -> None:
        self.claim = claim
        self.began_at = began_at
        """By the clock of its session."""
        self.outcomes: list[DeliveryOutcome] = []
        self._content = content
        self._left: Sequence[QueuedRecipient] = claim.recipients
        self._batch: Sequence[QueuedRecipient] = ()

    def transaction(self, most: int) -> OutgoingTransaction:
        """The next one, to at most so many recipients."""
        self._batch, self._left = self._left[:most], self._left[most:]
        return OutgoingTransaction(envelope=self.claim.message.envelope, recipients=self._batch, content=self._content)

    def ended(self, verdicts: tuple[Verdict, ...], untouched: bool, hop: Hop, took_s: float) -> None:
        """`untouched`: the session ended before the next hop said anything about it."""
        some_taken = any(verdict.kind == 2 for verdict in verdicts)
        for recipient, verdict in zip(self._batch, verdicts, strict=True):
            if some_taken and _too_many(verdict):
                self._left = (*self._left, recipient)
            else:
                self.outcomes.append(_outcome(recipient, verdict, untouched, hop, took_s))

    @property
    def is_done(self) -> bool:
        """Every recipient has its outcome."""
        return not self._left

    def break_off(self) -> None:
        self.outcomes += [deferred(recipient, "the session ended before its turn") for recipient in self._left]
        self._left = ()

    def release(self) -> None:
        self._content.release()

    @property
    def row(self) -> str:
        """Before the message. Its Message-ID is told where it costs no reading from disk."""
        text = f"sending message with RecordId {self.claim.message.id}"
        if self.claim.content is None:
            return text
        header = header_of(next(self.claim.content.chunks(), b"")[:HEAD])
        words = (field_of(header, b"message-id") or b"")[:500].split(None, 1)
        return f"{text} and InternetMessageId {words[0].decode('utf-8', 'replace')}" if words else text


def _outcome(recipient: QueuedRecipient, verdict: Verdict, untouched: bool, hop: Hop, took_s: float) -> DeliveryOutcome:
    (kind, status, why, reply), (host, passes_dsn, tls, tls_policy) = verdict, hop
    if kind == 2 and reply is not None:
        return Delivered(
            recipient=recipient,
            reply=reply,
            host=host,
            dsn_passed_on=passes_dsn,
            tls=tls,
            tls_policy=tls_policy,
            took_s=took_s,
        )
    if kind == 5:
        return Failed(recipient=recipient, why=why, status=status, reply=reply, host=host, tls=tls, took_s=took_s)
    return Deferred(
        recipient=recipient,
        why=why,
        status=status,
        reply=reply,
        host=host,
        glitch=untouched and reply is None,
        tls=tls,
        took_s=took_s,
    )


def deferred(recipient: QueuedRecipient, why: str) -> Deferred:
    """For a reason on this side."""
    return Deferred(recipient=recipient, why=why, status="4.3.0")


def _too_many(verdict: Verdict) -> bool:
    reply = verdict.reply
    return reply is not None and reply.code in TOO_MANY_RECIPIENTS and reply.enhanced in (None, "4.5.3", "5.5.3")
