"""The envelope: what MAIL and RCPT say of a message.

An `Envelope` is made where MAIL is read and goes as it is through acceptance, the queue and its file to the MAIL of the
next hop.
"""

from enum import StrEnum
from typing import Literal

from gatepost.mail.address import ReversePath
from gatepost.value import value

Ret = Literal["FULL", "HDRS"]
"""RET of RFC 3461 4.3: how much of the message a failure report returns."""

Notify = Literal["NEVER", "SUCCESS", "FAILURE", "DELAY"]


class Body(StrEnum):
    """RFC 6152, RFC 3030: what the content may hold."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT_MIME = "8BITMIME"
    BINARY_MIME = "BINARYMIME"


@value(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What MAIL says of the message itself."""

    reverse_path: ReversePath
    body: Body = Body.SEVEN_BIT
    smtputf8: bool = False
    ret: Ret | None = None
    envid: str | None = None
    """RFC 3461 4.4, in xtext as it came."""


@value(frozen=True, slots=True, kw_only=True)
class DsnRequest:
    """What one recipient's NOTIFY and ORCPT asked for (RFC 3461 4.1, 4.2), verbatim where it is passed on."""

    notify: frozenset[Notify] | None = None
    orcpt: str | None = None


NO_DSN_REQUEST = DsnRequest()
