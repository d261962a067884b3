"""A command line: octets in; verb, argument and the text for the protocol log out."""

import re
from typing import Final, NamedTuple

# Enough for the longest path with its parameters to be read in a log, and not for flooding it.
LONGEST_LOGGED: Final = 1024

# RFC 4954 4: what follows the mechanism may be credentials, and nobody's log may hold them.
_AUTH = re.compile(r"(\s*auth\s+[^\s=]{1,20}\s+)\S.*", re.ASCII | re.IGNORECASE | re.DOTALL)


class CommandLine(NamedTuple):
    verb: bytes
    """In upper case; only ASCII letters change case, so no look-alike becomes a verb."""
    argument: str | None
    """Without the white space around it; None when the octets are not UTF-8."""


def read_command_line(line: bytes) -> CommandLine:
    """`line` without CRLF. Trailing white space is tolerated (RFC 5321 4.1.1)."""
    verb, _, rest = line.partition(b" ")
    try:
        return CommandLine(verb.rstrip(b"\t").upper(), rest.decode().strip(" \t"))
    except UnicodeDecodeError:
        return CommandLine(verb.upper(), None)


def logged(line: bytes) -> str:
    """The line for the protocol log: credentials masked, what cannot be shown escaped, cut to a sane length."""
    text = line[:LONGEST_LOGGED].decode("utf-8", "backslashreplace")
    if text[:1] in "aA\t " and (auth := _AUTH.fullmatch(text)):
        text = auth[1] + "****"
    if not text.isprintable():
        text = "".join(
            character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
        )
    return text if len(line) <= LONGEST_LOGGED else text + "…"
