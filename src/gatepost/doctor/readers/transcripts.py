"""SMTP dialogues by hand or by a tool: swaks, telnet, openssl s_client, `C:` and `S:` lines, PHPMailer's debug."""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import re
from collections.abc import Iterator

from gatepost.doctor.evidence import SmtpSession
from gatepost.doctor.page import Page
from gatepost.doctor.readers.smtp_log import Row, session_of
from gatepost.exchange.source import Fact

_STAMP = r"(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S{0,12}\]?\s{1,4})?(?:(?:DEBUG|TRACE|INFO)\s{1,4})?(?:\[[\w/#-]{1,40}\]\s{1,4})?"
"""What PHPMailer, nodemailer and others write before each line."""
_FROM_SERVER = re.compile(
    rf"^\s*(?:{_STAMP}(?:<-|<~|<\*\*|<~\*|<--|<<<|S:|SERVER -> CLIENT:|SERVER:|<|recv:)|\d\d:\d\d:\d\d\s+<|(?:\d{{1,7}}\s+)?SMTP<<|\d{{1,7}}\s{{6,20}}(?=\d{{3}}[ -])|reply: b?['\"])\s*(?P<text>\d{{3}}(?:[ -].*)?)$"
)
_FROM_CLIENT = re.compile(
    rf"^\s*(?:{_STAMP}(?:->|~>|-->|>>>|C:|CLIENT -> SERVER:|CLIENT:|>)|(?:\d{{1,7}}\s+)?SMTP>>|send: ?b?['\"]?)\s*(?P<text>[A-Za-z].*)$"
)
_OF_PYTHON = re.compile(r"(?:\\r)?(?:\\n)?['\"]\s*$")
"""How smtplib's debug output ends a line."""
_VERB = re.compile(
    r"^\s*(?P<text>(?:EHLO|HELO)\s+\S+|STARTTLS|MAIL FROM:\s{0,40}\S{0,2000}.*|RCPT TO:\s*\S{1,2000}.*|DATA|QUIT|AUTH \w{1,255}.*)\s{0,40}$",
    re.I,
)
_REPLY = re.compile(r"^\s{0,8}(?P<text>[2345]\d\d(?:-.*| .*|))$")
_TLS = re.compile(r"^=== TLS started with cipher (?P<protocol>TLSv[\d.]+|SSL\w*)?", re.I)
_BEGINS = re.compile(
    r"^\s{0,40}(?:=== Trying|(?:<-|<~|S:|<<<)?\s*220[ -](?!2\.0\.0)[\w*-]+\.)|^\s*\S+[T ]\d\d:\d\d:\d\dZ? swaks\b", re.I
)
"""Where another session begins; the 220 after STARTTLS is told from a greeting by its text."""


def read(page: Page) -> Iterator[Fact]:
    rows: list[tuple[int, Row]] = []
    marked = verbs = replies = 0
    gap = 0
    for index, line in enumerate([*page.lines, "", "", "", "", ""]):
        row: tuple[str, str] | None = None
        if rows and _BEGINS.match(line):
            yield from _session(page, rows, marked, verbs, replies)
            rows, marked, verbs, replies = [], 0, 0, 0
        if index not in page.taken and line.strip():
            if match := _FROM_SERVER.match(line):
                row, marked = ("<", _said(match["text"])), marked + 1
            elif (match := _FROM_CLIENT.match(line)) and (rows or _VERB.match(match["text"])):
                row, marked = (">", _said(match["text"])), marked + 1
            elif match := _VERB.match(line):
                row, verbs = (">", match["text"]), verbs + 1
            elif match := _REPLY.match(line):
                row, replies = ("<", match["text"]), replies + 1
            elif match := _TLS.match(line):
                protocol = "SP_PROT_" + (match["protocol"] or "TLS").replace("v", "").replace(".", "_") + "_CLIENT"
                row = ("*", f"TLS protocol {protocol} negotiation succeeded")
        if row is not None:
            data = row[1].strip()
            rows.append(
                (index, Row(page.source(index), line.strip(), None, "", "", len(rows), "", "", row[0], data, ""))
            )
            gap = 0
            continue
        gap += 1
        if rows and (gap > 4 or (not line.strip() and gap > 3)):
            yield from _session(page, rows, marked, verbs, replies)
            rows, marked, verbs, replies = [], 0, 0, 0
    if rows:
        yield from _session(page, rows, marked, verbs, replies)


def _said(text: str) -> str:
    return _OF_PYTHON.sub("", text)


_GREETED = re.compile(
    r"^\s*(?:\S{1,2000}\s*[:>]\s*)?(?:250[- ]\s?(?P<host>\S+)\s+)?Hello\s+\[(?P<address>[0-9A-Fa-f.:]+)\]",
    re.IGNORECASE,
)


def read_greetings(page: Page) -> Iterator[Fact]:
    """A line of the EHLO reply pasted by itself: the address the service sees."""
    for index, line in page.free():
        if match := _GREETED.match(line):
            page.take(index)
            yield SmtpSession(
                source=page.source(index),
                quote=line.strip()[:400],
                log="transcript" if match["host"] else "",
                hello_address=match["address"],
                remote_name=match["host"] or "",
            )


def _session(page: Page, rows: list[tuple[int, Row]], marked: int, verbs: int, replies: int) -> Iterator[Fact]:
    commands = sum(1 for _, row in rows if row.event == ">")
    answers = sum(1 for _, row in rows if row.event == "<")
    if not ((marked >= 2 and commands and answers) or (verbs >= 1 and replies >= 1 and verbs + replies >= 3)):
        return
    for index, _ in rows:
        page.take(index)
    yield session_of([row for _, row in rows], "transcript")
