"""One performance of the story: the world is made, the story played, and everything ended whatever happens."""

import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from gatepost.demo.signals import stoppable, undisturbed
from gatepost.demo.story import StepResult, Story
from gatepost.demo.telling import OUTPUT_WIDTH, Teller
from gatepost.demo.waiting import Setback
from gatepost.demo.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    steps: tuple[StepResult, ...]
    seconds: float
    fabrikam_sent: int
    fabrikam_refused: int

    @property
    def ok(self) -> bool:
        return all(step.ok for step in self.steps)


def perform(folder: Path, console: Console) -> Performance:
    """Play the story in `folder`, an empty one. `KeyboardInterrupt` when told to stop by Ctrl-C or a signal."""
    began = time.monotonic()
    teller = Teller(console)
    with stoppable():
        world = World(folder, columns=OUTPUT_WIDTH, colour=console.is_terminal and console.color_system is not None)
        story = Story(world, teller)
        try:
            steps = tuple(story.play())
        finally:
            _end(world, teller)
    return Performance(
        steps=steps,
        seconds=time.monotonic() - began,
        fabrikam_sent=world.fabrikam.accepted,
        fabrikam_refused=len(world.fabrikam.refused),
    )


def _end(world: World, teller: Teller) -> None:
    with undisturbed():
        try:
            world.end()
        except Setback as setback:
            teller.bad(str(setback))
