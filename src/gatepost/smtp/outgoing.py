"""A mail transaction to be sent, and what the server must offer for it to be carried unchanged.

What flows through: a transaction and the server's offers; out come its commands, or why it can never be sent. Law:
nothing is ever converted.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gatepost.mail.domain import DomainError, domain_key
from gatepost.mail.envelope import Body, DsnRequest, Envelope
from gatepost.mail.reply import RemoteReply
from gatepost.smtp.client_effects import Verdict
from gatepost.smtp.client_settings import Awaited
from gatepost.smtp.transparency import header_is_ascii, holds_nul, is_seven_bit, is_text
from gatepost.value import value


class OutgoingRecipient(Protocol):
    @property
    def forward_path(self) -> str: ...

    @property
    def dsn(self) -> DsnRequest: ...


class OutgoingContent(Protocol):
    @property
    def size(self) -> int: ...

    def chunks(self) -> Iterator[bytes]: ...


@value(frozen=True, slots=True, kw_only=True)
class OutgoingTransaction:
    """One message to at most `most_recipients` recipients."""

    envelope: Envelope
    recipients: Sequence[OutgoingRecipient]
    content: OutgoingContent


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """The EHLO keywords of the server that change what we do."""

    pipelining: bool = False
    starttls: bool = False
    chunking: bool = False
    binarymime: bool = False
    eight_bit_mime: bool = False
    smtputf8: bool = False
    dsn: bool = False
    size: bool = False
    largest_message: int | None = None
    most_recipients: int | None = None
    most_transactions: int | None = None


NOTHING_OFFERED = Offers()


def _never(status: str, why: str) -> Verdict:
    return Verdict(5, status, why, None)


NUL: Final = _never("5.6.0", "the message holds a NUL octet, which is sent as BINARYMIME or not at all")


def why_not(transaction: OutgoingTransaction, offers: Offers, looked_at: bool) -> Verdict | None:
    """Why a server with these offers can never take this message unchanged. Not `looked_at`: for NUL it is looked
    through while it is sent, so that large content is not read twice."""
    content, envelope, largest = transaction.content, transaction.envelope, offers.largest_message
    if largest and content.size > largest:
        # RFC 1870 6.1: no use in sending what is larger than announced.
        return _never("5.3.4", f"the message has {content.size} octets; the next hop takes {largest} at most")
    if envelope.smtputf8 and not offers.smtputf8 and not _fits_ascii(transaction):
        return _never("5.6.7", "the message needs SMTPUTF8, which the next hop does not offer")
    if envelope.body is Body.BINARY_MIME:
        if goes_as_binary(transaction, offers):
            return None
        if not is_text(content.chunks()):
            return _never("5.6.1", "the message is binary and the next hop does not offer BINARYMIME")
        return _why_not_text(transaction, offers)
    if looked_at and holds_nul(content.chunks()):
        return NUL
    return _why_not_text(transaction, offers) if envelope.body is Body.EIGHT_BIT_MIME else None


def goes_as_binary(transaction: OutgoingTransaction, offers: Offers) -> bool:
    return transaction.envelope.body is Body.BINARY_MIME and offers.chunking and offers.binarymime


def _why_not_text(transaction: OutgoingTransaction, offers: Offers) -> Verdict | None:
    if offers.eight_bit_mime or is_seven_bit(transaction.content.chunks()):
        return None
    # RFC 6152 3: convert, or return as undeliverable. Converting would break signatures.
    return _never("5.6.3", "the message holds 8-bit text and the next hop does not offer 8BITMIME")


def script(transaction: OutgoingTransaction, offers: Offers, *, reset: bool) -> deque[tuple[Awaited, str]]:
    """The commands up to the content; `reset`: the transaction before left something behind."""
    commands = deque(((Awaited.MAIL, _mail_command(transaction, offers)),))
    if reset:
        commands.appendleft((Awaited.RSET, "RSET"))
    commands.extend([(Awaited.RCPT, _rcpt_command(each, offers)) for each in transaction.recipients])
    return commands


def _mail_command(transaction: OutgoingTransaction, offers: Offers) -> str:
    envelope = transaction.envelope
    line = f"MAIL FROM:<{_on_the_wire(str(envelope.reverse_path), offers)}>"
    if offers.size:
        line += f" SIZE={transaction.content.size}"
    if goes_as_binary(transaction, offers):
        line += " BODY=BINARYMIME"
    elif envelope.body is not Body.SEVEN_BIT and offers.eight_bit_mime:
        line += " BODY=8BITMIME"
    if envelope.smtputf8 and offers.smtputf8:
        line += " SMTPUTF8"
    if offers.dsn:
        if envelope.ret:
            line += f" RET={envelope.ret}"
        if envelope.envid:
            line += f" ENVID={envelope.envid}"
    return line


def _rcpt_command(recipient: OutgoingRecipient, offers: Offers) -> str:
    line = f"RCPT TO:<{_on_the_wire(recipient.forward_path, offers)}>"
    if offers.dsn and (recipient.dsn.notify or recipient.dsn.orcpt):
        line += _dsn_parameters(recipient.dsn)
    return line


def _on_the_wire(path: str, offers: Offers) -> str:
    """RFC 6531 3.2: where SMTPUTF8 is not to be had, a domain beyond ASCII may go as A-labels."""
    return path if path.isascii() or offers.smtputf8 else _with_a_labels(path)


def _fits_ascii(transaction: OutgoingTransaction) -> bool:
    """SMTPUTF8 was declared and nothing needs it (RFC 6531 3.1 asks for it only where something does)."""
    return (
        _with_a_labels(str(transaction.envelope.reverse_path)).isascii()
        and all(
            _with_a_labels(recipient.forward_path).isascii()
            # RFC 6533 3: an original recipient beyond ASCII would need another form.
            and (recipient.dsn.orcpt or "").isascii()
            for recipient in transaction.recipients
        )
        and header_is_ascii(transaction.content.chunks())
    )


def _with_a_labels(path: str) -> str:
    """The path with its domain in ASCII; as it is, where its local part is not, or its domain is none."""
    local_part, _, domain = path.rpartition("@")
    if path.isascii() or not local_part.isascii():
        return path
    try:
        return f"{local_part}@{domain_key(domain)}"
    except DomainError:
        return path


def _dsn_parameters(dsn: DsnRequest) -> str:
    notify = f" NOTIFY={','.join(sorted(dsn.notify))}" if dsn.notify else ""
    return f"{notify} ORCPT={dsn.orcpt}" if dsn.orcpt else notify


def read_offers(reply: RemoteReply) -> Offers:
    keywords = {}
    for line in reply.lines[1:]:
        keyword, _, parameters = line[4:].strip().partition(" ")
        keywords[keyword.upper()] = parameters
    limits = dict(item.upper().partition("=")[::2] for item in keywords.get("LIMITS", "").split())
    return Offers(
        pipelining="PIPELINING" in keywords,
        starttls="STARTTLS" in keywords,
        chunking="CHUNKING" in keywords,
        binarymime="BINARYMIME" in keywords,
        eight_bit_mime="8BITMIME" in keywords,
        smtputf8="SMTPUTF8" in keywords,
        dsn="DSN" in keywords,
        size="SIZE" in keywords,
        largest_message=_number(keywords.get("SIZE", "")),
        most_recipients=_number(limits.get("RCPTMAX", "")),
        most_transactions=_number(limits.get("MAILMAX", "")),
    )


def _number(text: str) -> int | None:
    """A positive number, or None: SIZE=0 means no fixed maximum (RFC 1870 4)."""
    return int(text) or None if text.isascii() and text.isdigit() and len(text) <= 18 else None
