"""Carrying a plan out, step by step, and taking it back.

What flows through: a plan; each change goes to the side it names. Laws: nothing begins while the world differs from
what the plan rests on; each step is journalled before and after; what was interrupted goes on where it stopped; taking
back restores what was there before, leaves alone what somebody else did or changed since, and does not stop at what
cannot be taken back.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gatepost.hybrid.errors import ApplyError, Drift, NotChanged, PlanOutdated
from gatepost.hybrid.journal import Apply
from gatepost.hybrid.merge import Fields, Kept
from gatepost.hybrid.plan import Change, Objects, Plan, differing


class Side(Protocol):
    """One of the two sides, as far as the wizard touches it."""

    def read(self, names: Iterable[str]) -> Objects:
        """The objects of these names as they are now. Raises `ApplyError`."""

    def write(self, change: Change) -> None:
        """From `before` to `after`. Raises `NotChanged` for a definite no, such as somebody else's change in between,
        and `ApplyError` where the outcome is not known."""


Sides = Mapping[str, Side]
Report = Callable[[Change, str], None]
"""Called with each change, and `done`, `was done`, `taken back`, `kept` or `not taken back`."""


def apply(plan: Plan, journal: Apply, sides: Sides, rehearse: Callable[[], None], report: Report) -> None:
    """All that is left of `plan`. `rehearse` raises `ApplyError` when the relay would not take the mail. Raises
    `PlanOutdated` before the first step, `ApplyError` at any."""
    done = _settled(plan, journal, sides, report)
    for change in plan.changes:
        if change.order in done:
            continue
        if change.rehearse_first:
            rehearse()
        _carry_out(change, journal, sides)
        report(change, "done")
    journal.note("finished")


def _carry_out(change: Change, journal: Apply, sides: Sides) -> None:
    journal.note("begun", change.order)
    try:
        sides[change.side].write(change)
    except NotChanged:
        journal.note("refused", change.order)
        raise
    journal.note("done", change.order)


def _settled(plan: Plan, journal: Apply, sides: Sides, report: Report) -> frozenset[int]:
    """The steps that are in force: the one in doubt is decided by looking, and so is one that was refused, which
    somebody else may have done since. Raises `PlanOutdated`."""
    progress = journal.progress()
    now = observed_now(plan, sides)
    done = progress.done
    for change in plan.changes:
        if change.order != progress.in_doubt and change.order not in progress.refused:
            continue
        if same(now[change.side].get(change.object), change.after):
            journal.note("done" if change.order == progress.in_doubt else "found", change.order)
            report(change, "was done")
            done |= {change.order}
    if drifts := differences(expected_state(plan, done), now):
        raise PlanOutdated(drifts)
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


def differences(expected: Mapping[str, Objects], now: Mapping[str, Objects]) -> tuple[Drift, ...]:
    return tuple(
        Drift(side=side, object=name, differences=_differences(fields, now[side].get(name)))
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NotUndone:
    """A step that could not be taken back."""

    change: Change
    message: str
    final: bool
    """The side refused; otherwise another attempt may succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoResult:
    kept: tuple[Kept, ...]
    """What somebody changed since; it stays unless `overwrite` names it."""
    left: tuple[NotUndone, ...]


def undo(journal: Apply, sides: Sides, report: Report, overwrite: Collection[str] = ()) -> UndoResult:
    """Take back what this apply did, the last step first, and go on past what cannot be taken back; the earlier steps
    of such an object stay with it. The apply counts as taken back once nothing is left that another attempt could
    change."""
    kept: list[Kept] = []
    left: dict[tuple[str, str], NotUndone] = {}
    ours = journal.progress().ours
    for change in reversed(journal.plan.changes):
        if change.order not in ours or (change.side, change.object) in left:
            continue
        try:
            kept += _take_back(change, journal, sides, report, overwrite)
        except ApplyError as error:
            final = isinstance(error, NotChanged)
            left[change.side, change.object] = NotUndone(change=change, message=str(error), final=final)
            report(change, "not taken back")
    if all(each.final for each in left.values()):
        journal.note("taken-back")
    return UndoResult(kept=tuple(kept), left=tuple(left.values()))


def _take_back(
    change: Change, journal: Apply, sides: Sides, report: Report, overwrite: Collection[str]
) -> Sequence[Kept]:
    now = sides[change.side].read([change.object]).get(change.object)
    back, kept = _taken_back(change, now, overwrite)
    if back is not None:
        journal.note("undoing", change.order)
        sides[change.side].write(back)
    journal.note("undone", change.order)
    report(change, "taken back" if not kept else "taken back in part" if back else "kept")
    return kept


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
