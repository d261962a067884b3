"""Values in PowerShell commands."""

import re


def quoted(text: str) -> str:
    """`text` as one argument: single quotes, inside which only single quotes (the typographic ones too) are special."""
    return (
        "'"
        + "".join(character * 2 if character in "'\u2018\u2019\u201a\u201b" else character for character in text)
        + "'"
    )


_BARE = re.compile(r"[A-Za-z0-9*][\w.*/@+-]*", re.ASCII)
_LIKE_A_NUMBER = re.compile(r"0x[0-9a-f]+|[\d.]{1,400}(?:e[\d.]{1,400})?[a-z]{0,3}", re.IGNORECASE)
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,3})?")


def argument(text: str) -> str:
    """`text` after a parameter: as it is where PowerShell reads it as that text, else quoted."""
    if _ADDRESS.fullmatch(text) or (_BARE.fullmatch(text) and not _LIKE_A_NUMBER.fullmatch(text)):
        return text
    return quoted(text)


def object_of(command: str) -> str:
    """The object a Set- or New- command is about: its -Identity or -Name, else its first argument."""
    given = re.search(r"-(?:Identity|Name)\s+(?:'([^']+)'|\"([^\"]+)\"|([^\s'\"-]\S*))", command, re.IGNORECASE)
    first = re.search(
        r"\b(?:Set|New|Remove|Get|Enable|Disable)-\w+\s+(?:'([^']+)'|\"([^\"]+)\"|([^\s'\":-]\S*))", command
    )
    return next((each for match in (given, first) if match for each in match.groups() if each), "")
