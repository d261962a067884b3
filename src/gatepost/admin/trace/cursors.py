"""Where a page ended, as text for whoever asks for the next one.

Law: a cursor opens the list that it was given for, and no other; one that was changed opens none.
"""

from base64 import b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from hashlib import sha256
from typing import Final

_MARK: Final = 6


def cursor_of(list_: str, place: str) -> str:
    return urlsafe_b64encode(_mark(list_, place.encode()) + place.encode()).decode().rstrip("=")


def place_in(list_: str, cursor: str) -> str | None:
    """None: it is no cursor of this list."""
    try:
        octets = b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        return octets[_MARK:].decode() if octets[:_MARK] == _mark(list_, octets[_MARK:]) else None
    except (NotBase64, ValueError):
        return None


def _mark(list_: str, place: bytes) -> bytes:
    return sha256(list_.encode("utf-8", "surrogatepass") + b"\0" + place).digest()[:_MARK]
