"""Why the wizard does not do what was asked. Each is one line with what to do.

HybridError
├── UnusableFile          a file that was named cannot be used
├── UnusablePlan          a plan file that cannot be applied
├── NotPossible           what was asked cannot be met
├── NothingApplied        nothing was set up from here
├── Busy                  another command is changing things here
├── PlanOutdated          somebody changed what the plan rests on
└── ApplyError            a side cannot be read or changed
    └── NotChanged        the side says no: the step did not take effect
        └── RelayRefused  the relay's "no", with its status and code
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatepost.errors import GatepostError


class HybridError(GatepostError):
    wrong_use = False
    """Whether the command has to be written in another way. Otherwise the answer is no, for now."""


class UnusableFile(HybridError):
    wrong_use = True


class UnusablePlan(HybridError):
    wrong_use = True


class NotPossible(HybridError):
    wrong_use = True


class NothingApplied(HybridError):
    """There is no set-up of the wizard here."""


class Busy(HybridError):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """An object is not as the plan found it."""

    side: str
    object: str
    differences: Mapping[str, tuple[Any, Any]]
    """Field: value in the plan, value now. Empty field: the object as a whole."""


class PlanOutdated(HybridError):
    def __init__(self, drifts: tuple[Drift, ...]) -> None:
        super().__init__(f"{len(drifts)} objects changed since the plan was made")
        self.drifts = drifts


class ApplyError(HybridError):
    """What was done so far stays, and is journalled."""


class NotChanged(ApplyError):
    pass


class RelayRefused(NotChanged):
    def __init__(self, says: str, status: int, code: str) -> None:
        super().__init__(says)
        self.status = status
        self.code = code
