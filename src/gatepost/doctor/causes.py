"""The causes by id: title, catalogue ids, who acts. Those of the checks stand in causes.toml, those of the rules in theirs."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import NamedTuple, get_args

from gatepost.doctor.evidence import Side
from gatepost.doctor.rules import all_rules


class Repair(NamedTuple):
    """What a cause has to offer by itself, apart from objects."""

    where: str
    command: str
    said_by: str = ""
    """Parts of the names of hosts, with `|` between, one of which must have said it: what one provider wants of its
    customers says nothing to those of another. Empty: anybody."""

    def is_for(self, speaker: str) -> bool:
        """Where it is not known who said it, it may be for everybody."""
        return not self.said_by or not speaker or any(part in speaker for part in self.said_by.split("|"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    id: str
    catalogue: tuple[str, ...]
    title: str
    side: Side
    says: str = ""
    repair: tuple[Repair, ...] = ()
    """Of a cause that a reply names by itself, and for programs that a check does not know."""
    verify: str = ""
    needs: str = ""
    root_open: bool = False
    """The reply names what happens, and leaves open why."""


@cache
def all_causes() -> dict[str, Cause]:
    document = tomllib.loads((files("gatepost.doctor") / "causes.toml").read_text("utf-8"))
    found = {
        each.id: Cause(id=each.id, catalogue=each.catalogue, title=each.title, side=each.side) for each in all_rules()
    }
    for each in document["cause"]:
        found[each["id"]] = Cause(
            id=each["id"],
            catalogue=tuple(each["catalogue"]),
            title=each["title"],
            side=_side(each["side"]),
            says=each.get("says", ""),
            repair=tuple(Repair(*one) for one in each.get("repair", ())),
            verify=each.get("verify", ""),
            needs=each.get("needs", ""),
            root_open=each.get("root_open", False),
        )
    return _with_repairs(found)


def _with_repairs(found: dict[str, Cause]) -> dict[str, Cause]:
    """Each cause with the commands of repairs.toml behind its own."""
    for each in tomllib.loads((files("gatepost.doctor") / "repairs.toml").read_text("utf-8"))["repair"]:
        for id in each["of"]:
            more = tuple(Repair(*one) for one in each["repair"])
            found[id] = replace(found[id], repair=found[id].repair + more)
    return found


def _side(text: str) -> Side:
    for side in get_args(Side):
        if side == text:
            return side  # type: ignore[no-any-return]
    raise ValueError(f"causes.toml: there is no side {text!r}")


def cause_named(id: str) -> Cause:
    return all_causes()[id]
