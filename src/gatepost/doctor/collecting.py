"""Scripts that gather on a server what the doctor reads there, so that nobody has to know what to bring.

What flows: the kind of server, and whether the script hides names unless it is told; the script's text. Laws: a script
changes nothing on the server, copies no private key and reads no password; what it writes is read by `gatepost doctor`
as it is.
"""

from enum import StrEnum
from importlib.resources import files
from typing import Final


class Collected(StrEnum):
    """A kind of server from which evidence is gathered."""

    EXCHANGE = "exchange"
    EXCHANGE_ONLINE = "exchange-online"
    POSTFIX = "postfix"


_SCRIPTS: Final = {
    Collected.EXCHANGE: "exchange.ps1",
    Collected.EXCHANGE_ONLINE: "exchange-online.ps1",
    Collected.POSTFIX: "postfix.sh",
}


def script_for(kind: Collected, *, redacted: bool) -> str:
    """The script; `redacted`: it hides names without being asked."""
    name = _SCRIPTS[kind]
    text = (files("gatepost.doctor") / "scripts" / name).read_text("utf-8")
    if name.endswith(".ps1"):
        return text.replace("@REDACT@", "$true" if redacted else "$false")
    return text.replace("@REDACT@", "1" if redacted else "0")
