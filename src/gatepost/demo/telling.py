"""How the story is told: 80 columns, colour where there is a terminal, and nothing that was not really said."""

import shlex
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from gatepost.demo.machines import CommandLine
from gatepost.demo.mailbox import StoredMail

WIDTH = 80
_INDENT = 2
OUTPUT_WIDTH = WIDTH - _INDENT - 2
"""What the commands' output is made for: it stands behind a bar."""


class Teller:
    def __init__(self, console: Console) -> None:
        self._console = console

    def title(self, text: str) -> None:
        self._console.print()
        self._console.print(Rule(Text(text, style="bold"), style="bold"))

    def step(self, number: int, count: int, text: str) -> None:
        self._console.print()
        self._console.print(Rule(Text(f"{number} of {count}  {text}", style="bold cyan"), align="left", style="cyan"))

    def says(self, text: str) -> None:
        """A paragraph."""
        self._console.print()
        self._console.print(Text.from_markup(" ".join(text.split())))

    def picture(self, text: str) -> None:
        self._console.print()
        self._console.print(Text.from_markup(text))

    def command(self, line: CommandLine, shown: Iterable[str] | None = None) -> None:
        """A command line and its output, or what is `shown` of it."""
        self._console.print()
        self._command_line(line)
        self._quoted(Text.from_ansi(each) for each in (line.output if shown is None else shown))

    def commands(self, lines: Iterable[CommandLine]) -> None:
        """Several in a row, close together."""
        self._console.print()
        for line in lines:
            self._command_line(line)
            self._quoted(Text.from_ansi(each, style="dim") for each in line.output)

    def letter(self, mail: StoredMail, fields: Sequence[str], lines: Iterable[str]) -> None:
        """A message as its reader sees it."""
        self._console.print()
        head = [Text.assemble((f"{name}: ", "dim"), (mail.field(name), "bold")) for name in fields]
        self._quoted([*head, Text(), *map(Text, lines)], style="yellow")

    def quote(self, lines: Iterable[str], style: str = "dim") -> None:
        self._console.print()
        self._quoted(map(Text, lines), style)

    def good(self, text: str) -> None:
        self._console.print(Text.assemble(("  ✓ ", "bold green"), text))

    def bad(self, text: str) -> None:
        self._console.print(Text.assemble(("  ✗ ", "bold red"), text))

    def gap(self) -> None:
        self._console.print()

    def table(self, rows: Iterable[tuple[bool, str, str]]) -> None:
        table = Table.grid(padding=(0, 2))
        for ok, name, seconds in rows:
            mark = Text("✓", style="bold green") if ok else Text("✗", style="bold red")
            table.add_row("", mark, Text(name), Text(seconds, style="dim"))
        self._console.print(table)

    def _command_line(self, line: CommandLine) -> None:
        room = WIDTH - _INDENT - len(line.prompt) - 2
        first, *more = _wrapped_words(line.words, room)
        text = Text.assemble((f"{line.prompt}$ ", "bold green"), (first, "bold"))
        for each in more:
            text.append("\n" + " " * (len(line.prompt) + 4) + each, "bold")
        self._console.print(Padding(text, (0, 0, 0, _INDENT)))

    def _quoted(self, lines: Iterable[Text], style: str = "dim") -> None:
        for line in lines:
            for part in line.wrap(self._console, OUTPUT_WIDTH) or [Text()]:
                self._console.print(Text.assemble(" " * _INDENT, ("│ ", style), part), no_wrap=True, soft_wrap=True)


def _wrapped_words(words: Sequence[str], room: int) -> list[str]:
    """A command line in lines of at most `room`, each but the last ending in a backslash; an option keeps its value."""
    lines: list[str] = []
    line = ""
    for group in _groups(words):
        if line and len(line) + 1 + len(group) + 2 > room:
            lines.append(line + " \\")
            line = group
        else:
            line = f"{line} {group}" if line else group
    return [*lines, line]


def _groups(words: Sequence[str]) -> list[str]:
    groups: list[str] = []
    for word in words:
        quoted = shlex.quote(word)
        if groups and groups[-1].startswith("--") and not word.startswith("--") and " " not in groups[-1]:
            groups[-1] += f" {quoted}"
        else:
            groups.append(quoted)
    return groups
