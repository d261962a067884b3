"""Trace fields (RFC 5321 4.4).

Laws: the field can be parsed by the grammar of the RFC whatever a client calls itself; it names nobody's tenant or
connector. Its id is the session's: whoever may ask this server learns by it the rest (`gatepost why`), and to anybody
else it says when and where a session was and nothing about whose.
"""

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

# RFC 5321 6.3: "the limit SHOULD be large, at least 100".
MOST_HOPS = 100

_UNSAFE = re.compile(r"[^\x20-\x7e]|[()\\]")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST_DOMAIN = 255
"""RFC 5321 4.5.3.1.2"""
_LONGEST_ODD_NAME = 60
_CONFUSING = re.compile(r'[^\x21-\x7e]|["(),;<>\\]')
"""Allowed in a comment in part, but programs that cut fields at such signs do not know comments."""


def hops(header: bytes | bytearray) -> int:
    """How many Received fields a header has."""
    lowered = header.lower()
    return lowered.count(b"\nreceived:") + lowered.startswith(b"received:")


def comment(text: str) -> str:
    """`text` as it may stand inside a comment (RFC 5322 3.2.2): nothing in it can end the comment or the line."""
    return _UNSAFE.sub("?", text)


def received_field(*, ehlo: str, address: str, hostname: str, protocol: str, id: str, facts: str, at: float) -> bytes:
    """The field we put before the content. `protocol` is a word of RFC 3848 or 6531; `facts` goes into a comment.

    Folded so that no line passes 78 characters where its parts allow (RFC 5322 2.1.1).
    """
    date = _date(int(at))
    by = f"by {hostname} with {protocol} id {id}"
    return f"{_received_from(ehlo, address)}\r\n\t{by}{_comments(facts)};\r\n\t{date}\r\n".encode()


@lru_cache(maxsize=64)
def _comments(facts: str) -> str:
    """Each on a line of its own."""
    return "".join([f"\r\n\t({comment(part)})" for part in facts.split("; ") if part])


@lru_cache(maxsize=1024)
def _received_from(ehlo: str, address: str) -> str:
    """RFC 5321 4.4: From-domain is a domain or a literal. A name that is neither goes into a comment behind it."""
    literal = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
    if (len(ehlo) <= _LONGEST_DOMAIN and _DOMAIN.fullmatch(ehlo)) or _is_literal(ehlo):
        return f"Received: from {ehlo} ({literal})"
    odd = _CONFUSING.sub("?", ehlo)
    if len(odd) > _LONGEST_ODD_NAME:
        odd = f"{odd[:_LONGEST_ODD_NAME]}..."
    said = f"\r\n\t(EHLO {odd})" if odd else ""
    return f"Received: from {literal} ({literal}){said}"


def _is_literal(name: str) -> bool:
    """RFC 5321 4.1.3: `[192.0.2.1]` or `[IPv6:2001:db8::1]`."""
    if not (name.startswith("[") and name.endswith("]")):
        return False
    try:
        if name[1:6].lower() == "ipv6:":
            # A zone is none of the mail system's, and stands for nothing elsewhere.
            return IPv6Address(name[6:-1]).scope_id is None
        IPv4Address(name[1:-1])
    except AddressValueError:
        return False
    return True


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
