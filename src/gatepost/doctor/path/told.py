"""A value and how it is known.

Laws: what was seen outranks what follows from it, that outranks what somebody says, and that what is assumed because
nothing speaks against it; a conclusion is no better known than the weakest of what it rests on.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

from gatepost.doctor.finding import Cited
from gatepost.exchange.source import Fact, Source

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class How(IntEnum):
    """The better known, the higher."""

    ASSUMED = 0
    CLAIMED = 1
    INFERRED = 2
    SEEN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Generic[T_co]):
    value: T_co
    how: How
    source: Source | None = None
    """None: it is assumed."""
    says: str = ""

    def cited(self) -> Cited | None:
        return Cited(self.source, self.says) if self.source is not None else None


def seen(value: T, fact: Fact, says: str = "") -> Told[T]:
    """An export, a log or a tool shows it."""
    return Told(value=value, how=How.SEEN, source=fact.source, says=says or fact.quote)


def inferred(value: T, fact: Fact, says: str = "") -> Told[T]:
    """It follows from what was seen, one step of which was not."""
    return Told(value=value, how=How.INFERRED, source=fact.source, says=says or fact.quote)


def claimed(value: T, fact: Fact, says: str = "") -> Told[T]:
    """Somebody says so."""
    return Told(value=value, how=How.CLAIMED, source=fact.source, says=says or fact.quote)


def assumed(value: T, says: str = "") -> Told[T]:
    """Not shown, and taken for normal."""
    return Told(value=value, how=How.ASSUMED, says=says)


def weakest(told: Iterable[Told[object]]) -> How:
    return min((each.how for each in told), default=How.ASSUMED)
