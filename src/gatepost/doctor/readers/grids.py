"""Tables in a text, whatever drew them: a head and rows of cells, with the lines they stand on.

What flows: a page in, grids out; `known` says of a row of names whether some reader knows such a table, which is what
tells a head from any other line. Forms: columns above a line of dashes (Format-Table, also with -Wrap, with a head
broken over lines, with a blank line after each), columns without that line, borders (Markdown, wiki, boxes), CSV and
TSV, and rows whose head is only in the command that printed them. Law: a grid takes no line; its reader does.
"""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from gatepost.doctor.page import Page

Known = Callable[[Sequence[str], bool], bool]
"""Whether a row of names heads a table that somebody reads; True as the second argument: its form says that it is one,
by a line of dashes, borders or delimiters."""


class Row(NamedTuple):
    first: int
    """Index of the first line of the page."""
    last: int
    cells: tuple[str, ...]


class Grid(NamedTuple):
    head: tuple[int, int]
    """First and last line of the head and what underlines it; of a head that is a command, that command's line twice."""
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    exact: bool = False
    """Whether blanks at the edge of a cell are the value's own."""


_MOST_HEAD_LINES: Final = 4
_LONGEST_LINE: Final = 4000
_MOST_ROWS: Final = 20_000


def grids(page: Page, known: Known) -> Iterator[Grid]:
    """The tables in lines that nobody took yet, one after the other."""
    index, lines = 0, page.lines
    while index < len(lines):
        grid = None
        if index not in page.taken and lines[index].strip() and len(lines[index]) <= _LONGEST_LINE:
            grid = next((found for form in _FORMS if (found := form(page, index, known)) is not None), None)
        if grid is None:
            index += 1
            continue
        yield grid
        index = max([grid.head[1], *(each.last for each in grid.rows)]) + 1


# --- columns above a line of dashes ---------------------------------------------------------------------------------

_RULE: Final = re.compile(r"^\s*[-=\u2500\u2014]{2,}(?:\s+[-=\u2500\u2014]{2,}){0,60}\s*$")
_DASHES: Final = re.compile(r"[-=\u2500\u2014]+")


def _ruled(page: Page, index: int, known: Known) -> Grid | None:
    """`index` is the first line of the head."""
    rule = next(
        (at for at in range(index + 1, min(index + 1 + _MOST_HEAD_LINES, len(page.lines))) if _is_rule(page, at)), None
    )
    if rule is None or any(not page.lines[at].strip() for at in range(index, rule)):
        return None
    starts = [match.start() for match in _DASHES.finditer(page.lines[rule])]
    written = [_cut(page.lines[at], starts) for at in range(index, rule)]
    names = tuple("".join(parts).strip() for parts in zip(*written, strict=True))
    if not all(names) or not known(names, True):
        return None
    ends = [match.end() for match in _DASHES.finditer(page.lines[rule])]
    return Grid((index, rule), names, tuple(_wrapped_rows(page, rule + 1, starts, ends)))


def _is_rule(page: Page, index: int) -> bool:
    return index not in page.taken and bool(_RULE.match(page.lines[index][:_LONGEST_LINE]))


def _wrapped_rows(page: Page, first: int, starts: list[int], ends: list[int]) -> Iterator[Row]:
    """Rows of which cells may go on in the lines below."""
    pieces: list[list[str]] = []
    begun = first
    for index, line in _column_lines(page, first, starts):
        cells = _placed(line, starts, ends)
        if pieces and _goes_on(pieces, cells, starts):
            pieces.append(cells)
            continue
        if pieces:
            yield Row(begun, index - 1, _joined(pieces, starts))
        pieces, begun = [cells], index
        last = index
    if pieces:
        last = max(begun + len(pieces) - 1, begun)
        yield Row(begun, last, _joined(pieces, starts))


def _column_lines(page: Page, first: int, starts: list[int]) -> Iterator[tuple[int, str]]:
    """The lines of rows: up to a blank one, or every second, where a paste put a blank line after each."""
    spaced = first < len(page.lines) and not page.lines[first].strip()
    index = first + spaced
    while index < len(page.lines) and index - first < _MOST_ROWS:
        line = page.lines[index]
        if not line.strip() or index in page.taken or (spaced and not _in_columns(line, starts)):
            return
        yield index, line
        index += 1
        if spaced:
            if index < len(page.lines) and page.lines[index].strip():
                return
            index += 1


def _in_columns(line: str, starts: list[int]) -> bool:
    return all(line[at - 1 : at] in ("", " ") for at in starts if at) and len(line) > starts[-1]


def _cut(line: str, starts: list[int]) -> list[str]:
    ends = [*starts[1:], len(line) + 1]
    return [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]


_DAY_AND_TIME: Final = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{2,4} \d{1,2}:\d\d(?::\d\d)?(?: [AaPp][Mm])?")


def _placed(line: str, starts: list[int], ends: list[int]) -> list[str]:
    """The cells of a line. A value wider than its head in a column that is aligned to the right begins before it; a
    paste that lost its alignment still has its words, where there are as many as columns."""
    moved: list[int] = []
    times = [match.span() for match in _DAY_AND_TIME.finditer(line)]
    for column, (start, end) in enumerate(zip(starts, ends, strict=True)):
        at = next((begun for begun, done in times if begun < start < done), start)
        if at == start and 0 < start < len(line) and line[start - 1] != " " and line[start] != " ":
            if line[end : end + 1] not in ("", " "):
                return _by_words(line, len(starts)) or _text_last(line, len(starts)) or _cut(line, starts)
            above = ends[column - 1] if column else 0
            at = above if line[above : above + 1] == " " else line.rfind(" ", 0, start) + 1
        moved.append(at)
    return (
        _cut(line, moved)
        if moved == sorted(set(moved))
        else _by_words(line, len(starts)) or _text_last(line, len(starts)) or _cut(line, starts)
    )


def _by_words(line: str, columns: int) -> list[str] | None:
    wide = re.split(r"\s{2,}|\t", line.strip())
    if len(wide) == columns:
        return wide
    return line.split() if len(line.split()) == columns else None


def _text_last(line: str, columns: int) -> list[str] | None:
    """A row that a wide value pushed to the right, whose last column is a text: as many words as columns before it."""
    parts = line.split(None, columns - 1)
    return parts if len(parts) == columns and " " in parts[-1] else None


def _goes_on(pieces: list[list[str]], cells: list[str], starts: list[int]) -> bool:
    """Whether a line continues the row above: its first cell is empty, or is the rest of a row in which every cell that
    goes on had filled its column."""
    if not cells[0]:
        return any(cells)
    if len(starts) < 2:
        return False
    above = pieces[-1]
    widths = [end - start - 1 for start, end in pairwise(starts)]
    if not any(cells[1:]):
        return len(above[0]) + 1 + len(cells[0].split()[0]) > widths[0]
    if any(each and len(before) < width for each, before, width in zip(cells, above, widths, strict=False)):
        return False
    ended = any(before and not each for each, before in zip(cells, above, strict=True))
    shorter = len(cells[0]) < widths[0] or (widths[0] < _THUMBPRINT and bool(_HEX.fullmatch(above[0] + cells[0])))
    return bool(above[-1] or not cells[-1]) and (ended or shorter)


_THUMBPRINT: Final = 40
_HEX: Final = re.compile(r"[0-9A-Fa-f]+")


def _joined(pieces: list[list[str]], starts: list[int]) -> tuple[str, ...]:
    """Cells put together: without a blank where a piece filled its column, since the console cut within a word."""
    joined = []
    for column in range(len(starts)):
        width = max(len(cells[column]) for cells in pieces)
        if column + 1 < len(starts):  # one or two blanks stand between columns
            width = max(width, starts[column + 1] - starts[column] - 2)
        text = ""
        for cells in pieces:
            piece = cells[column]
            before = next((each for each in [text] if each), "")
            blank = " " if before and piece and not _cut_within(before, piece, width) else ""
            text = f"{text}{blank}{piece}"
        joined.append(text)
    return tuple(joined)


def _cut_within(before: str, piece: str, width: int) -> bool:
    """Whether a word was cut, by what stands before and after: a comma ends one, a narrow piece has room left."""
    if before.endswith((",", ";")):
        return False
    return len(before) >= width and not re.match(r"(?:CN|OU|O|L|S|ST|C)=", piece)


# --- columns without that line --------------------------------------------------------------------------------------

_GAP: Final = re.compile(r"\s{2,}|\t")
_PROMPT: Final = re.compile(r"\s*(?:\[PS\]|PS(?: [A-Z]:|>)|[A-Z]:\\[^>]{0,80}>|\S{1,60}[$#] )")


def _unruled(page: Page, index: int, known: Known) -> Grid | None:
    """A head whose line of dashes was not copied, above rows of as many cells."""
    line = page.lines[index]
    for split in (_GAP.split, str.split):
        names = tuple(each.strip() for each in split(line.strip()))
        if len(names) < 2 or len(set(names)) < len(names) or not known(names, False):
            continue
        rows = tuple(_even_rows(page, index + 1, line, len(names), split))
        if rows:
            return Grid((index, index), names, rows)
    return None


_AS_ONE: Final = re.compile(rf"{_DAY_AND_TIME.pattern}|(?:CN|O|OU)=[^=\n]{{1,80}}$")
"""Values with blanks in them: a day with its time, a name at the end of a row."""


def _without_blanks(value: re.Match[str]) -> str:
    return value[0].replace(" ", "\0")


def _even_rows(page: Page, first: int, head: str, columns: int, split: Callable[[str], list[str]]) -> Iterator[Row]:
    starts = [match.start() for match in re.finditer(r"(?:^|(?<=\s\s)|(?<=\t))\S", head)]
    for index in range(first, min(first + _MOST_ROWS, len(page.lines))):
        line = page.lines[index]
        if not line.strip() or index in page.taken or _PROMPT.match(line):
            return
        cells = split(line.strip())
        if len(cells) != columns:
            cells = [each.replace("\0", " ") for each in split(_AS_ONE.sub(_without_blanks, line.strip()))]
        if len(cells) != columns and len(starts) == columns and _in_columns(line.ljust(starts[-1] + 1), starts):
            cells = _cut(line, starts)
        if len(cells) != columns:
            return
        yield Row(index, index, tuple(each.strip() for each in cells))


# --- borders ----------------------------------------------------------------------------------------------------------

_BORDERED: Final = re.compile(r"^\s{0,40}(?:\|\||[|!\u2502\u2503\u2551])|\s[|\u2502\u2503\u2551]\s")
_LINE_OF_BORDER: Final = re.compile(r"^[\s|+:=\-\u2500-\u257f]+$")
_BORDER: Final = re.compile(r"\|\||!!|(?<!\\)[|\u2502\u2503\u2551]")
_MARKS: Final = re.compile(r"^(?:\*{1,2}|`|_(?=\S))(.*?)(?:\*{1,2}|`|(?<=\S)_)$")


def _bordered(page: Page, index: int, known: Known) -> Grid | None:
    """Markdown, wiki and box tables, `psql` and the like."""
    if not _BORDERED.search(page.lines[index]):
        return None
    names = _within_borders(page.lines[index])
    if len(names) < 2 or not known(names, True):
        return None
    rows: list[Row] = []
    for at in range(index + 1, min(index + _MOST_ROWS, len(page.lines))):
        line = page.lines[at][:_LONGEST_LINE]
        if _LINE_OF_BORDER.match(line) or line.strip() == "|-":
            continue
        if at in page.taken or not _BORDERED.search(line) or line.strip() == "|}":
            break
        cells = _within_borders(line)
        if rows and cells and not cells[0] and len(cells) == len(names):  # a cell that goes on below
            above = rows[-1]
            joined = tuple(f"{one} {other}".strip() for one, other in zip(above.cells, cells, strict=True))
            rows[-1] = Row(above.first, at, joined)
        else:
            rows.append(Row(at, at, (*cells, *("",) * (len(names) - len(cells)))[: len(names)]))
    return Grid((index, index), names, tuple(rows)) if rows else None


def _within_borders(line: str) -> tuple[str, ...]:
    text = line.strip()
    text = text.removeprefix("!").removesuffix("|") if text.startswith("!") else text
    cells = [each.strip().replace("\\|", "|") for each in _BORDER.split(text)]
    if cells and not cells[0]:
        cells = cells[1:]
    if cells and not cells[-1] and text.endswith(("|", "\u2502", "\u2503", "\u2551")):
        cells = cells[:-1]
    return tuple(_MARKS.sub(r"\1", each).strip() for each in cells)


# --- separated values -----------------------------------------------------------------------------------------------


def _separated(page: Page, index: int, known: Known) -> Grid | None:
    """CSV and TSV: any of three delimiters, quoted or not, cells over several lines."""
    line = page.lines[index]
    delimiter = max(",;\t", key=line.count)
    if not line.count(delimiter):
        return None
    names = tuple(each.strip().strip("\"'\ufeff") for each in line.removeprefix("#Fields:").split(delimiter))
    if len(names) < 2 or not known(names, True):
        return None
    rows = tuple(_separated_rows(page, index + 1, delimiter, len(names)))
    return Grid((index, index), names, rows, exact=True) if rows else None


def _separated_rows(page: Page, first: int, delimiter: str, columns: int) -> Iterator[Row]:
    reader = csv.reader(page.lines[first : first + _MOST_ROWS], delimiter=delimiter, skipinitialspace=True)
    begun = first
    try:
        for cells in reader:
            last = first + reader.line_num - 1
            if len(cells) < max(2, columns // 2) or _is_underline(cells):
                if not _is_underline(cells):
                    return
            elif last < len(page.lines):
                yield Row(begun, last, tuple(cells))
            begun = last + 1
    except csv.Error:
        return


def _is_underline(cells: Sequence[str]) -> bool:
    return bool(cells) and all(set(each) <= {"-"} and each for each in cells)


# --- rows whose head is in the command ------------------------------------------------------------------------------

_SELECTED: Final = re.compile(
    r"\|\s*(?:ft|format-table|select|select-object)\s+(?:-(?:auto\w*|wrap|hide\w*)\s+)*(?:-property\s+)?"
    r"(?P<names>[A-Za-z]\w{0,50}(?:\s*,\s*[A-Za-z]\w{0,50}){0,30})",
    re.IGNORECASE,
)


def _headless(page: Page, index: int, known: Known) -> Grid | None:
    """Rows below `... | ft A,B,C`, where the head itself was not copied."""
    command = _SELECTED.search(page.lines[index])
    if command is None:
        return None
    names = tuple(each.strip() for each in command["names"].split(","))
    below = next((at for at in range(index + 1, min(index + 4, len(page.lines))) if page.lines[at].strip()), None)
    if below is None or len(names) < 2 or not known(names, True) or _PROMPT.match(page.lines[below]):
        return None
    if {each.casefold() for each in page.lines[below].split()} & {each.casefold() for each in names}:
        return None  # the head is there
    if _is_rule(page, below):
        dashes = [*_DASHES.finditer(page.lines[below])]
        starts, ends = [each.start() for each in dashes], [each.end() for each in dashes]
        fits = len(dashes) == len(names)
        return Grid((below, below), names, tuple(_wrapped_rows(page, below + 1, starts, ends))) if fits else None
    rows = next(
        filter(None, (tuple(_even_rows(page, below, "", len(names), each)) for each in (_GAP.split, str.split))), ()
    )
    following = rows[-1].last + 1 if rows else below
    if following < len(page.lines) and page.lines[following].strip() and not _PROMPT.match(page.lines[following]):
        return None  # of a table of which a row does not fit, the rest is not it either
    return Grid((index, index), names, rows) if rows else None


_FORMS: Final = (_headless, _ruled, _bordered, _separated, _unruled)
