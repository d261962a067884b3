"""Carrying a plan out, step by step, and taking it back.

What flows through: a plan; each change goes to the side it names. Laws: nothing begins while the world differs from
what the plan rests on; each step is journalled before and after; what was interrupted goes on where it stopped; taking
back restores what was there before and leaves alone what somebody changed since.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gatepost.hybrid.journal import Apply
from gatepost.hybrid.merge import Fields, Kept
from gatepost.hybrid.plan import Change, Objects, Plan, differing


class Trouble(Exception):
    """A side cannot be read or changed: one line with what to do. What was done so far stays, and is journalled."""


class Side(Protocol):
    """One of the two sides, as far as the wizard touches it."""

    def read(self, names: Iterable[str]) -> Objects:
        """The objects of these names as they are now. Raises `Trouble`."""

    def write(self, change: Change) -> None:
        """From `before` to `after`; somebody else's change in between is a `Trouble`."""


Sides = Mapping[str, Side]
Tell = Callable[[Change, str], None]
"""Called with each change and `done`, `was done` or `taken back`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """An object is not as the plan found it."""

    side: str
    object: str
    differences: Mapping[str, tuple[Any, Any]]
    """Field: value in the plan, value now. Empty field: the object as a whole."""


class WorldMoved(Exception):
    """Somebody changed what the plan rests on."""

    def __init__(self, moved: tuple[Moved, ...]) -> None:
        super().__init__(f"{len(moved)} objects changed since the plan was made")
        self.moved = moved


def apply(plan: Plan, journal: Apply, sides: Sides, rehearse: Callable[[], None], tell: Tell) -> None:
    """All that is left of `plan`. `rehearse` raises `Trouble` when the relay would not take the mail. Raises
    `WorldMoved` before the first step, `Trouble` at any."""
    done = _settled(plan, journal, sides, tell)
    for change in plan.changes:
        if change.order in done:
            continue
        if change.rehearse_first:
            rehearse()
        journal.note("begun", change.order)
        sides[change.side].write(change)
        journal.note("done", change.order)
        tell(change, "done")
    journal.note("finished")


def _settled(plan: Plan, journal: Apply, sides: Sides, tell: Tell) -> frozenset[int]:
    """The steps that are in force, the one in doubt decided by looking. Raises `WorldMoved`."""
    progress = journal.progress()
    expected = expected_state(plan, progress.done)
    now = observed_now(plan, sides)
    doubtful = next((each for each in plan.changes if each.order == progress.in_doubt), None)
    done = progress.done
    if doubtful and same(now[doubtful.side].get(doubtful.object), doubtful.after):
        journal.note("done", doubtful.order)
        tell(doubtful, "was done")
        done |= {doubtful.order}
        expected = expected_state(plan, done)
    if moved := differences(expected, now):
        raise WorldMoved(moved)
    return done


def expected_state(plan: Plan, done: Collection[int]) -> dict[str, dict[str, Fields | None]]:
    """What the plan found, with the steps in `done` carried out."""
    state = {side: dict(objects) for side, objects in plan.observed.items()}
    for change in plan.changes:
        if change.order in done:
            state.setdefault(change.side, {})[change.object] = change.after
    return state


def observed_now(plan: Plan, sides: Sides) -> dict[str, Objects]:
    """The objects the plan rests on, as they are."""
    return {side: sides[side].read(objects) for side, objects in plan.observed.items() if objects}


def differences(expected: Mapping[str, Objects], now: Mapping[str, Objects]) -> tuple[Moved, ...]:
    return tuple(
        Moved(side=side, object=name, differences=_differences(fields, now[side].get(name)))
        for side, objects in expected.items()
        for name, fields in objects.items()
        if not same(fields, now[side].get(name))
    )


def same(one: Fields | None, other: Fields | None) -> bool:
    if one is None or other is None:
        return one is other
    return not differing(one, other)


def _differences(expected: Fields | None, now: Fields | None) -> Mapping[str, tuple[Any, Any]]:
    if expected is None or now is None:
        return {"": ("absent" if expected is None else "present", "absent" if now is None else "present")}
    return differing(expected, now)


def undo(journal: Apply, sides: Sides, tell: Tell, overwrite: Collection[str] = ()) -> tuple[Kept, ...]:
    """Take back what was applied, the last step first. Returns what somebody changed since, which stays as it is
    unless `overwrite` names it. Raises `Trouble`; what was taken back by then is journalled."""
    plan = journal.plan
    progress = journal.progress()
    in_force = progress.done | ({progress.in_doubt} if progress.in_doubt else frozenset())
    kept: list[Kept] = []
    for change in reversed(plan.changes):
        if change.order not in in_force:
            continue
        now = sides[change.side].read([change.object]).get(change.object)
        back, left = _taken_back(change, now, overwrite)
        kept += left
        if back is not None:
            journal.note("undoing", change.order)
            sides[change.side].write(back)
        journal.note("undone", change.order)
        tell(change, "taken back" if not left else "taken back in part" if back else "kept")
    journal.note("taken-back")
    return tuple(kept)


def _taken_back(change: Change, now: Fields | None, overwrite: Collection[str]) -> tuple[Change | None, list[Kept]]:
    """The change that restores, None where there is nothing to restore, and what is kept."""
    if same(now, change.before):
        return None, []
    if same(now, change.after) or change.object in overwrite:
        return _inverse(change, now, change.before), []
    if now is None or change.before is None:
        # Removed by hand since, or made here and then changed by hand.
        return None, [Kept(side=change.side, object=change.object, field="", now=now, wanted=change.before)]
    target, kept = dict(now), []
    for field, (old, new) in differing(change.before, change.after).items():
        if now.get(field) == new or f"{change.object}.{field}" in overwrite:
            target[field] = old
        elif now.get(field) != old:
            kept.append(Kept(side=change.side, object=change.object, field=field, now=now.get(field), wanted=old))
    return (None if same(target, now) else _inverse(change, now, target)), kept


def _inverse(change: Change, now: Fields | None, target: Fields | None) -> Change:
    return Change(
        order=change.order,
        side=change.side,
        object=change.object,
        action="delete" if target is None else "create" if now is None else "update",
        before=now,
        after=target,
        why="undo",
        risk="none",
    )
