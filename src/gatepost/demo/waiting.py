"""Waiting for what must happen, with an end to patience."""

import time
from collections.abc import Callable
from typing import TypeVar

from gatepost.errors import GatepostError

_LOOK_EVERY_S = 0.02

Found = TypeVar("Found")


class Setback(GatepostError):
    """Something went another way than the story tells; one line."""


def wait_for(look: Callable[[], Found | None], what: str, patience_s: float = 20.0) -> Found:
    """The first thing that `look` finds."""
    deadline = time.monotonic() + patience_s
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise Setback(f"waited {patience_s:.0f} s for {what}")
        time.sleep(_LOOK_EVERY_S)
    return found
