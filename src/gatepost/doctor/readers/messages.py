"""Bounces: MIME messages taken apart with their line numbers kept, delivery-status fields, telling header fields."""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import base64
import binascii
import quopri
import re
from collections.abc import Iterator
from dataclasses import replace
from email.errors import HeaderParseError
from email.header import decode_header
from itertools import pairwise
from urllib.parse import unquote

from gatepost.doctor.evidence import HeaderSeen, ReplySeen, one_line
from gatepost.doctor.page import Page
from gatepost.doctor.readers.archives import Member
from gatepost.doctor.readers.html import lines_of_html
from gatepost.doctor.readers.replies import replies_in
from gatepost.doctor.readers.wrappings import unwrapped
from gatepost.exchange.source import Fact

_HEADER = re.compile(r"^([A-Za-z][A-Za-z0-9-]{1,60}):[ \t]?(.*)$")
_DEEPEST = 12
_MOST_PARTS = 200


def is_message(text: str) -> bool:
    """Header fields first, mail's own among them."""
    head = text.lstrip("\n")[:6000].split("\n\n", 1)[0]
    names = {match[1].casefold() for line in head.split("\n") if (match := _HEADER.match(line))}
    lines = [line for line in head.split("\n") if line.strip()]
    fields = sum(1 for line in lines if _HEADER.match(line) or line[:1] in " \t" or line.startswith("From "))
    telling = names & {"content-type", "mime-version", "received", "message-id", "return-path", "delivered-to"}
    return len(telling) >= 2 and fields >= len(lines) * 0.9


def pages_of_message(name: str, text: str) -> Iterator[Page | Member]:
    """One page for the header fields and one for each part that is text; attached files as they are."""
    lines = text.split("\n")
    yield from _parts(name, lines, 0, len(lines), 0, [_MOST_PARTS])


def _parts(name: str, lines: list[str], start: int, end: int, depth: int, left: list[int]) -> Iterator[Page | Member]:
    left[0] -= 1
    if depth > _DEEPEST or left[0] < 0:
        return
    while start < end and not lines[start].strip():
        start += 1
    body = start
    fields: list[tuple[str, str]] = []
    while body < end and lines[body].strip():
        if match := _HEADER.match(lines[body]):
            fields.append((match[1].casefold(), match[2]))
        elif fields and lines[body][:1] in " \t":
            fields[-1] = (fields[-1][0], f"{fields[-1][1]} {lines[body].strip()}")
        elif not lines[body].startswith("From "):
            break
        body += 1
    known = dict(reversed(fields))
    kind = known.get("content-type", "text/plain").casefold()
    if depth == 0 or "rfc822" in kind or len(fields) > 3:
        yield Page(name, [_decoded_words(line) for line in lines[start:body]], range(start + 1, body + 1))
    found = re.search(r'boundary\s*=\s*(?:"([^"]+)"|([^\s;]+))', known.get("content-type", ""), re.IGNORECASE)
    if kind.startswith("multipart/") and found:
        mark = "--" + (found[1] or found[2])
        cuts = [at for at in range(body, end) if lines[at].startswith(mark)]
        for at, following in pairwise([*cuts, end]):
            if not lines[at].rstrip().endswith(mark + "--"):
                yield from _parts(name, lines, at + 1, following, depth + 1, left)
        if cuts:
            return
        kind = "text/plain"  # it was pasted without its parts
    if kind.startswith(("message/rfc822", "text/rfc822-headers", "message/global")):
        yield from _parts(name, lines, body, end, depth + 1, left)
        return
    encoding = known.get("content-transfer-encoding", "").strip().casefold()
    if attached := _attached(known):
        yield _member(f"{name}/{attached}", lines[body + 1 : end], encoding)
        return
    if not kind.startswith(("text/", "message/")):
        return
    charset = re.search(r'charset\s*=\s*"?([\w.:-]+)', known.get("content-type", ""), re.IGNORECASE)
    text, numbers = _body(lines, body, end, encoding, charset[1] if charset else "utf-8")
    if kind.startswith("text/html"):
        text, of_html = lines_of_html("\n".join(text))
        numbers = [numbers[min(each, len(numbers)) - 1] if numbers else body + 1 for each in of_html]
    yield Page(name, unwrapped(unquoted(text)), numbers)


_FILE_NAME = re.compile(
    r"\b(?:file)?name\*?\s*=\s*(?:[\w-]{1,20}''(?P<coded>[^\s;]{1,300})|\"(?P<quoted>[^\"]{1,300})\"|(?P<bare>[^\s;\"]{1,300}))",
    re.I,
)


def _attached(known: dict[str, str]) -> str:
    """The name of the file that a part is; empty where it is part of the message's text."""
    disposition, kind = known.get("content-disposition", ""), known.get("content-type", "text/plain").casefold()
    found = _FILE_NAME.search(disposition) or _FILE_NAME.search(known.get("content-type", ""))
    if (
        found is None
        or kind.startswith("message/")
        or (disposition.casefold().startswith("inline") and "text/" in kind)
    ):
        return ""
    name = unquote(found["coded"]) if found["coded"] else _decoded_words(found["quoted"] or found["bare"])
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def _member(name: str, lines: list[str], encoding: str) -> Member:
    written = "\n".join(lines).encode("utf-8", "replace")
    if encoding == "quoted-printable":
        return Member(name, quopri.decodestring(written))
    if encoding != "base64":
        return Member(name, written)
    try:
        return Member(name, base64.b64decode(re.sub(rb"[^A-Za-z0-9+/=]", b"", written)))
    except (binascii.Error, ValueError):
        return Member(name, because="an attachment that cannot be decoded")


def _body(lines: list[str], start: int, end: int, encoding: str, charset: str) -> tuple[list[str], list[int]]:
    if encoding == "quoted-printable":
        text: list[str] = []
        numbers: list[int] = []
        open_line, first = "", start
        for at in range(start, end):
            line = lines[at].rstrip(" ")
            first = at if not open_line else first
            if line.endswith("="):
                open_line += line[:-1]
                continue
            text.append(_quoted_printable(open_line + line, charset))
            numbers.append(first + 1)
            open_line = ""
        if open_line:
            text.append(_quoted_printable(open_line, charset))
            numbers.append(first + 1)
        return text, numbers
    if encoding == "base64":
        try:
            octets = base64.b64decode(re.sub(r"[^A-Za-z0-9+/=]", "", "".join(lines[start:end])))
        except (binascii.Error, ValueError):
            return lines[start:end], list(range(start + 1, end + 1))
        text = _decoded(octets, charset).replace("\r\n", "\n").split("\n")
        return text, [start + 1] * len(text)
    return lines[start:end], list(range(start + 1, end + 1))


def _quoted_printable(line: str, charset: str) -> str:
    if "=" not in line:
        return line
    try:
        return _decoded(quopri.decodestring(line.encode("latin-1")), charset)
    except UnicodeEncodeError:
        return line


def _decoded(octets: bytes, charset: str) -> str:
    try:
        return octets.decode(charset, "replace")
    except (LookupError, ValueError):
        return octets.decode("utf-8", "replace")


def _decoded_words(line: str) -> str:
    if "=?" not in line:
        return line
    try:
        return "".join(
            part.decode(charset or "utf-8", "replace") if isinstance(part, bytes) else part
            for part, charset in decode_header(line)
        )
    except (HeaderParseError, LookupError, ValueError):
        return line


_QUOTED = re.compile(r"^(?:> ?)+")


def unquoted(lines: list[str]) -> list[str]:
    """Without the marks of a quoted mail, where most lines bear them."""
    written = [line for line in lines if line.strip()]
    if 2 * sum(line.startswith(">") for line in written) <= len(written):
        return lines
    return [_QUOTED.sub("", line) for line in lines]


# --- delivery-status ---------------------------------------------------------------------------------------------

_STATUS_FIELD = re.compile(
    r"^\s*(?P<name>Reporting-MTA|Remote-MTA|Final-Recipient|Original-Recipient|Diagnostic-Code|Status(?=:\s*\d)|Action|"
    r"Arrival-Date|Received-From-MTA|X-Postfix-Sender|X-Actual-Recipient|Last-Attempt-Date):\s{0,40}(?P<value>.*)$",
    re.IGNORECASE,
)


def read_delivery_status(page: Page) -> Iterator[Fact]:
    """`Diagnostic-Code` with the fields of its recipient around it."""
    reporting, sender = "", None
    group: dict[str, tuple[int, str]] = {}
    last = -1
    for index, line in enumerate([*page.lines, ""]):
        match = None if index in page.taken else _STATUS_FIELD.match(line)
        if match:
            name, value = match["name"].casefold(), match["value"].strip()
            if name == "final-recipient" and name in group:
                yield from _status(page, group, reporting, sender)
                group = {}
            group[name] = (index, value)
            last = index
            page.take(index)
            if name == "reporting-mta":
                reporting = value.partition(";")[2].strip() or value
            elif name == "x-postfix-sender":
                sender = value.partition(";")[2].strip()
        elif group and last == index - 1 and line[:1] in (" ", "\t") and line.strip():
            name = next(reversed(group))
            group[name] = (group[name][0], f"{group[name][1]} {line.strip()}")
            page.take(index)
            last = index
        elif not line.strip() and "diagnostic-code" in group:
            yield from _status(page, group, reporting, sender)
            group = {}
    if "diagnostic-code" in group:
        yield from _status(page, group, reporting, sender)


def _status(page: Page, group: dict[str, tuple[int, str]], reporting: str, sender: str | None) -> Iterator[ReplySeen]:
    if "diagnostic-code" not in group:
        return
    index, value = group["diagnostic-code"]
    text = one_line(value.partition(";")[2] or value)

    def after_type(name: str) -> str:
        return group[name][1].partition(";")[2].strip() if name in group else ""

    found = replies_in(
        text,
        page.source(index),
        kind="ndr",
        quoted_by=reporting,
        forward_path=after_type("final-recipient").strip("<> ") or None,
        reverse_path=sender,
    )
    remote = re.sub(r"\s{0,40}\(.*", "", after_type("remote-mta"))
    for reply in found:
        yield replace(reply, said_by=reply.said_by or remote)


# --- header fields -----------------------------------------------------------------------------------------------

_FIELD = re.compile(r"^(?P<name>[A-Za-z][A-Za-z0-9-]{1,60}):[ \t]?(?P<value>.*)$")
_TELLING = re.compile(
    r"^\s{0,4}(?P<name>Received|Return-Path|Authentication-Results|Received-SPF|X-MS-Exchange-[\w-]+|X-OriginatorOrg|"
    r"X-Forefront-Antispam-Report|X-CrossPremisesHeadersFilteredBySendConnector|X-Auto-Response-Suppress|Auto-Submitted|"
    r"X-MS-Exchange-Organization-[\w-]+|X-Failed-Recipients|OutboundIpPoolName|X-EOPAttributedMessage)\s*:\s(?P<value>.*)$",
    re.IGNORECASE,
)


_ORIGINAL = re.compile(
    r"^\W{0,6}(?:Original message headers|Urspr\u00fcngliche (?:Nachrichten-?\s?kopfzeilen|Nachrichtenkopfzeilen)|Kopfzeilen der (?:urspr\u00fcnglichen )?Nachricht|"
    r"Encabezados de mensajes? original(?:es)?|En-t\u00eates d(?:e message|es messages) d'origine|Intestazioni (?:del )?messaggi[oe] original[ei]|"
    r"Oorspronkelijke berichtkoppen|Cabe\u00e7alhos (?:da mensagem|das mensagens) origina(?:l|is)|\u5143\u306e\u30e1\u30c3\u30bb\u30fc\u30b8 \u30d8\u30c3\u30c0\u30fc)\s{0,10}(?:[:\uff1a]\s{0,40})?$",
    re.IGNORECASE,
)
_MOST_BLANKS = 2


def _original_headers(page: Page) -> set[int]:
    """The lines below the heading with which a bounce begins the header of the message it is about."""
    inside: set[int] = set()
    for start, line in enumerate(page.lines):
        if not _ORIGINAL.match(line[:120]):
            continue
        page.take(start)
        blanks = 0
        for index in range(start + 1, len(page.lines)):
            text = page.lines[index]
            blanks = 0 if text.strip() else blanks + 1
            if blanks >= _MOST_BLANKS or (text.strip() and text[:1] not in (" ", "\t") and not _HEADER.match(text)):
                break
            inside.add(index)
    return inside


def read_headers(page: Page) -> Iterator[Fact]:
    """Telling fields wherever they stand, and every field of the message that a bounce is about."""
    original = _original_headers(page)
    index = 0
    while index < len(page.lines):
        match = None if index in page.taken else _TELLING.match(page.lines[index])
        if match is None and index in original and index not in page.taken:
            match = _FIELD.match(page.lines[index])
        if match is None:
            index += 1
            continue
        first, value = index, match["value"]
        while (
            index + 1 < len(page.lines) and page.lines[index + 1][:1] in (" ", "\t") and page.lines[index + 1].strip()
        ):
            if _HEADER.match(page.lines[index + 1].strip()):
                break
            index += 1
            value = f"{value} {page.lines[index].strip()}"
        page.take(first, index)
        yield HeaderSeen(
            source=page.source(first),
            quote=one_line(page.lines[first])[:400],
            name=match["name"],
            value=one_line(value),
        )
        index += 1
