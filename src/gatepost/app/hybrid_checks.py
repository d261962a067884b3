"""`hybrid verify`: whether both sides are as they were applied, and whether mail would be relayed now."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gatepost.app import hybrid
from gatepost.app.relay_api import UnusableFile
from gatepost.config import Config
from gatepost.hybrid.apply import Trouble
from gatepost.hybrid.desire import NotPossible
from gatepost.hybrid.plan import Plan
from gatepost.hybrid.rehearsal import why_refused

_SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    name: str
    passed: bool
    says: str
    do: str | None = None


def verify(config: Config) -> tuple[Check, ...]:
    """Raises `NothingApplied`."""
    ask = hybrid.last_ask(config)
    return (_certificate(ask), *_both_sides(config, ask), _relayed(config, ask))


def _certificate(ask: hybrid.Ask) -> Check:
    now = datetime.now(UTC)
    try:
        leaf = hybrid.usable_credentials(*ask.files, now).leaf
    except UnusableFile as error:
        return Check(name="certificate", passed=False, says=str(error))
    says = f"{', '.join(leaf.names)} from {leaf.issuer}, until {leaf.not_after:%Y-%m-%d}"
    if leaf.not_after and leaf.not_after - now < _SOON:
        rehearse = "rehearse its successor with: gatepost hybrid rehearse --certificate NEXT.pem --key NEXT.key"
        return Check(
            name="certificate", passed=True, says=f"{says}: {(leaf.not_after - now).days} days left", do=rehearse
        )
    return Check(name="certificate", passed=True, says=says)


def _both_sides(config: Config, ask: hybrid.Ask) -> tuple[Check, ...]:
    try:
        plan = hybrid.plan(config, ask)
    except (Trouble, UnusableFile, NotPossible) as error:
        return (Check(name="both-sides", passed=False, says=str(error)),)
    return (_as_applied(plan), *((_kept(plan),) if plan.kept else ()))


def _as_applied(plan: Plan) -> Check:
    if not plan.changes:
        return Check(name="both-sides", passed=True, says="relay and edge are as they were applied")
    objects = ", ".join(dict.fromkeys(f"{change.object} ({change.side})" for change in plan.changes))
    return Check(
        name="both-sides",
        passed=False,
        says=f"not as it should be: {objects}",
        do="see it and mend it with: gatepost hybrid plan --out plan.json, then gatepost hybrid apply plan.json",
    )


def _kept(plan: Plan) -> Check:
    names = ", ".join(each.name for each in plan.kept)
    return Check(name="changed-by-hand", passed=True, says=f"changed by hand since the last apply, and kept: {names}")


def _relayed(config: Config, ask: hybrid.Ask) -> Check:
    try:
        rehearsal = hybrid.rehearse(config, ask)
    except (Trouble, UnusableFile, NotPossible) as error:
        return Check(name="relayed", passed=False, says=str(error))
    if why := why_refused(rehearsal):
        return Check(name="relayed", passed=False, says=why)
    if rehearsal.differences:
        return Check(name="relayed", passed=True, says="; ".join(rehearsal.differences))
    says = f"a session over {ask.smart_host} was recognised; own, null and foreign senders would be relayed"
    return Check(name="relayed", passed=True, says=says)
