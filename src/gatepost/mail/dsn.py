"""Delivery status notifications: what happened to a message, for people and for programs (RFC 3461, 3464, 6522, 6533).

A `DeliveryReport` becomes the octets of a multipart/report: plain words, message/delivery-status, and the message or
its header.

Laws: the returned message is copied octet for octet, never parsed and written anew; what another host said is quoted
verbatim, as far as there is room (`MOST_QUOTED`); nothing a peer wrote can end a line, a field or a part.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum
from typing import NamedTuple

from gatepost.mail.reply import MOST_KEPT_OCTETS, excerpt, says_not_recognised

# Of replies, in each of the two parts that quote them, all recipients together; each has its share, and this at least.
MOST_QUOTED = 64 * 1024
_LEAST_QUOTED = 240


class Action(StrEnum):
    """RFC 3464 2.3.3"""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedRecipient:
    final_recipient: str
    orcpt: str | None
    """As RCPT gave it: `rfc822;xtext`."""
    action: Action
    status: str
    why: str
    """In plain words, one sentence."""
    remote_host: str | None = None
    """The next hop, as `name[address]:port`."""
    remote_reply: tuple[str, ...] = ()
    """Its lines, verbatim."""
    last_attempt_at: float | None = None
    will_retry_until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """All recipients have the same action."""

    reporting_host: str
    message_id: str
    """The queue's."""
    session_id: str
    received_at: float
    reported_at: float
    sender: str
    """The reverse-path that gets the report."""
    envid: str | None
    recipients: tuple[ReportedRecipient, ...]
    original: bytes
    """The message in CRLF form, or its header."""
    original_is_whole: bool
    original_size: int
    international: bool
    """The message went as SMTPUTF8: addresses and headers may be UTF-8 (RFC 6533)."""


class Notification(NamedTuple):
    """The octets, and what their envelope must declare."""

    octets: bytes
    eight_bit: bool
    smtputf8: bool


# RFC 5322 2.1.1: 998 octets are the most a line may have. One character beyond ASCII takes ten at most: `\U0001f600`,
# where the status part must be ASCII.
_LONGEST = 240
_LONGEST_BEYOND_ASCII = 96
_WRAP = 76

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")

_REASON = re.compile(r"Relay Access Denied; (?P<code>[a-z0-9]+(?:-[a-z0-9]+)*)(?P<fact> [^\[]*)?")
# Bounded, and no bracket within: what another host says must not make us look twice at an octet.
_SESSION = re.compile(r"\[(?P<host>[^\s\[\]]{1,255}) [0-9T:.-]{1,32}Z (?P<session>[0-9A-F]{16})\]")


def compose(report: DeliveryReport) -> Notification:
    """The notification as it goes into the queue. Its reverse-path must be the null one (RFC 3461 6)."""
    share = min(max(MOST_QUOTED // len(report.recipients), _LEAST_QUOTED), MOST_KEPT_OCTETS)
    recipients = tuple(
        replace(each, remote_reply=excerpt(each.remote_reply, share), why=excerpt((each.why,), share)[0])
        for each in report.recipients
    )
    text = _human_part(report, recipients)
    international = report.international and not (
        report.sender.isascii() and all(recipient.final_recipient.isascii() for recipient in recipients)
    )
    # RFC 3464 2.1: the fields are ASCII, unless the type is that of RFC 6533.
    status = _status_part(report, recipients).encode("utf-8" if international else "ascii", "backslashreplace")
    boundary = _boundary(report)
    eight_bit = not (text.isascii() and status.isascii() and report.original.isascii())
    parts = [
        _part(boundary, "text/plain; charset=utf-8", text),
        _part(boundary, f"message/{'global-' if international else ''}delivery-status", status),
        _part(boundary, _original_type(report, international), report.original),
    ]
    header = _header(report, boundary, eight_bit)
    return Notification(b"".join((header, *parts, f"\r\n--{boundary}--\r\n".encode())), eight_bit, international)


def _header(report: DeliveryReport, boundary: str, eight_bit: bool) -> bytes:
    lines = (
        f"From: Mail Delivery System <MAILER-DAEMON@{report.reporting_host}>",
        f"To: <{_line(report.sender)}>",
        f"Subject: {_SUBJECTS[report.recipients[0].action]}",
        f"Date: {_date(report.reported_at)}",
        f"Message-ID: <dsn.{report.message_id}.{report.recipients[0].action}.{report.reported_at:.6f}"
        f"@{report.reporting_host}>",
        # RFC 3834 5: no automatic responder answers this.
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"',
        f"Content-Transfer-Encoding: {'8bit' if eight_bit else '7bit'}",
        "",
        "This is a delivery status notification in MIME format (RFC 3464).",
    )
    return "\r\n".join((*lines, "")).encode()


_SUBJECTS = {
    Action.FAILED: "Undeliverable: your message could not be delivered",
    Action.DELAYED: "Delayed: your message has not been delivered yet",
    Action.DELIVERED: "Delivered: your message was delivered",
    Action.RELAYED: "Relayed: your message was passed on",
}


def _part(boundary: str, content_type: str, octets: bytes) -> bytes:
    encoding = "7bit" if octets.isascii() else "8bit"
    head = f"\r\n--{boundary}\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode() + octets


def _original_type(report: DeliveryReport, international: bool) -> str:
    if report.original_is_whole:
        return "message/global" if international else "message/rfc822"
    return "message/global-headers" if international else "text/rfc822-headers"


def _boundary(report: DeliveryReport) -> str:
    """One that the original does not contain."""
    turn = 0
    while True:
        boundary = f"=_{report.message_id}_{int(report.reported_at)}_{turn}"
        if boundary.encode() not in report.original:
            return boundary
        turn += 1


# The part for people


def _human_part(report: DeliveryReport, recipients: Sequence[ReportedRecipient]) -> bytes:
    """First what concerns who wrote the message, then what concerns administrators."""
    action = recipients[0].action
    unknown = next((recipient for recipient in recipients if _relay_did_not_know_us(recipient)), None)
    blocks = [_OPENINGS[action].format(host=report.reporting_host)]
    blocks += [_recipient_block(recipient) for recipient in recipients]
    blocks.append(_NOT_RECOGNISED if unknown else _WHAT_TO_DO[action])
    blocks.append("For administrators:")
    if unknown:
        blocks += [_said(unknown), _where_to_look(unknown, report.reporting_host)]
    returned = "whole" if report.original_is_whole else "header only"
    blocks.append(
        f"Message {report.message_id}, {report.original_size} bytes, is returned below, {returned}.\r\n"
        f"{report.reporting_host} received it on {_date(report.received_at)}.\r\n"
        f"On {report.reporting_host}: gatepost why {report.session_id}"
    )
    return ("\r\n\r\n".join(blocks) + "\r\n").encode()


_OPENINGS = {
    Action.FAILED: "This message was generated by {host}.\r\n\r\nYour message could not be delivered to:",
    Action.DELAYED: "This message was generated by {host}.\r\n\r\nYour message has not been delivered yet to:",
    Action.DELIVERED: "This message was generated by {host}.\r\n\r\nYour message was delivered to:",
    Action.RELAYED: (
        "This message was generated by {host}.\r\n\r\nYour message was passed to the next mail server, which does\r\n"
        "not confirm delivery. You may not receive another notice. It was for:"
    ),
}

_WHAT_TO_DO = {
    Action.FAILED: "Delivery will not be retried. Fix the problem described above,\r\nthen resend the message.",
    Action.DELAYED: "No action is needed: delivery will be retried.\r\nDo not resend the message.",
    Action.DELIVERED: "No action is needed.",
    Action.RELAYED: "No action is needed.",
}


_NOT_RECOGNISED = (
    "Neither your message nor the recipient is at fault. The relay that carries\r\n"
    "this server's mail did not recognise the server by its certificate or its\r\n"
    "address, so it could not identify the sending organisation. Only\r\n"
    "administrators can fix that: show them this notice, then resend your message."
)


def _recipient_block(recipient: ReportedRecipient) -> str:
    lines = [f"  {_line(recipient.final_recipient)}"]
    if recipient.remote_reply and not _relay_did_not_know_us(recipient):
        lines += ["", _said(recipient)]
    if recipient.why and (recipient.action is not Action.FAILED or not recipient.remote_reply or _gave_up(recipient)):
        lines += ["", *_wrapped(f"Reason: {recipient.why}.")]
    if recipient.will_retry_until is not None:
        lines += ["", f"Delivery will be retried until {_date(recipient.will_retry_until)}."]
    return "\r\n".join(lines)


def _said(recipient: ReportedRecipient) -> str:
    said = [f"  {piece}" for line in recipient.remote_reply for piece in _pieces(line)]
    return "\r\n".join((f"{_line(recipient.remote_host or 'The next mail server')} said:", *said))


def _gave_up(recipient: ReportedRecipient) -> bool:
    """Failed without a final refusal: why it ended is not in the reply."""
    return recipient.status.startswith("4")


def _relay_did_not_know_us(recipient: ReportedRecipient) -> bool:
    """Refused for what this server presented, not for anything in the message: its sender can do nothing about it."""
    return says_not_recognised(recipient.remote_reply)


def _where_to_look(recipient: ReportedRecipient, here: str) -> str:
    said = " ".join(recipient.remote_reply)
    lines = []
    if reason := _REASON.search(said):
        lines.append(f"The relay's reason: {reason['code']}")
        if fact := (reason["fact"] or "").strip():
            lines += [f"  {piece}" for piece in _pieces(fact)]
    if session := _SESSION.search(said):
        lines += [
            f"On {session['host']}: gatepost why {session['session']}",
            f"On {here}: gatepost protocol-log show {session['session']}",
        ]
    else:
        lines += [
            "An inbound connector of the relay must name the certificate or the address",
            f"that {here} presents: see 'Sending certificate' in its send log.",
        ]
    return "\r\n".join(lines)


# The part for programs


def _status_part(report: DeliveryReport, recipients: Sequence[ReportedRecipient]) -> str:
    fields = [f"Reporting-MTA: dns; {report.reporting_host}"]
    if report.envid:
        fields.insert(0, f"Original-Envelope-Id: {_line(_from_xtext(report.envid))}")
    fields.append(f"Arrival-Date: {_date(report.received_at)}")
    blocks = ["\r\n".join(fields)]
    blocks += ["\r\n".join(_recipient_fields(recipient)) for recipient in recipients]
    return "\r\n\r\n".join(blocks) + "\r\n"


def _recipient_fields(recipient: ReportedRecipient) -> list[str]:
    address_type = "rfc822" if recipient.final_recipient.isascii() else "utf-8"
    fields = []
    if recipient.orcpt:
        kind, _, original = recipient.orcpt.partition(";")
        fields.append(f"Original-Recipient: {_line(kind)}; {_line(_from_xtext(original))}")
    fields += [
        f"Final-Recipient: {address_type}; {_line(recipient.final_recipient)}",
        f"Action: {recipient.action}",
        f"Status: {recipient.status}",
    ]
    if recipient.remote_host:
        # RFC 3464 2.3.5: the name alone; the address is in the words for people.
        fields.append(f"Remote-MTA: dns; {_line(recipient.remote_host.partition('[')[0] or recipient.remote_host)}")
    if recipient.remote_reply:
        fields.append("Diagnostic-Code: smtp; " + _folded(recipient.remote_reply))
    elif recipient.why and recipient.action in (Action.FAILED, Action.DELAYED):
        fields.append("Diagnostic-Code: x-gatepost; " + _folded((recipient.why,)))
    if recipient.last_attempt_at is not None:
        fields.append(f"Last-Attempt-Date: {_date(recipient.last_attempt_at)}")
    if recipient.will_retry_until is not None:
        fields.append(f"Will-Retry-Until: {_date(recipient.will_retry_until)}")
    return fields


def _folded(lines: Sequence[str]) -> str:
    """Verbatim lines as one field body: each on a line of its own (RFC 5322 2.2.3)."""
    return "\r\n ".join(piece for line in lines for piece in _pieces(line))


def _from_xtext(text: str) -> str:
    """RFC 3461 4: `+3D` is `=`."""
    return re.sub(r"\+([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), text)


def _line(text: str) -> str:
    """`text` without anything that could end a line."""
    return _CONTROLS.sub("?", text)


def _pieces(text: str) -> list[str]:
    """`text` in lines that mail may carry."""
    text = _line(text)
    longest = _LONGEST if text.isascii() else _LONGEST_BEYOND_ASCII
    return [text[at : at + longest] for at in range(0, len(text), longest)] or ["-"]


def _wrapped(text: str) -> list[str]:
    lines, line = [], ""
    for word in _line(text).split(" "):
        if line and len(line) + 1 + len(word) > _WRAP:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [piece for full in (*lines, line) for piece in _pieces(full)]


def _date(at: float) -> str:
    return format_datetime(datetime.fromtimestamp(int(at), UTC))
