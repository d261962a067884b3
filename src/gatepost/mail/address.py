"""Reverse-paths and forward-paths (RFC 5321 4.1.2).

The text of a mailbox is kept as the peer wrote it, since only the domain's owner may interpret a local part
(RFC 5321 2.3.11). The null reverse-path is a value of its own type, never an empty string.
"""

from dataclasses import dataclass, field
from typing import Final

from gatepost.value import value


@value(frozen=True, slots=True)
class Mailbox:
    """`local_part@domain`. `domain` is a key of `mail.domain`, or an address literal such as `[192.0.2.1]`."""

    local_part: str
    domain: str
    text: str = field(compare=False)
    """The whole mailbox as it was written, for the wire and for people."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class NullReversePath:
    """`<>`: notifications carry it so that nothing is ever sent about them (RFC 5321 4.5.5)."""

    def __str__(self) -> str:
        return ""


NULL_REVERSE_PATH: Final = NullReversePath()

ReversePath = Mailbox | NullReversePath
ForwardPath = Mailbox
