"""Values in PowerShell commands."""

import re


def quoted(text: str) -> str:
    """`text` as one argument: single quotes, inside which only single quotes (the typographic ones too) are special."""
    return (
        "'"
        + "".join(character * 2 if character in "'\u2018\u2019\u201a\u201b" else character for character in text)
        + "'"
    )


def object_of(command: str) -> str:
    """The object a Set- or New- command is about: its -Identity or -Name, else its first argument."""
    given = re.search(r"-(?:Identity|Name)\s+(?:'([^']+)'|\"([^\"]+)\"|([^\s'\"-]\S*))", command, re.IGNORECASE)
    first = re.search(
        r"\b(?:Set|New|Remove|Get|Enable|Disable)-\w+\s+(?:'([^']+)'|\"([^\"]+)\"|([^\s'\"-]\S*))", command
    )
    return next((each for match in (given, first) if match for each in match.groups() if each), "")
