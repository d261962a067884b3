"""Reverse-paths and forward-paths as they stand in MAIL and RCPT: text in, path or the reason it is none out.

The grammar is RFC 5321 4.1.2 and 4.1.3 with the Unicode of RFC 6531 3.3. Source routes are read and forgotten
(RFC 5321 appendix C). A text that is no path is a value, `BadPath`; nothing here raises on what a peer wrote.
"""

import ipaddress
import re
from typing import Final, NamedTuple

from gatepost.mail.address import NULL_REVERSE_PATH, ForwardPath, Mailbox, ReversePath
from gatepost.mail.domain import DomainError, domain_key

# RFC 5321 4.5.3.1.1, 4.5.3.1.2, 4.5.3.1.3: octets; the path with its angle brackets.
LONGEST_LOCAL_PART: Final = 64
LONGEST_DOMAIN: Final = 255
LONGEST_PATH: Final = 256

_BEYOND_ASCII = "\x80-\U0010ffff"
# RFC 5322 3.2.3 atext; RFC 6531 3.3 adds every character beyond ASCII.
_ATEXT = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~\-{_BEYOND_ASCII}]"
# Dot-string = Atom *("." Atom)
_DOT_STRING = rf"{_ATEXT}+(?:\.{_ATEXT}+)*"
# Quoted-string = DQUOTE *QcontentSMTP DQUOTE
_QUOTED_STRING = rf'"(?:[\x20\x21\x23-\x5b\x5d-\x7e{_BEYOND_ASCII}]|\\[\x20-\x7e])*"'
# Domain = sub-domain *("." sub-domain); the underscore is no part of it, but such hosts exist and send mail.
_SUB_DOMAIN = rf"[A-Za-z0-9_\-{_BEYOND_ASCII}]+"
_DOMAIN = rf"{_SUB_DOMAIN}(?:\.{_SUB_DOMAIN})*"
# A-d-l = At-domain *("," At-domain), then ":"
_SOURCE_ROUTE = rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?"
_LITERAL = r"\[[0-9A-Za-z:.\-]*\]"

_LOCAL_PART = re.compile(rf"(?:{_DOT_STRING}|{_QUOTED_STRING})")
_PATH = re.compile(rf"<{_SOURCE_ROUTE}(({_DOT_STRING}|{_QUOTED_STRING})@({_DOMAIN}|{_LITERAL}))>")
_POSTMASTER = re.compile(r"<(postmaster)>", re.ASCII | re.IGNORECASE)


class BadPath(NamedTuple):
    """Why a text is no path: one clause that can stand in a reply, without the peer's own octets."""

    says: str


class ReadReversePath(NamedTuple):
    path: ReversePath
    end: int
    """Where the path ended in the text; parameters follow."""


class ReadForwardPath(NamedTuple):
    path: ForwardPath
    end: int


def read_reverse_path(text: str, start: int = 0) -> ReadReversePath | BadPath:
    """The reverse-path that begins at `start`."""
    match = _PATH.match(text, start)
    if match is not None:
        mailbox = _mailbox(match)
        return mailbox if isinstance(mailbox, BadPath) else ReadReversePath(mailbox, match.end())
    if text.startswith("<>", start):
        return ReadReversePath(NULL_REVERSE_PATH, start + 2)
    return BadPath(_defect(text[start:]))


def read_forward_path(text: str, start: int = 0, *, postmaster_at: str) -> ReadForwardPath | BadPath:
    """The forward-path that begins at `start`. `<Postmaster>` alone means the one of `postmaster_at`, a domain key."""
    match = _PATH.match(text, start)
    if match is not None:
        mailbox = _mailbox(match)
        return mailbox if isinstance(mailbox, BadPath) else ReadForwardPath(mailbox, match.end())
    # RFC 5321 4.1.1.3: "<Postmaster>" without a domain, in any case of letters, must be taken.
    match = _POSTMASTER.match(text, start)
    if match is not None:
        mailbox = Mailbox("postmaster", postmaster_at, f"{match[1]}@{postmaster_at}")
        return ReadForwardPath(mailbox, match.end())
    if text.startswith("<>", start):
        return BadPath("a recipient cannot be the null path")
    return BadPath(_defect(text[start:]))


def read_mailbox(text: str) -> Mailbox | BadPath:
    """A mailbox by itself, without angle brackets: what an operator types."""
    match = _PATH.fullmatch(f"<{text}>")
    if match is None or match[1] != text:
        return BadPath(_defect(f"<{text}>"))
    return _mailbox(match)


def _mailbox(match: re.Match[str]) -> Mailbox | BadPath:
    text, local_part, domain = match.groups()
    # An ASCII mailbox within the shortest of the limits is within all of them.
    if len(text) > LONGEST_LOCAL_PART or not text.isascii():
        excess = _excess(match[0], local_part, domain)
        if excess is not None:
            return excess
    key = _domain_or_literal_key(domain)
    return key if isinstance(key, BadPath) else Mailbox(local_part, key, text)


def _excess(path: str, local_part: str, domain: str) -> BadPath | None:
    for text, longest, name in (
        (local_part, LONGEST_LOCAL_PART, "local part"),
        (domain, LONGEST_DOMAIN, "domain"),
        (path, LONGEST_PATH, "path"),
    ):
        if len(text) > longest or (not text.isascii() and len(text.encode()) > longest):
            return BadPath(f"the {name} is longer than {longest} octets")
    return None


def _domain_or_literal_key(domain: str) -> str | BadPath:
    if domain[0] == "[":
        return _literal_key(domain[1:-1])
    try:
        return domain_key(domain)
    except DomainError:
        return BadPath("what follows @ is no domain name")


def _literal_key(literal: str) -> str | BadPath:
    """RFC 5321 4.1.3: `192.0.2.1` or `IPv6:2001:db8::1`; other tags are not registered."""
    try:
        if literal[:5].lower() == "ipv6:":
            return f"[IPv6:{ipaddress.IPv6Address(literal[5:])}]"
        return f"[{ipaddress.IPv4Address(literal)}]"
    except ValueError:
        return BadPath("an address literal is [192.0.2.1] or [IPv6:2001:db8::1]")


def _defect(text: str) -> str:
    """The first thing that is wrong with a text that is no path."""
    if not text.startswith("<"):
        return "a path stands in angle brackets, as in <user@example.com>"
    local_part = _LOCAL_PART.match(text, 1)
    if ">" not in text:
        return "the closing angle bracket is missing"
    if local_part is not None and text.startswith(">", local_part.end()):
        return "the mailbox has no domain"
    return "a mailbox is written local-part@domain"
