"""The answer of a check."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from gatepost.doctor.path.objects import Way
from gatepost.doctor.path.told import Told
from gatepost.doctor.repairs import Edit

Standing = Literal["holds", "broken", "unknown"]


class Need(NamedTuple):
    """What would decide an unknown check, and the command that produces it on that system."""

    what: str
    cost: int
    """1: one cmdlet; 2: a file; 3: a log; 4: another party's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    cause: str
    """The cause it would be; of a check that holds, the cause that is ruled out."""
    standing: Standing
    subject: str
    """What it is about: with `cause`, the same question before and after an edit."""
    says: str
    premises: tuple[Told[object], ...] = ()
    explains: frozenset[str] = frozenset()
    """Kinds of symptoms that come of it."""
    way: Way | None = None
    """None: both."""
    servers: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    """Applied together they repair it."""
    verify: str = ""
    needs: tuple[Need, ...] = ()
    alone: bool = False
    """The objects contradict each other: it is a fault without anybody's complaint."""
    by_reply: bool = False
    """Nothing but a reply or a program's line names it: whoever explains that line by an object goes first, alone."""
    names_what_happens: bool = False
    """It says what happens, and leaves open why: whoever knows why goes first."""
    place: int = 50
    """Where on the path, from the sender's store (0) to the recipient (100)."""
    catalogue: tuple[str, ...] = ()
    """Only where it differs from the cause's."""
