"""Texts that many rows of a file have, each stored once and named by a number."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Final

from gatepost.trace.story import Certificate

_REMEMBERED: Final = 50_000
_LONGEST: Final = 1000
_MOST_NAMES: Final = 20


class Kind(IntEnum):
    TENANT = 1
    CONNECTOR = 2
    BASIS = 3
    ADDRESS = 4
    LISTENER = 5
    TLS = 6
    CERTIFICATE = 7
    DOMAIN = 8
    QUEUE = 9
    REASON = 10
    HOST = 11
    WHY = 12
    BY = 13


class NewWords:
    """As whoever writes the file needs them: a text that is new is stored with the rows that have it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._numbers: dict[tuple[int, str], int] = {}
        self._together: dict[tuple[object, ...], tuple[int | None, ...]] = {}

    def number(self, kind: Kind, text: str | None) -> int | None:
        if text is None:
            return None
        found = self._numbers.get((kind, text))
        return self._stored(kind, text) if found is None else found

    def together(self, kinds: Sequence[Kind], texts: tuple[str | Certificate | None, ...]) -> tuple[int | None, ...]:
        """The numbers of texts that often come together: as cheap as one."""
        found = self._together.get(texts)
        if found is None:
            if len(self._together) >= _REMEMBERED:
                self._together.clear()
            found = self._together[texts] = tuple(
                self.number(kind, certificate_text(text) if isinstance(text, Certificate) else text)
                for kind, text in zip(kinds, texts, strict=True)
            )
        return found

    def forget(self) -> None:
        """What was stored last is not: its transaction failed."""
        self._numbers.clear()
        self._together.clear()

    def _stored(self, kind: Kind, text: str) -> int:
        if len(self._numbers) >= _REMEMBERED:
            self._numbers.clear()
        kept = text[:_LONGEST] if kind is not Kind.CERTIFICATE else text
        row = self._connection.execute("SELECT number FROM word WHERE kind = ? AND text = ?", (kind, kept)).fetchone()
        if row is None:
            row = self._connection.execute(
                "INSERT INTO word VALUES (NULL, ?, ?) RETURNING number", (kind, kept)
            ).fetchone()
        number: int = row[0]
        self._numbers[kind, text] = number
        return number


class KnownWords:
    """As whoever reads the file needs them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._texts: dict[int, str] = {}

    def text(self, number: int | None) -> str | None:
        if number is None:
            return None
        found = self._texts.get(number)
        if found is None:
            row = self._connection.execute("SELECT text FROM word WHERE number = ?", (number,)).fetchone()
            found = self._texts[number] = row[0] if row else ""
        return found

    def number(self, kind: Kind, text: str) -> int | None:
        row = self._connection.execute("SELECT number FROM word WHERE kind = ? AND text = ?", (kind, text)).fetchone()
        return row[0] if row else None

    def numbers(self, kind: Kind, is_wanted: Callable[[str], bool]) -> list[int]:
        words = self._connection.execute("SELECT number, text FROM word WHERE kind = ?", (kind,))
        return [number for number, text in words if is_wanted(text)]


@lru_cache(maxsize=1024)
def certificate_text(certificate: Certificate | None) -> str | None:
    if certificate is None:
        return None
    names = [name[:255] for name in certificate.names[:_MOST_NAMES]]
    return json.dumps(
        [certificate.sha256, certificate.public_key_sha256, certificate.verified, *names], separators=(",", ":")
    )


def certificate_from(text: str | None) -> Certificate | None:
    if not text:
        return None
    sha256, public_key_sha256, verified, *names = json.loads(text)
    return Certificate(sha256, public_key_sha256, verified, tuple(names))
