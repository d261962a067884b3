"""A page: one text with its lines numbered, and which of them a reader has understood.

Specific readers come first and take their lines; what nobody took is read as free text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gatepost.doctor.evidence import Source


class Paragraph(NamedTuple):
    """Consecutive lines joined by blanks; `starts` are the offsets at which they begin."""

    text: str
    first: int
    """Index of the first line."""
    starts: tuple[int, ...]

    def index_at(self, offset: int) -> int:
        """Index of the line that holds `offset`."""
        line = self.first
        for number, start in enumerate(self.starts):
            if start > offset:
                break
            line = self.first + number
        return line


@dataclass(slots=True)
class Page:
    """`numbers` maps lines to those of the file, where decoding moved them."""

    file: str
    lines: list[str]
    numbers: Sequence[int] | None = None
    taken: set[int] = field(default_factory=set)

    def source(self, index: int) -> Source:
        number = index + 1
        if self.numbers is not None:
            number = self.numbers[index] if index < len(self.numbers) else (self.numbers[-1] if self.numbers else 1)
        return Source(self.file, number)

    def take(self, first: int, last: int | None = None) -> None:
        self.taken.update(range(first, (first if last is None else last) + 1))

    def free(self) -> Iterator[tuple[int, str]]:
        """Lines nobody took."""
        return ((index, line) for index, line in enumerate(self.lines) if index not in self.taken)

    def paragraphs(self) -> Iterator[Paragraph]:
        """Free lines joined up to the next blank or taken line."""
        parts: list[str] = []
        starts: list[int] = []
        first = length = 0
        for index, line in enumerate(self.lines):
            text = line.strip()
            if not text or index in self.taken or len(parts) >= 60:
                if parts:
                    yield Paragraph(" ".join(parts), first, tuple(starts))
                parts, starts, length = [], [], 0
                if not text or index in self.taken:
                    continue
            if not parts:
                first = index
            starts.append(length)
            parts.append(text)
            length += len(text) + 1
        if parts:
            yield Paragraph(" ".join(parts), first, tuple(starts))
