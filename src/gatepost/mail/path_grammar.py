"""Reverse-paths and forward-paths as they stand in MAIL and RCPT: text in, path or the reason it is none out.

The grammar is RFC 5321 4.1.2 and 4.1.3 with the Unicode of RFC 6531 3.3. Source routes are read and forgotten
(RFC 5321 appendix C). A text that is no path is a value, `BadPath`; nothing here raises on what a peer wrote.

Some texts are no paths by the grammar, and other servers take them: local parts beyond 64 octets (RFC 5321 4.5.3.1 asks
for no limit where none is needed), dots at odd places as in `a..b` and `a.`, paths without angle brackets. They are
read as *irregular* where the caller asks for it: the path, and what is wrong with it. An irregular local part is one
that is not quoted and holds atoms and dots alone, so that what follows the last @ is the domain to every reader.
"""

import ipaddress
import re
from string import ascii_letters, digits
from typing import Final, NamedTuple

from gatepost.mail.address import NULL_REVERSE_PATH, ForwardPath, Mailbox, ReversePath
from gatepost.mail.domain import DomainError, domain_key

# RFC 5321 4.5.3.1.1, 4.5.3.1.2, 4.5.3.1.3: octets; the path with its angle brackets.
LONGEST_LOCAL_PART: Final = 64
LONGEST_DOMAIN: Final = 255
LONGEST_PATH: Final = 256
LONGEST_IRREGULAR_LOCAL_PART: Final = 255
LONGEST_IRREGULAR_PATH: Final = 1 + LONGEST_IRREGULAR_LOCAL_PART + 1 + LONGEST_DOMAIN + 1


def _one_of(characters: str) -> str:
    """Of these, or beyond ASCII (RFC 6531 3.3): written as what it leaves out, since `re` takes milliseconds to compile
    a range up to U+10FFFF, in every process that starts."""
    return f"[^{re.escape(''.join(each for each in map(chr, range(128)) if each not in characters))}]"


# RFC 5322 3.2.3 atext
_ATEXT_CHARACTERS = f"{ascii_letters}{digits}!#$%&'*+/=?^_`{{|}}~-"
_ATEXT = _one_of(_ATEXT_CHARACTERS)
# Dot-string = Atom *("." Atom)
_DOT_STRING = rf"{_ATEXT}+(?:\.{_ATEXT}+)*"
# Quoted-string = DQUOTE *QcontentSMTP DQUOTE
_QTEXT = _one_of("".join(chr(each) for each in range(0x20, 0x7F) if chr(each) not in '"\\'))
_QUOTED_STRING = rf'"(?:{_QTEXT}|\\[\x20-\x7e])*"'
# Domain = sub-domain *("." sub-domain); the underscore is no part of it, but such hosts exist and send mail.
_SUB_DOMAIN = rf"{_one_of(f'{ascii_letters}{digits}_-')}+"
_DOMAIN = rf"{_SUB_DOMAIN}(?:\.{_SUB_DOMAIN})*"
# A-d-l = At-domain *("," At-domain), then ":"
_SOURCE_ROUTE = rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?"
_LITERAL = r"\[[0-9A-Za-z:.\-]*\]"

_LOCAL_PART = re.compile(rf"(?:{_DOT_STRING}|{_QUOTED_STRING})")
_PATH = re.compile(rf"<{_SOURCE_ROUTE}(({_DOT_STRING}|{_QUOTED_STRING})@({_DOMAIN}|{_LITERAL}))>")
_IRREGULAR_LOCAL_PART = rf"(?:{_one_of(f'{_ATEXT_CHARACTERS}.')}+|{_QUOTED_STRING})"
_IRREGULAR_MAILBOX = rf"({_IRREGULAR_LOCAL_PART})@({_DOMAIN}|{_LITERAL})"
# Without brackets the path ends where the line ends, or where parameters begin.
_IRREGULAR_PATH = re.compile(rf"(?:<{_SOURCE_ROUTE}({_IRREGULAR_MAILBOX})>|({_IRREGULAR_MAILBOX})(?=[ \t]|\Z))")
_POSTMASTER = re.compile(r"<(postmaster)>", re.ASCII | re.IGNORECASE)


class BadPath(NamedTuple):
    """Why a text is no path: one clause that can stand in a reply, without the peer's own octets."""

    says: str


class ReadReversePath(NamedTuple):
    path: ReversePath
    end: int
    """Where the path ended in the text; parameters follow."""
    irregular: BadPath | None = None


class ReadForwardPath(NamedTuple):
    path: ForwardPath
    end: int
    irregular: BadPath | None = None


def read_reverse_path(text: str, start: int = 0, *, irregular: bool = False) -> ReadReversePath | BadPath:
    """The reverse-path that begins at `start`; with `irregular`, what others take for one, too."""
    match = _PATH.match(text, start)
    if match is not None:
        mailbox = _mailbox(match)
        if not isinstance(mailbox, BadPath):
            return ReadReversePath(mailbox, match.end())
    elif text.startswith("<>", start):
        return ReadReversePath(NULL_REVERSE_PATH, start + 2)
    else:
        mailbox = BadPath(_defect(text[start:]))
    read = _irregular(text, start) if irregular else None
    return ReadReversePath(*read, mailbox) if read else mailbox


def read_forward_path(
    text: str, start: int = 0, *, postmaster_at: str, irregular: bool = False
) -> ReadForwardPath | BadPath:
    """The forward-path that begins at `start`. `<Postmaster>` alone means the one of `postmaster_at`, a domain key."""
    match = _PATH.match(text, start)
    if match is not None:
        mailbox = _mailbox(match)
        if not isinstance(mailbox, BadPath):
            return ReadForwardPath(mailbox, match.end())
        read = _irregular(text, start) if irregular else None
        return ReadForwardPath(*read, mailbox) if read else mailbox
    # RFC 5321 4.1.1.3: "<Postmaster>" without a domain, in any case of letters, must be taken.
    match = _POSTMASTER.match(text, start)
    if match is not None:
        mailbox = Mailbox("postmaster", postmaster_at, f"{match[1]}@{postmaster_at}")
        return ReadForwardPath(mailbox, match.end())
    if text.startswith("<>", start):
        return BadPath("the null path cannot be a recipient")
    read = _irregular(text, start) if irregular else None
    defect = BadPath(_defect(text[start:]))
    return ReadForwardPath(*read, defect) if read else defect


def read_mailbox(text: str, *, irregular: bool = False) -> Mailbox | BadPath:
    """A mailbox by itself, without angle brackets: what an operator types."""
    match = _PATH.fullmatch(f"<{text}>")
    mailbox = _mailbox(match) if match and match[1] == text else BadPath(_defect(f"<{text}>"))
    read = _irregular(f"<{text}>", 0) if irregular and isinstance(mailbox, BadPath) else None
    return read[0] if read and read[0].text == text else mailbox


def _irregular(text: str, start: int) -> tuple[Mailbox, int] | None:
    """What the grammar takes for no path, and others take; and where it ended."""
    match = _IRREGULAR_PATH.match(text, start)
    if match is None:
        return None
    written, local_part, domain = match.groups()[:3] if match[1] is not None else match.groups()[3:]
    for part, longest in (
        (local_part, LONGEST_IRREGULAR_LOCAL_PART),
        (domain, LONGEST_DOMAIN),
        (match[0], LONGEST_IRREGULAR_PATH),
    ):
        if len(part.encode()) > longest:
            return None
    key = _domain_or_literal_key(domain)
    return None if isinstance(key, BadPath) else (Mailbox(local_part, key, written), match.end())


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
        return BadPath("the part after @ is not a domain name")


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
        return "the path must be in angle brackets, as in <user@example.com>"
    local_part = _LOCAL_PART.match(text, 1)
    if ">" not in text:
        return "the closing angle bracket is missing"
    if local_part is not None and text.startswith(">", local_part.end()):
        return "the mailbox has no domain"
    if (odd := _IRREGULAR_PATH.match(text)) and odd[2] is not None and odd[2][0] != '"':
        return "a local part with a dot at its end, or with two in a row, must be quoted"
    return "a mailbox is written local-part@domain"
