"""Trace fields (RFC 5321 4.4)."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

# RFC 5321 6.3: "the limit SHOULD be large, at least 100".
MOST_HOPS = 100

_RECEIVED = re.compile(rb"^received:", re.IGNORECASE | re.MULTILINE)
_UNSAFE = re.compile(r"[^\x20-\x7e]|[()\\]")


def hops(header: bytes) -> int:
    """How many Received fields a header has."""
    return len(_RECEIVED.findall(header))


def comment(text: str) -> str:
    """`text` as it may stand inside a comment (RFC 5322 3.2.2): nothing in it can end the comment or the line."""
    return _UNSAFE.sub("?", text)


def received_field(*, ehlo: str, address: str, hostname: str, protocol: str, id: str, facts: str, at: float) -> bytes:
    """The field we put before the content. `protocol` is a word of RFC 3848 or 6531; `facts` goes into a comment.

    Folded so that no line passes 78 characters where its parts allow (RFC 5322 2.1.1).
    """
    literal = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
    date = _date(int(at))
    lines = [f"Received: from {comment(ehlo) or literal} ({literal})", f"by {hostname} with {protocol} id {id}"]
    lines += [f"({comment(part)})" for part in facts.split("; ") if part]
    return ("\r\n\t".join(lines) + f";\r\n\t{date}\r\n").encode("utf-8")


@lru_cache(maxsize=4)
def _date(second: int) -> str:
    """RFC 5322 3.3 date-time; many messages come within one second."""
    return format_datetime(datetime.fromtimestamp(second, UTC))


def with_protocol(*, extended: bool, tls: bool, smtputf8: bool) -> str:
    """The transmission type of RFC 3848 (ESMTP, ESMTPS) and RFC 6531 3.7.3 (UTF8SMTP, UTF8SMTPS)."""
    if smtputf8:
        return "UTF8SMTPS" if tls else "UTF8SMTP"
    if not extended:
        return "SMTP"
    return "ESMTPS" if tls else "ESMTP"
