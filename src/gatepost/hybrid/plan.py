"""A plan: the ordered difference between what is and what should be, as a value that fits into a file.

Laws: the digest covers everything that is applied, so that an edited file is noticed; each change says what was there
before, so that it can be taken back; no secret stands in a plan, only the paths of files.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

from gatepost.hybrid.errors import UnusablePlan
from gatepost.hybrid.merge import Fields, Kept, merge

_FORM = 1
_IN_FILE = {"request": "wish", "desired": "wanted"}

Objects = Mapping[str, Fields | None]
"""By name: `inbound-connector mail`; None: it does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredObject:
    """One object as it should be: the fields the wizard answers for, and no others."""

    side: str
    object: str
    fields: Fields
    """What is managed."""
    fresh: Fields
    """The whole object, where it has to be made."""
    why: str
    risk: str = "none"
    last: tuple[str, ...] = ()
    """Fields that change only when everything else, of all objects, is in place: such as `enabled`."""
    facts: tuple[str, ...] = ()
    """Fields that nobody sets by hand, such as whether DNS verifies a domain."""
    presents: bool = False
    """Mail goes by it: it changes only after a rehearsal has shown that the relay takes such mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    order: int
    side: str
    object: str
    action: str
    """`create`, `update` or `delete`."""
    before: Fields | None
    after: Fields | None
    why: str
    risk: str
    rehearse_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    made_at: str
    request: Fields
    """What was asked for, to be asked again by `verify` and `undo`."""
    observed: Mapping[str, Objects]
    """By side: what the plan rests on. `apply` looks again, and begins only if it is still so."""
    desired: Mapping[str, Mapping[str, Fields]]
    """By side: what the wizard answers for; the next plan's "last applied"."""
    changes: tuple[Change, ...]
    kept: tuple[Kept, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        return sha256(json.dumps(_substance(self), sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def difference(
    desired: Sequence[DesiredObject],
    observed: Mapping[str, Objects],
    last: Mapping[str, Mapping[str, Fields]],
    overwrite: Collection[str] = (),
) -> tuple[tuple[Change, ...], tuple[Kept, ...]]:
    """What to do, in order, and what is left as somebody made it. `overwrite` names `OBJECT.FIELD` or `OBJECT`."""
    first: list[Change] = []
    finally_: list[Change] = []
    kept: list[Kept] = []
    for each in desired:
        now = observed.get(each.side, {}).get(each.object)
        applied = last.get(each.side, {}).get(each.object)
        if now is None:
            if applied is not None and each.object not in overwrite:
                kept.append(Kept(side=each.side, object=each.object, field="", now=None, wanted=dict(each.fields)))
                continue
            steps = _creation(each)
        else:
            merged = merge(applied, now, each.fields, _named(each, overwrite))
            kept += [
                Kept(side=each.side, object=each.object, field=field, now=value, wanted=other)
                for field, value, other in merged.kept
            ]
            steps = _update(each, now, merged.fields)
        for step, late in steps:
            (finally_ if late else first).append(step)
    changes = tuple(replace(change, order=order) for order, change in enumerate([*first, *finally_], 1))
    return changes, tuple(kept)


def _named(desired: DesiredObject, overwrite: Collection[str]) -> set[str]:
    """The fields in which a hand-made value gives way."""
    if desired.object in overwrite:
        return set(desired.fields)
    return {*desired.facts, *(field for field in desired.fields if f"{desired.object}.{field}" in overwrite)}


def _creation(desired: DesiredObject) -> list[tuple[Change, bool]]:
    """Made asleep first, woken last."""
    whole = {**desired.fresh, **desired.fields}
    if not desired.last:
        return [(_change(desired, "create", None, whole), desired.presents)]
    asleep = {**whole, **{field: desired.fresh[field] for field in desired.last}}
    steps = [(_change(replace(desired, presents=False), "create", None, asleep), False)]
    if asleep != whole:
        steps.append((_change(desired, "update", asleep, whole), True))
    return steps


def _update(desired: DesiredObject, now: Fields, merged: Fields) -> list[tuple[Change, bool]]:
    """What is awake changes in one step, once the sides before it are ready."""
    whole = {**now, **{field: value for field, value in merged.items() if value is not None or field in now}}
    if whole == dict(now):
        return []
    prepared = {**whole, **{field: now[field] for field in desired.last if field in now}}
    if prepared == whole or prepared == dict(now) or desired.presents:
        return [(_change(desired, "update", now, whole), desired.presents or prepared != whole)]
    return [
        (_change(replace(desired, presents=False), "update", now, prepared), False),
        (_change(desired, "update", prepared, whole), True),
    ]


def _change(desired: DesiredObject, action: str, before: Fields | None, after: Fields | None) -> Change:
    return Change(
        order=0,
        side=desired.side,
        object=desired.object,
        action=action,
        before=None if before is None else dict(before),
        after=None if after is None else dict(after),
        why=desired.why,
        risk=desired.risk,
        rehearse_first=desired.presents,
    )


def differing(before: Fields | None, after: Fields | None) -> dict[str, tuple[Any, Any]]:
    """The fields in which two states of an object differ."""
    old, new = before or {}, after or {}
    return {field: (old.get(field), new.get(field)) for field in {**old, **new} if old.get(field) != new.get(field)}


# --- as a file -------------------------------------------------------------------------------------------------------


def document(plan: Plan) -> dict[str, Any]:
    """What `--json` prints and the plan file holds."""
    return {**_substance(plan), "digest": plan.digest}


def _substance(plan: Plan) -> dict[str, Any]:
    fields = asdict(plan)
    return {"gatepost_plan": _FORM, **{_IN_FILE.get(name, name): value for name, value in fields.items()}}


def read_plan(text: str, where: str) -> Plan:
    """The plan in a file. Raises `UnusablePlan` when it is none, or not as it was written."""
    again = "make it again with: gatepost hybrid plan … --out FILE"
    try:
        found = json.loads(text)
        told = found.pop("digest")
        form = found.pop("gatepost_plan")
        plan = Plan(
            made_at=found["made_at"],
            request=found["wish"],
            observed=found["observed"],
            desired=found["wanted"],
            changes=tuple(Change(**each) for each in found["changes"]),
            kept=tuple(Kept(**each) for each in found["kept"]),
            notes=tuple(found["notes"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnusablePlan(f"{where} is no plan file; {again}") from None
    if form != _FORM:
        raise UnusablePlan(f"{where} was written by another version of Gatepost (form {form}); {again}")
    if told != plan.digest:
        raise UnusablePlan(f"{where} was edited after it was made: its digest does not fit its changes; {again}")
    return plan
