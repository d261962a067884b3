"""Errors of programs that send mail: Java, Python, .NET, PHP, Node, Go, OpenSSL.

What flows: a line that begins as a language's error does, and the causes it names below. Law: an SMTP reply in an error
is `replies`' to read, so the line stays free.
"""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import re
from collections.abc import Iterator
from typing import Final, Literal

from gatepost.doctor.evidence import ProgramError
from gatepost.doctor.page import Page
from gatepost.exchange.source import Fact

Language = Literal["java", "python", "dotnet", "php", "node", "go", "openssl"]
_FORMS: Final[tuple[tuple[Language, re.Pattern[str]], ...]] = (
    (
        "java",
        re.compile(
            r"(?P<error>\b(?:javax?|jakarta|org|com|sun|io)\.[a-z][\w.]{1,100}\.[A-Z]\w{1,60}(?:Exception|Error)): (?P<message>\S.{0,600})"
        ),
    ),
    (
        "dotnet",
        re.compile(
            r"(?P<error>\b(?:System|MailKit|Microsoft)\.[A-Z][\w.]{1,100}Exception)(?: \(0x[0-9A-Fa-f]+\))?: (?P<message>\S.{0,600})"
        ),
    ),
    (
        "python",
        re.compile(
            r"^\s*(?P<error>(?:ssl|smtplib|socket|aiosmtplib(?:\.errors)?|ConnectionRefused|Timeout|OS)\.?\w{0,60}(?:Error|Exception|Disconnected|Refused))\b: (?P<message>\S.{0,600})"
        ),
    ),
    (
        "php",
        re.compile(
            r"^(?:\[?[\d :/T.-]{8,30}\]? ?)?(?P<error>(?:PHP )?(?:Warning|Fatal error)|SMTP Error|SMTP ERROR|Mailer Error):\s*(?P<message>\S.{0,600})"
        ),
    ),
    (
        "node",
        re.compile(
            r"^\s*(?:\[[\w -]{1,40}\]\s*)?(?P<error>Error|\w{2,20}Error(?: \[\w{2,60}\])?):\s(?P<message>\S.{0,600})"
        ),
    ),
    (
        "go",
        re.compile(
            r"\b(?P<error>x509|tls|dial tcp[^:]{0,80}|smtp|gomail): (?P<message>(?:certificate|failed|handshake|first record|remote error|no |server|connect|i/o|lookup|unencrypted|bad |local error).{0,400})"
        ),
    ),
    ("openssl", re.compile(r"(?P<error>\berror:[0-9A-Fa-f]{8}):(?P<message>[\w :/()-]{3,300})")),
)
_CAUSED: Final = re.compile(r"^\s*(?:Caused by:|nested exception is:|---> |cause:)\s*(?P<cause>\S.{0,600})?$")
_NODE_CODE: Final = re.compile(
    r"^\s{1,80}(?:code|reason|command|library|syscall|errno):\s{0,20}['\"]?[\w .-]{1,80}['\"]?,?"
)
_CALL: Final = re.compile(r"^\s{1,80}(?:at\s|File \"|\.\.\. \d|#\d)|^\s{0,80}\}\s{0,40}$|^Traceback \(most recent")
_MOST_LINES: Final = 60


def read(page: Page) -> Iterator[Fact]:
    for index, line in page.free():
        for language, pattern in _FORMS:
            match = pattern.search(line)
            if match is None or line.lstrip().startswith("Caused by:"):
                continue
            yield ProgramError(
                source=page.source(index),
                quote=line.strip()[:500],
                language=language,
                error=match["error"],
                message=match["message"].strip(),
                cause=_innermost(page, index),
            )
            break


def _innermost(page: Page, index: int) -> str:
    """The last cause named below; the lines of the stack are taken, since they tell nothing more."""
    cause = ""
    for at in range(index + 1, min(index + _MOST_LINES, len(page.lines))):
        line = page.lines[at][:800]
        if caused := _CAUSED.match(line):
            below = page.lines[at + 1].strip() if at + 1 < len(page.lines) else ""
            cause = (caused["cause"] or below).strip()
        elif _CALL.match(line) or _NODE_CODE.match(line):
            page.take(at)
        elif line.strip():
            break
    return cause
