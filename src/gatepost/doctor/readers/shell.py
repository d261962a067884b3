"""Commands at a prompt, with the host that the prompt names and what they printed.

Laws: lines stay free, since what a command printed is another reader's; here it is kept for whoever asks for it. No
password and no private key is kept.
"""

import re
from collections.abc import Iterator
from typing import Final

from gatepost.doctor.evidence import ShellCommand
from gatepost.doctor.page import Page
from gatepost.doctor.readers.secrets import without_secrets
from gatepost.exchange.source import Fact

_PROMPT: Final = re.compile(
    r"^\s{0,4}(?:(?:[\w.-]{1,40}@)?(?P<host>[A-Za-z][\w.-]{0,60})(?::[^#$>\n]{0,120}|\s+[~/]\S{0,60}\s?)?[#$]\s{1,3}|[#$]\s(?=[a-z])|"
    r"(?:\[PS\]\s?)?(?:PS\s)?[A-Z]:\\[^>\n]{0,120}>\s{0,3}|PS>\s{0,3})(?P<command>[A-Za-z./(\"'][^\n]{1,600})$"
)
_MOST_LINES, _MOST_OF_A_LINE = 40, 200
_KNOWN: Final = re.compile(
    r"^(?:sudo |time |docker exec \S+ |kubectl exec [^-]{1,80} -- )?[\w./-]{2,40}(?:\s|$)|^\(?[A-Z][a-z]+-[A-Z]|^[\"'(]"
)


def read(page: Page) -> Iterator[Fact]:
    starts = [
        (index, match)
        for index, line in enumerate(page.lines)
        if (match := _PROMPT.match(line[:800])) and _KNOWN.match(match["command"])
    ]
    for number, (index, match) in enumerate(starts):
        after = starts[number + 1][0] if number + 1 < len(starts) else len(page.lines)
        output = page.lines[index + 1 : min(after, index + 1 + _MOST_LINES)]
        yield ShellCommand(
            source=page.source(index),
            quote=without_secrets(page.lines[index].strip())[:300],
            command=without_secrets(match["command"].strip()),
            server=match["host"] or "",
            output=_shown(output),
        )


def _shown(output: list[str]) -> str:
    """What was printed, up to anything in PEM."""
    kept = []
    for line in output:
        if "-----BEGIN" in line:
            break
        kept.append(without_secrets(line[:_MOST_OF_A_LINE]))
    return "\n".join(kept).strip("\n")
