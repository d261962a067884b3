"""Setting both sides up: plan, apply, undo.

What flows through: a request as it was typed becomes a plan; a plan file becomes changes at both sides; what was
applied last answers `undo`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from gatepost.hybrid import apply as applying
from gatepost.hybrid import edge_defaults
from gatepost.hybrid.desire import (
    EDGE,
    POSTFIX,
    RELAY,
    Desired,
    desired_at_edge,
    desired_at_relay,
    domains_without_mailboxes,
)
from gatepost.hybrid.errors import ApplyError, HybridError, NothingApplied
from gatepost.hybrid.installation import Installation
from gatepost.hybrid.journal import Memory
from gatepost.hybrid.merge import Fields, Kept
from gatepost.hybrid.observe import relevant
from gatepost.hybrid.plan import Change, DesiredObject, Plan, difference
from gatepost.hybrid.ports import Credentials
from gatepost.hybrid.postfix import desired_at_postfix
from gatepost.hybrid.postfix import notes as postfix_notes
from gatepost.hybrid.rehearsal import Rehearsal, rehearse, why_refused
from gatepost.hybrid.request import SetupRequest, request_from
from gatepost.hybrid.sides import WholeSide, open_sides
from gatepost.hybrid.sides.postfix import PostfixSide
from gatepost.hybrid.sides.relay import Waiting
from gatepost.hybrid.usable import read_anchor, usable_credentials
from gatepost.tenancy.names import certificate_name_key

# --- planning --------------------------------------------------------------------------------------------------------


def plan(here: Installation, request: SetupRequest, overwrite: Collection[str] = ()) -> Plan:
    """The difference between what is and what should be. Raises `UnusableFile`, `NotPossible`, `ApplyError`."""
    files, now = here.ports.certificates, here.ports.clock.now()
    credentials = usable_credentials(files, *request.files, now)
    remembered = here.memory
    last = remembered.last_applied()
    with open_sides(here, request, remembered.folder) as (sides, tenant):
        everything = {name: side.everything() for name, side in sides.items()}
        sender, hostname, notes = _about_sender(here, sides)
    desired = _desired(request, credentials, hostname)
    objects = (
        *desired_at_relay(desired, everything[RELAY], last, _applied_at(remembered), now),
        *(
            desired_at_postfix(desired, everything[POSTFIX], files.system_roots())
            if sender == POSTFIX
            else desired_at_edge(desired, everything[EDGE], last)
        ),
    )
    observed = relevant(objects, everything)
    changes, kept = difference(objects, observed, last, overwrite)
    answered = {side: dict(objects) for side, objects in last.items()}
    for each in objects:
        answered.setdefault(each.side, {})[each.object] = each.fields
    return Plan(
        made_at=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        request=replace(request, tenant=tenant).record(),
        observed=observed,
        desired=answered,
        changes=changes,
        kept=kept,
        notes=(*credentials.warnings, *notes, *_about_mailboxes(desired, everything, objects)),
    )


def _about_mailboxes(
    desired: Desired, everything: Mapping[str, dict[str, Fields]], objects: Sequence[DesiredObject]
) -> Iterator[str]:
    to_relay = next((each.object for each in objects if each.side == EDGE and each.presents), None)
    if to_relay is None or desired.mailboxes:
        return
    lacking = domains_without_mailboxes(desired, everything[EDGE], to_relay)
    if lacking:
        yield (
            f"no send connector leads to the mailboxes of {', '.join(lacking)}: a notice to a user there would leave "
            "by the relay, and be lost when that refuses mail of this edge; name your mail server with --mailboxes HOST"
        )


def _about_sender(here: Installation, sides: Mapping[str, WholeSide]) -> tuple[str, str, tuple[str, ...]]:
    """Which side sends, what it calls itself, and what to know about it."""
    side = sides.get(POSTFIX)
    if isinstance(side, PostfixSide):
        return POSTFIX, side.hostname, tuple(postfix_notes(side.set_parameters()))
    return EDGE, here.hostname, ()


def _applied_at(remembered: Memory) -> datetime | None:
    last = remembered.last_finished()
    return datetime.fromisoformat(last.plan.made_at) if last else None


def _desired(request: SetupRequest, credentials: Credentials, hostname: str) -> Desired:
    return Desired(
        smart_host=request.smart_host,
        domains=request.domains,
        certificate=request.pair[0],
        key=request.pair[1],
        names=tuple(filter(None, map(certificate_name_key, credentials.leaf.names))),
        hostname=hostname,
        trust_anchors=tuple(map(read_anchor, request.trust_anchors)),
        local_tenant=edge_defaults.TENANT,
        local_networks=edge_defaults.LOCAL_NETWORKS,
        mailboxes=request.mailboxes,
    )


# --- applying --------------------------------------------------------------------------------------------------------


class Progress(Protocol):
    """Whoever looks on while a plan is applied."""

    def step(self, change: Change, what: str) -> None: ...

    def waiting(self, waiting: Waiting) -> None: ...

    def rehearsed(self, found: Rehearsal) -> None: ...


def apply_plan(here: Installation, found: Plan, progress: Progress, *, wait_s: float) -> bool:
    """False: this very plan was applied before, and is in force. Raises `Busy`, `PlanOutdated`, `ApplyError`,
    `UnusableFile`, `NotPossible`."""
    request = request_from(found.request)
    remembered = here.memory
    with remembered.locked():
        usable_credentials(here.ports.certificates, *request.files, here.ports.clock.now())
        last = remembered.last_finished()
        if last and last.plan.digest == found.digest:
            _take_into_use(here, request)
            return False
        journal = remembered.begin(found)
        with open_sides(here, request, journal.folder, wait_s=wait_s, waiting=progress.waiting) as (sides, _):

            def rehearse_or_stop() -> None:
                outcome = rehearse(here, request)
                progress.rehearsed(outcome)
                if why := why_refused(outcome):
                    raise ApplyError(
                        f"{why}; this edge is unchanged. Fix that and repeat the same gatepost hybrid apply, or "
                        "revert what was done: gatepost hybrid undo"
                    )

            applying.apply(found, journal, sides, rehearse_or_stop, progress.step)
        _take_into_use(here, request)
        return True


def apply_at_relay(here: Installation, found: Plan) -> None:
    """A plan that touches nothing but the relay, while mail flows. Raises as `apply_plan` does."""
    request = request_from(found.request)
    remembered = here.memory
    with remembered.locked():
        journal = remembered.begin(found)
        with open_sides(here, request, journal.folder) as (sides, _):
            applying.apply(found, journal, sides, lambda: None, lambda *_: None)


def _take_into_use(here: Installation, request: SetupRequest) -> None:
    """From now on the wizard answers for what is presented: these files, and later ones once they are rehearsed."""
    if request.postfix:
        here.presented.keep_only(None)
        return
    here.presented.keep_only(request.pair)
    if not here.presented.is_in_use(*request.pair):
        outcome = rehearse(here, request)
        if not outcome.accepted:
            raise ApplyError(f"both sides are set, but {why_refused(outcome)}")
        here.presented.keep(*request.pair)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    kept: tuple[Kept, ...]
    """What somebody changed since."""
    left: tuple[applying.NotUndone, ...]
    """What could not be taken back."""
    warning: str | None
    """What the relay would now make of the certificate that is still presented."""


def undo(here: Installation, report: applying.Report, overwrite: Collection[str] = ()) -> Undone:
    """Take the last apply back, as far as that is possible. Raises `Busy`, `NothingApplied`, `ApplyError`,
    `UnusableFile`."""
    remembered = here.memory
    with remembered.locked():
        journal = remembered.latest()
        if journal is None:
            raise NothingApplied("nothing has been applied from here, so there is nothing to undo")
        with open_sides(here, request_from(journal.plan.request), journal.folder) as (sides, _):
            result = applying.undo(journal, sides, report, overwrite)
        last = remembered.last_finished()
        request = request_from(last.plan.request) if last else None
        here.presented.keep_only(request.pair if request and not request.postfix else None)
    return Undone(kept=result.kept, left=result.left, warning=_still_relayed(here, request) if request else None)


def _still_relayed(here: Installation, request: SetupRequest) -> str | None:
    """An earlier set-up goes on: would the relay take its mail?"""
    try:
        why = why_refused(rehearse(here, request))
    except HybridError as error:
        why = str(error)
    return f"the set-up before is in force again, but {why}" if why else None
