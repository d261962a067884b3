"""The console of all commands. Law: no character that a stranger chose reaches the terminal as a command to it."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from gatepost.mail.visible import visible_lines


class VisibleConsole(Console):
    """Rich's console; the text of what it renders is made visible, its own colours and movements are left."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(visible_lines(text), style)
