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
_PROMPTS: Final = {Collected.EXCHANGE: "[PS]", Collected.EXCHANGE_ONLINE: "PS"}
"""As each shell prints it: the doctor knows by it which one answered."""


def script_for(kind: Collected, *, redacted: bool) -> str:
    """The script; `redacted`: it hides names without being asked."""
    text = _written(_SCRIPTS[kind])
    if kind is Collected.POSTFIX:
        return text.replace("@REDACT@", "1" if redacted else "0")
    saving = _written("saving.ps1").replace("@PROMPT@", _PROMPTS[kind])
    return text.replace("@SAVING@\n", f"{saving}\n").replace("@REDACT@", "$true" if redacted else "$false")


def _written(name: str) -> str:
    return (files("gatepost.doctor") / "scripts" / name).read_text("utf-8")
