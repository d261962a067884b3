"""One run of the story: the stage is set, the story played, and everything ended whatever happens."""

import signal
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from gatepost.demo.console import OUTPUT_WIDTH, StoryConsole
from gatepost.demo.signals import stoppable, undisturbed
from gatepost.demo.stage import Stage
from gatepost.demo.story import StepResult, Story
from gatepost.demo.waiting import Setback


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    steps: tuple[StepResult, ...]
    seconds: float
    fabrikam_sent: int
    fabrikam_refused: int

    @property
    def ok(self) -> bool:
        return all(step.ok for step in self.steps)


def run(folder: Path, console: Console, *, with_console: bool = False) -> Run:
    """Play the story in `folder`, an empty one. `KeyboardInterrupt` when told to stop by Ctrl-C or a signal. With the
    relay's console it is left running at the end, until somebody says so."""
    began = time.monotonic()
    narration = StoryConsole(console)
    with stoppable():
        colour = console.is_terminal and console.color_system is not None
        stage = Stage(folder, columns=OUTPUT_WIDTH, colour=colour, console=with_console)
        story = Story(stage, narration)
        try:
            steps = tuple(story.play())
            if with_console and all(step.ok for step in steps):
                _wait_for_a_signal()
        finally:
            _end(stage, narration)
    return Run(
        steps=steps,
        seconds=time.monotonic() - began,
        fabrikam_sent=stage.fabrikam.accepted,
        fabrikam_refused=len(stage.fabrikam.refused),
    )


def _wait_for_a_signal() -> None:
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        return


def _end(stage: Stage, narration: StoryConsole) -> None:
    with undisturbed():
        try:
            stage.end()
        except Setback as setback:
            narration.bad(str(setback))
