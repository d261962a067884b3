"""Values in PowerShell commands."""


def quoted(text: str) -> str:
    """`text` as one argument: single quotes, inside which only single quotes (the typographic ones too) are special."""
    return (
        "'"
        + "".join(character * 2 if character in "'\u2018\u2019\u201a\u201b" else character for character in text)
        + "'"
    )
