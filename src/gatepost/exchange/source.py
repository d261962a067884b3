"""Something read in what was handed in: where it stands, and its words."""

from dataclasses import dataclass
from typing import NamedTuple


class Source(NamedTuple):
    """File and line, counted from 1. Printed as `SEND.log:31`."""

    file: str
    line: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Anything observed."""

    source: Source
    quote: str = ""
