"""Envelope parameters: what MAIL and RCPT say besides the path."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Ret = Literal["FULL", "HDRS"]
"""RET of RFC 3461 4.3: how much of the message a failure report returns."""

Notify = Literal["NEVER", "SUCCESS", "FAILURE", "DELAY"]


class Body(StrEnum):
    """RFC 6152, RFC 3030: what the content may hold."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT_MIME = "8BITMIME"
    BINARY_MIME = "BINARYMIME"


@dataclass(frozen=True, slots=True, kw_only=True)
class DsnRequest:
    """What one recipient's NOTIFY and ORCPT asked for (RFC 3461 4.1, 4.2), verbatim where it is passed on."""

    notify: frozenset[Notify] | None = None
    orcpt: str | None = None


NO_DSN_REQUEST = DsnRequest()
