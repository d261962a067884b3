"""What no reader understood: listed with where it stands and its first line, so that nothing is dropped silently.

What flows: a page whose readers are done, and the lines that facts cite. Law: the words of people count as read, since
`prose` looks through all of them; a line that a program wrote counts only where a reader took it or a fact cites it.
"""

import re
from collections.abc import Container, Iterator
from typing import Final

from gatepost.doctor.evidence import Unread
from gatepost.doctor.page import Page
from gatepost.doctor.readers.prose import is_prose
from gatepost.doctor.readers.secrets import without_secrets

MOST_PLACES: Final = 6
_LONGEST_SHOWN: Final = 90
_BY_A_PROGRAM: Final = re.compile(
    r"\s*(?:[<\[(]?\d{2,4}[-./]\d\d[-./]\d{2,4}[T ,]|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d|\d\d:\d\d:\d\d|[\w.-]+\[\d+\]:|"
    r"[\w.\\/-]{2,60}\s?[=:](?:\s|$)|[\w.-]{2,60}=\S|[{}<\[|]|\S{1,60}[$#>] \S|-[A-Za-z-]|%\w)"
)
"""How a line begins that no person wrote: a time, a process, a setting, a prompt, markup."""


def remainder(page: Page, cited: Container[int], heard: Container[int]) -> Iterator[Unread]:
    """The places nobody understood. `cited`: line numbers that facts stand on; `heard`: those of people's words."""
    places = list(_places(page, cited, heard))
    for first, lines in places[:MOST_PLACES]:
        yield Unread(source=page.source(first), because=_said(page.lines[first], len(lines)))
    if more := places[MOST_PLACES:]:
        lines_left = sum(len(lines) for _, lines in more)
        yield Unread(
            source=page.source(more[0][0]), because=f"not understood: {lines_left} lines in {len(more)} more places"
        )


def shown(line: str) -> str:
    """A line as it is quoted, cut where it is long, without passwords."""
    text = " ".join(without_secrets(line).split())
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _said(line: str, lines: int) -> str:
    more = f" and {lines - 1} more line{'s' if lines > 2 else ''}" if lines > 1 else ""
    return f"not understood: '{shown(line)}'{more}"


def _places(page: Page, cited: Container[int], heard: Container[int]) -> Iterator[tuple[int, list[int]]]:
    run: list[int] = []
    for index, line in enumerate(page.lines):
        if not any(map(str.isalnum, line[:400])):
            continue
        number = page.source(index).line
        if index in page.taken or number in cited or _is_heard(line[:600], number, heard):
            if run:
                yield run[0], run
            run = []
        else:
            run.append(index)
    if run:
        yield run[0], run


_OF_A_MAIL: Final = re.compile(
    r"\s*(?:From|To|Cc|Date|Sent|Subject|Message-ID|MIME-Version|Content-(?:Type|Transfer-Encoding|Disposition)|Reply-To|"
    r"Von|An|Gesendet|Betreff|De|Para|Enviado|Asunto|\u00c0|Envoy\u00e9|Objet|Da|A|Oggetto|Van|Aan|Onderwerp)\s?:",
    re.IGNORECASE,
)
"""What stands above a mail's words."""


def _is_heard(line: str, number: int, heard: Container[int]) -> bool:
    if _OF_A_MAIL.match(line):
        return True
    return not _BY_A_PROGRAM.match(line) and (number in heard or is_prose(line) or bool(_A_REMARK.fullmatch(line)))


_A_REMARK: Final = re.compile(r"\W{0,20}(?:[\w'.,@-]{1,80}\W{1,3}){1,2}\s{0,100}|\W{0,20}[\w'.,@-]{1,80}\W{0,3}")
"""A heading, a name: two words, too little to be missed."""
