"""What a page of the console is: an address, who may open it, and what it shows."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from starlette.responses import Response

from gatepost.console.visit import Visit
from gatepost.tenancy.person import Person, Role


class Who(Enum):
    ANYBODY = auto()
    """Not signed in, too."""
    TRACERS = auto()
    """Everybody who is signed in: also who may see what happened to mail, and nothing else."""
    PEOPLE = auto()
    WRITERS = auto()
    """People whose role may change things; a tenant's person those of its tenant."""
    ADMINS = auto()
    """Operators, those who only read too, and administrators of a tenant: who may see who else comes in."""
    OPERATORS = auto()


@dataclass(frozen=True, slots=True)
class Page:
    path: str
    who: Who
    show: Callable[[Visit], Response]
    method: Literal["GET", "POST"] = "GET"

    def is_open_to(self, person: Person) -> bool:
        match self.who:
            case Who.OPERATORS:
                return person.tenant is None and not person.role.sees_trace_only
            case Who.ADMINS:
                return person.role in (Role.OPERATOR, Role.OPERATOR_READ, Role.TENANT_ADMIN)
            case Who.WRITERS:
                return person.role.may_write
            case Who.PEOPLE:
                return not person.role.sees_trace_only
            case _:
                return True
