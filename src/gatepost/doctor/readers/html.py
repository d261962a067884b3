"""HTML to lines: what a browser would show, a table's row in one line, with the numbers of the lines they came from.

What flows: a text with markup in, (line, number) out. A table of two columns without a head is a list of labels; any
other gives rows between borders, which `grids` reads. Law: `<I>` and `<S>` of a certificate's name and `<ann@x.example>`
are no markup; no pattern here looks further than the next `<`.
"""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import re
from collections.abc import Iterator
from html import unescape
from typing import Final

_TAG: Final = re.compile(r"<(?P<close>/?)(?P<name>[A-Za-z!][A-Za-z0-9:]{0,30})[^<>]*>?")
_NAMED: Final = re.compile(
    r"<(?=[ISis]>\s{0,5}(?:CN|OU|O|C|L|S|ST|DC|E|SERIALNUMBER|\")[=\"])|<(?=[A-Za-z0-9._%+-]{1,64}@)"
)
_BLOCKS: Final = frozenset(
    [
        "p",
        "div",
        "br",
        "li",
        "ul",
        "ol",
        "tr",
        "table",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "dt",
        "dd",
        "pre",
        "hr",
        "section",
        "article",
        "header",
        "title",
    ]
)
_HIDDEN: Final = frozenset(("script", "style"))


def looks_like_html(text: str) -> bool:
    if re.match(r"\s{0,200}(?:<!doctype html|<html)\b", text[:400], re.IGNORECASE):
        return True
    return bool(re.search(r"<(?:html|body|div|p|table|br)\b", text[:20000], re.IGNORECASE)) and text.count("</") > 5


class _Lines:
    """The lines so far, and the table that is open."""

    def __init__(self) -> None:
        self.done: list[tuple[str, int]] = []
        self._text: list[str] = []
        self._number = 1
        self._rows: list[tuple[int, list[str], bool]] = []
        self._cells: list[str] | None = None
        self._is_head = False
        self._row_number = 1

    def write(self, text: str, number: int) -> None:
        if self._cells is not None:
            self._text.append(" ".join(text.split("\n")))
            return
        for at, part in enumerate(text.split("\n")):
            if at:
                self.end_line()
            if not self._text:
                self._number = number + at
            self._text.append(part)

    def end_line(self) -> None:
        line = unescape("".join(self._text))
        self._text = []
        for part in line.split("\n"):
            self.done.append((part, self._number))

    def begin_row(self, number: int) -> None:
        self.end_row()
        if any(self._text):
            self.end_line()
        self._text = []
        self._cells, self._is_head, self._row_number = [], False, number

    def end_cell(self) -> None:
        if self._cells is not None:
            text = " ".join(unescape("".join(self._text)).split())
            self._text = []
            if text or self._cells:
                self._cells.append(text)

    def begin_cell(self, head: bool) -> None:
        if self._cells is not None:
            if any(each.strip() for each in self._text):
                self.end_cell()
            self._text = []
            self._is_head = self._is_head or head

    def end_row(self) -> None:
        if self._cells is None:
            return
        if any(each.strip() for each in self._text):
            self.end_cell()
        self._text = []
        if self._cells:
            self._rows.append((self._row_number, self._cells, self._is_head))
        self._cells = None

    def end_table(self) -> None:
        self.end_row()
        rows, self._rows = self._rows, []
        if not rows:
            return
        labelled = all(len(cells) == 2 and not head for _, cells, head in rows)
        for number, cells, _ in rows:
            if labelled:
                self.done.append((f"{cells[0].rstrip(' :')} : {cells[1]}", number))
            elif len(cells) == 1:
                self.done.append((cells[0], number))
            else:
                self.done.append((f"| {' | '.join(each.replace('|', '/') for each in cells)} |", number))
        self.done.append(("", rows[-1][0]))


def lines_of_html(text: str) -> tuple[list[str], list[int]]:
    """The lines as shown, and for each the number of the line in `text` on which it begins, from 1."""
    lines = _Lines()
    text = _NAMED.sub("&lt;", _without_comments(text))
    at, number, hidden = 0, 1, ""
    for match in _TAG.finditer(text):
        between = text[at : match.start()]
        name, closes = match["name"].casefold(), bool(match["close"])
        if not hidden:
            lines.write(between, number)
        number += between.count("\n")
        if hidden:
            hidden = "" if closes and name == hidden else hidden
        elif name in _HIDDEN and not closes:
            hidden = name
        else:
            _met(lines, name, closes, number)
        number += match[0].count("\n")
        at = match.end()
    if not hidden:
        lines.write(text[at:], number)
    lines.end_table()
    lines.end_line()
    return [line for line, _ in lines.done], [each for _, each in lines.done]


def _met(lines: _Lines, name: str, closes: bool, number: int) -> None:
    if name == "table":
        lines.end_table()
    elif name == "tr":
        lines.end_row() if closes else lines.begin_row(number)
    elif name in ("td", "th"):
        lines.end_cell() if closes else lines.begin_cell(name == "th")
    elif name in _BLOCKS:
        lines.write("\n", number)
    elif closes or name in ("img", "input"):
        lines.write("", number)


def _without_comments(text: str) -> str:
    """Comments emptied of all but their line ends."""
    return "".join(_kept(text))


def _kept(text: str) -> Iterator[str]:
    at = 0
    while (begin := text.find("<!--", at)) >= 0:
        end = text.find("-->", begin)
        if end < 0:
            break
        yield text[at:begin]
        yield "\n" * text.count("\n", begin, end)
        at = end + 3
    yield text[at:]
