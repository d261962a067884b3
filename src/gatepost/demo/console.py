"""How the story is told: 80 columns, colour where there is a terminal, and nothing quoted that was not really said."""

import shlex
from collections.abc import Iterable, Sequence
from itertools import groupby
from textwrap import wrap

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from gatepost.demo.hosts import CommandLine

WIDTH = 80
_MARGIN = "  "
_BAR = "│ "
OUTPUT_WIDTH = WIDTH - len(_MARGIN) - len(_BAR)
"""What commands make their output for: it stands behind a bar."""


class StoryConsole:
    def __init__(self, console: Console) -> None:
        self._console = console

    def title(self, text: str) -> None:
        self._console.print()
        self._console.print(Text(text, style="bold"))

    def heading(self, text: str) -> None:
        self._console.print("\n")
        self._console.print(Rule(Text(text, style="bold cyan"), align="left", style="cyan"))

    def text(self, text: str) -> None:
        """A paragraph."""
        self._console.print()
        for line in wrap(" ".join(text.split()), WIDTH - 1, break_on_hyphens=False):
            self._console.print(Text(line))

    def picture(self, lines: Iterable[str]) -> None:
        self._console.print()
        for line in lines:
            self._console.print(Text.from_markup(line), soft_wrap=True)

    def command(self, line: CommandLine, shown: Iterable[str] | None = None) -> None:
        """A command line and its output, or what is `shown` of it."""
        self._console.print()
        self._command_line(line)
        self._quoted(map(Text.from_ansi, line.output if shown is None else shown))

    def commands(self, lines: Iterable[CommandLine]) -> None:
        """Several in a row, close together."""
        self._console.print()
        for line in lines:
            self._command_line(line)
            self._quoted(Text.from_ansi(each, style="dim") for each in line.output)

    def quote(self, lines: Iterable[str], style: str = "") -> None:
        """Something else that was said or written."""
        self._console.print()
        self._quoted(Text(line, style) for line in lines)

    def link(self, address: str) -> None:
        """On one line, however long: it is to be clicked or copied."""
        self._console.print()
        self._console.print(Text(address, style="bold"), soft_wrap=True)
        self._console.print()

    def good(self, text: str) -> None:
        self._result("✓ ", "bold green", text)

    def bad(self, text: str) -> None:
        self._result("✗ ", "bold red", text)

    def aside(self, text: str) -> None:
        self._result("· ", "dim", text, "dim")

    def _result(self, mark: str, mark_style: str, text: str, style: str = "") -> None:
        for line in wrap(text, WIDTH - len(_MARGIN) - len(mark) - 1, break_on_hyphens=False):
            self._console.print(Text.assemble(_MARGIN, (mark, mark_style), (line, style)), soft_wrap=True)
            mark = "  "

    def _command_line(self, line: CommandLine) -> None:
        prompt = f"{line.prompt}$ "
        first, *more = _wrapped_command(line.words, WIDTH - len(_MARGIN) - len(prompt))
        self._console.print(Text.assemble(_MARGIN, (prompt, "bold green"), (first, "bold")), soft_wrap=True)
        for each in more:
            self._console.print(Text.assemble(_MARGIN, " " * len(prompt), (each, "bold")), soft_wrap=True)

    def _quoted(self, lines: Iterable[Text]) -> None:
        for line in lines:
            for part in _hanging(line, self._console):
                self._console.print(Text.assemble(_MARGIN, (_BAR, "dim"), part), soft_wrap=True)


def excerpt(lines: Sequence[str], *spans: tuple[str, str]) -> list[str]:
    """Of each span the lines from one that holds the first text to one that holds the second; `…` for the rest."""
    kept = [False] * len(lines)
    for first, last in spans:
        begin = next((at for at, line in enumerate(lines) if first in line), len(lines))
        end = next((at for at, line in enumerate(lines) if at >= begin and last in line), begin - 1)
        kept[begin : end + 1] = [True] * (end + 1 - begin)
    shown: list[str] = []
    for keep, group in groupby(zip(kept, lines, strict=True), key=lambda each: each[0]):
        shown += [line for _, line in group] if keep else ["…"]
    return shown


def _hanging(line: Text, console: Console) -> list[Text]:
    """A line that is too long goes on below its own beginning."""
    indent = len(line.plain) - len(line.plain.lstrip())
    parts = line[indent:].wrap(console, OUTPUT_WIDTH - indent)
    for part in parts:
        part.rstrip()
    return [Text.assemble(" " * indent, part) for part in parts] or [Text()]


def _wrapped_command(words: Sequence[str], room: int) -> list[str]:
    """A command line in lines of at most `room`, each but the last ending in a backslash; an option keeps its value."""
    lines: list[str] = []
    line = ""
    for group in _groups(words):
        if line and len(line) + len(f" {group} \\") > room:
            lines.append(line + " \\")
            line = f"    {group}"
        else:
            line = f"{line} {group}" if line else group
    return [*lines, line]


def _groups(words: Sequence[str]) -> list[str]:
    groups: list[str] = []
    for word in map(shlex.quote, words):
        if groups and groups[-1].startswith("--") and not word.startswith("--") and " " not in groups[-1]:
            groups[-1] += f" {word}"
        else:
            groups.append(word)
    return groups
