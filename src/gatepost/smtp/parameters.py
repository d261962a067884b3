"""The ESMTP parameters of MAIL and RCPT: text after the path in, values or the refusal out.

esmtp-param = esmtp-keyword ["=" esmtp-value] (RFC 5321 4.1.2). What is passed on to the next host is kept verbatim.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar, cast, get_args

from gatepost.mail.envelope import NO_DSN_REQUEST, Body, DsnRequest, Notify, Ret
from gatepost.mail.reply import Reply
from gatepost.smtp import replies
from gatepost.smtp.server_effects import AskMail

_SPACES = re.compile(r"[ \t]+")
_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
# RFC 1870 3: size-value = 1*20DIGIT
_SIZE = re.compile(r"[0-9]{1,20}")
# RFC 3461 4: xtext = *( xchar / hexchar ); printable ASCII without "+" and "=", which are written +2B and +3D.
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
# RFC 3461 4.2: original-recipient-address = addr-type ";" xtext
_ORCPT = re.compile(r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+);(.+)", re.DOTALL)
# RFC 6533 3: QCHAR and the escape \x{HEXPOINT}; controls of ASCII have none here, so none can reach a command line.
_HEXPOINT = (
    r"(?:20|2B|3D|5C|7F|[89A-F][0-9A-F]|[1-9A-F][0-9A-F]{2}|[1-9A-CEF][0-9A-F]{3}|D[0-7][0-9A-F]{2}"
    r"|[1-9A-F][0-9A-F]{4}|10[0-9A-F]{4})"
)
_UTF8_XTEXT = re.compile(rf"(?:[!-*,-<>-\[\]-~]|\\x\{{{_HEXPOINT}\}})+")
_UTF8_UNITEXT = re.compile(rf"(?:[!-*,-<>-\[\]-~\x80-\U0010ffff]|\\x\{{{_HEXPOINT}\}})+")

Values = TypeVar("Values")

# RFC 3461 4.4, 4.2
LONGEST_ENVID: Final = 100
LONGEST_ORCPT: Final = 500


def mail_parameters(text: str, ask: AskMail) -> AskMail | Reply:
    """`ask` with what `text` says, which follows the reverse-path."""
    if not text:
        return ask
    return _read(text, _MAIL_READERS, ask)


def recipient_parameters(text: str, *, smtputf8: bool) -> DsnRequest | Reply:
    """`text` is what follows the forward-path."""
    if not text:
        return NO_DSN_REQUEST
    request = _read(text, _RECIPIENT_READERS, NO_DSN_REQUEST)
    # RFC 6533 3: the raw form of a utf-8 address may only be used in a transaction with SMTPUTF8.
    if isinstance(request, DsnRequest) and request.orcpt is not None and not request.orcpt.isascii() and not smtputf8:
        return replies.NEEDS_SMTPUTF8
    return request


def _read(
    text: str, readers: Mapping[str, Callable[[Values, str | None], Values | Reply]], values: Values
) -> Values | Reply:
    seen: set[str] = set()
    if text[0] not in " \t":
        return replies.bad_parameter("A space stands between the path and its parameters")
    for parameter in _SPACES.split(text.strip(" \t")):
        keyword, equals, value = parameter.partition("=")
        if _KEYWORD.fullmatch(keyword) is None:
            return replies.bad_parameter("A parameter is written KEYWORD or KEYWORD=value")
        keyword = keyword.upper()
        reader = readers.get(keyword)
        if reader is None:
            return replies.unknown_parameter(keyword)
        if keyword in seen:
            return replies.bad_parameter(f"{keyword} is given twice")
        seen.add(keyword)
        read = reader(values, value if equals else None)
        if isinstance(read, Reply):
            return read
        values = read
    return values


def _size(ask: AskMail, value: str | None) -> AskMail | Reply:
    if value is None or _SIZE.fullmatch(value) is None:
        return replies.bad_parameter("SIZE takes a number of octets")
    return replace(ask, declared_size=int(value))


def _body(ask: AskMail, value: str | None) -> AskMail | Reply:
    body = _BODIES.get((value or "").upper())
    if body is None:
        return replies.bad_parameter("BODY is 7BIT, 8BITMIME or BINARYMIME")
    return _with(ask, body=body)


def _smtputf8(ask: AskMail, value: str | None) -> AskMail | Reply:
    if value is not None:
        return replies.bad_parameter("SMTPUTF8 takes no value")
    return _with(ask, smtputf8=True)


def _ret(ask: AskMail, value: str | None) -> AskMail | Reply:
    ret = (value or "").upper()
    if ret not in get_args(Ret):
        return replies.bad_parameter("RET is FULL or HDRS")
    return _with(ask, ret=cast(Ret, ret))


def _envid(ask: AskMail, value: str | None) -> AskMail | Reply:
    if not value or len(value) > LONGEST_ENVID or _XTEXT.fullmatch(value) is None:
        return replies.bad_parameter(f"ENVID takes at most {LONGEST_ENVID} characters of xtext")
    return _with(ask, envid=value)


def _with(ask: AskMail, **said: Any) -> AskMail:
    return replace(ask, envelope=replace(ask.envelope, **said))


def _notify(request: DsnRequest, value: str | None) -> DsnRequest | Reply:
    wishes = (value or "").upper().split(",")
    notify = frozenset(wishes)
    # RFC 3461 4.1: NEVER stands alone.
    if not notify <= _NOTIFY or len(notify) < len(wishes) or ("NEVER" in notify and len(notify) > 1):
        return replies.bad_parameter("NOTIFY is NEVER, or a list of SUCCESS, FAILURE, DELAY")
    return replace(request, notify=cast(frozenset[Notify], notify))


def _orcpt(request: DsnRequest, value: str | None) -> DsnRequest | Reply:
    match = _ORCPT.fullmatch(value or "")
    if match is None or len(match[0]) > LONGEST_ORCPT or not _is_original_address(match[1], match[2]):
        return replies.bad_parameter(f"ORCPT takes type;address in xtext, at most {LONGEST_ORCPT} characters")
    return replace(request, orcpt=value)


def _is_original_address(address_type: str, address: str) -> bool:
    if address_type.lower() != "utf-8":
        return _XTEXT.fullmatch(address) is not None
    return _UTF8_XTEXT.fullmatch(address) is not None or _UTF8_UNITEXT.fullmatch(address) is not None


_BODIES: Final = {str(body): body for body in Body}
_NOTIFY: Final = frozenset(get_args(Notify))
_MAIL_READERS: Final = {"SIZE": _size, "BODY": _body, "SMTPUTF8": _smtputf8, "RET": _ret, "ENVID": _envid}
_RECIPIENT_READERS: Final = {"NOTIFY": _notify, "ORCPT": _orcpt}
