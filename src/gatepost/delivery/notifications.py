"""Which notifications an attempt calls for, and their making (RFC 3461 4.1, 6.2).

NOTIFY decides; without it, failure and delay are told. Nobody is told about a message from the null reverse-path.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

from gatepost.delivery.unproven_senders import brief
from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox
from gatepost.mail.dsn import Action, DeliveryReport, ReportedRecipient, compose
from gatepost.mail.envelope import Body, Envelope, Notify
from gatepost.queue.message import Claim, Content, MemoryContent, NewMessage, NewRecipient
from gatepost.queue.outcome import Delivered, DeliveryOutcome

# The whole message is returned where RET asks for it and it is not huge, or where it is small and nobody asked.
LARGEST_RETURNED = 1024 * 1024
SMALL = 50 * 1024
# Of a reason that names what the sender wrote, where the sender may be forged.
MOST_OF_WHY = 200
# A header larger than this is cut at a line.
LARGEST_HEADER = 64 * 1024

_BY_DEFAULT: frozenset[Notify] = frozenset({"FAILURE", "DELAY"})

_ASKED_BY: dict[Action, Notify] = {Action.FAILED: "FAILURE", Action.DELAYED: "DELAY", Action.RELAYED: "SUCCESS"}


OwnMessage = Callable[[bytes, float], bytes]
"""What the relay wrote itself, and when, as it leaves: signed, perhaps."""


def wants(outcome: DeliveryOutcome, action: Action) -> bool:
    """Whether the sender asked to be told of `action`."""
    notify = outcome.recipient.dsn.notify
    return _ASKED_BY[action] in (_BY_DEFAULT if notify is None else notify)


def notification(
    claim: Claim,
    tenant: str | None,
    action: Action,
    outcomes: Sequence[DeliveryOutcome],
    now: float,
    hostname: str,
    expiry_s: float,
    open_content: Callable[[], Content],
    own_message: OwnMessage,
    in_brief: bool = False,
) -> NewMessage | None:
    """The message that tells the sender; None where nobody can be told. `tenant`: of the new message. `in_brief`:
    the sender may be forged."""
    message = claim.message
    sender = message.envelope.reverse_path
    if not isinstance(sender, Mailbox):
        return None
    until = message.received_at + expiry_s if action is Action.DELAYED else None
    original, whole = _returned(claim, action, open_content, in_brief)
    reported = tuple(_reported(outcome, action, now, until) for outcome in outcomes)
    made = compose(
        DeliveryReport(
            reporting_host=hostname,
            message_id=message.id,
            session_id=message.session_id,
            received_at=message.received_at,
            reported_at=now,
            sender=str(sender),
            envid=message.envelope.envid,
            recipients=tuple(map(_unquoted, reported)) if in_brief else reported,
            original=original,
            original_is_whole=whole,
            original_size=message.size,
            international=message.envelope.smtputf8,
        )
    )
    return NewMessage(
        session_id=message.session_id,
        received_at=now,
        envelope=Envelope(
            reverse_path=NULL_REVERSE_PATH,
            body=Body.EIGHT_BIT_MIME if made.eight_bit else Body.SEVEN_BIT,
            smtputf8=made.smtputf8,
        ),
        recipients=(NewRecipient(forward_path=sender, tenant=tenant, connector=None),),
        content=MemoryContent(own_message(made.octets, now)),
    )


def _reported(outcome: DeliveryOutcome, action: Action, now: float, until: float | None) -> ReportedRecipient:
    recipient, reply = outcome.recipient, outcome.reply
    status, why = ("2.0.0", "") if isinstance(outcome, Delivered) else (outcome.status, outcome.why_told)
    return ReportedRecipient(
        final_recipient=recipient.forward_path,
        orcpt=recipient.dsn.orcpt,
        action=action,
        status=status,
        why=why,
        remote_host=None if outcome.discreet else outcome.host,
        remote_reply=reply.lines if reply else (),
        last_attempt_at=now,
        will_retry_until=until,
    )


def _unquoted(recipient: ReportedRecipient) -> ReportedRecipient:
    """A next hop's words may be the forger's, and so may be what ORCPT says."""
    why = "the next mail server refused it" if recipient.remote_reply else recipient.why[:MOST_OF_WHY]
    return replace(recipient, orcpt=None, remote_reply=(), remote_host=None, why=why)


def _returned(claim: Claim, action: Action, open_content: Callable[[], Content], in_brief: bool) -> tuple[bytes, bool]:
    """The whole message or its header. RET speaks of failures only (RFC 3461 4.3)."""
    message, envelope = claim.message, claim.message.envelope
    largest = LARGEST_RETURNED if envelope.ret == "FULL" else 0 if envelope.ret == "HDRS" else SMALL
    # Binary content cannot stand inside a text message; other reports than failures need the header only.
    whole = (
        action is Action.FAILED and message.size <= largest and envelope.body is not Body.BINARY_MIME and not in_brief
    )
    content = claim.content or open_content()
    try:
        if whole:
            return b"".join(content.chunks()), True
        header = _header(content)
        return (brief(header) if in_brief else header), False
    finally:
        if content is not claim.content:
            content.release()


def _header(content: Content) -> bytes:
    found = b""
    for chunk in islice(content.chunks(), LARGEST_HEADER):
        found += chunk
        end = found.find(b"\r\n\r\n")
        if end >= 0 and end <= LARGEST_HEADER:
            return found[: end + 2]
        if len(found) > LARGEST_HEADER:
            return found[: found.rfind(b"\r\n", 0, LARGEST_HEADER) + 2]
    return found
