"""Passwords and tokens in what is quoted: their value becomes `***`, their name stays."""

import re
from typing import Final

_SECRET: Final = re.compile(
    r"(?P<name>[\w-]{0,30}(?:passw(?:or)?d|passphrase|passwort|secret|token|storepass|keypass)\w{0,20}[\"']?"
    r"\s{0,5}(?:[=:]|\s)\s{0,5}|\bpass:)(?P<value>[^\s,;]{1,200})",
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    return _SECRET.sub(r"\g<name>***", text)
