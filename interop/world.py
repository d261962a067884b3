"""One Gatepost, its tenants and everybody around it, as every check of a run sees them."""

import itertools
from dataclasses import dataclass
from pathlib import Path

from outside import Outside
from relay import Relay
from states import State

from pki import Pki

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    folder: Path
    states: dict[str, State]
    lone_states: dict[str, State]
    """For senders that present the leaf alone."""
    pki: Pki
    outside: Outside
    relay: Relay
    port: int
    """Gatepost's."""

    def token(self, name: str) -> str:
        """A local part of its own for each message of the run."""
        return f"{name}-{next(_numbers)}"
