"""A page: one text with its lines numbered, and which of them a reader has understood.

Specific readers come first and take their lines; what nobody took is read as free text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from gatepost.exchange.source import Source


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


LONGEST: Final = 2500
"""Characters of a line or paragraph that a pattern is let loose on: what takes long grows with their square."""
_MOST_OF_A_LINE: Final = 50_000


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
        """Lines nobody took; of a line without end, its beginning."""
        return ((index, line[:LONGEST]) for index, line in enumerate(self.lines) if index not in self.taken)

    def paragraphs(self) -> Iterator[Paragraph]:
        """Free lines joined up to the next blank or taken line."""
        parts: list[str] = []
        starts: list[int] = []
        first = length = 0
        for index, line in enumerate(self.lines):
            text = line.strip()
            if len(text) > LONGEST and index not in self.taken:
                if parts:
                    yield Paragraph(" ".join(parts), first, tuple(starts))
                parts, starts, length = [], [], 0
                for at in range(0, min(len(text), _MOST_OF_A_LINE), LONGEST):
                    yield Paragraph(text[at : at + LONGEST], index, (0,))
                continue
            if not text or index in self.taken or len(parts) >= 60 or length > LONGEST:
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
