"""`hybrid verify`: whether both sides are as they were applied, and whether mail would be relayed now."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gatepost.app import hybrid
from gatepost.app.in_use import presented_now
from gatepost.app.relay_api import RelayApi, UnusableFile
from gatepost.config import Config
from gatepost.hybrid.apply import Trouble
from gatepost.hybrid.desire import NotPossible
from gatepost.hybrid.plan import Plan
from gatepost.hybrid.rehearsal import why_refused
from gatepost.net.certificates import CredentialError
from gatepost.net.credentials import load_credentials

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
    kept_back = _kept_back(config, ask)
    return (
        _certificate(ask),
        *((kept_back,) if kept_back else ()),
        _token(ask),
        *_both_sides(config, ask),
        _relayed(config, ask, kept_back),
    )


def _kept_back(config: Config, ask: hybrid.Ask) -> Check | None:
    """Which certificate is presented, where that is not the one in the file."""
    shown = None if ask.postfix else presented_now(config, *ask.pair)
    try:
        in_file = load_credentials(*ask.pair).leaf
    except CredentialError:
        in_file = None
    if shown is None or (in_file is not None and shown.leaf.sha256 == in_file.sha256):
        return None
    leaf = shown.leaf
    over = leaf.not_after is not None and leaf.not_after <= datetime.now(UTC)
    flows = "it has expired" if over else f"mail flows with it until {leaf.not_after:%Y-%m-%d %H:%M} UTC"
    return Check(
        name="presented",
        passed=not over,
        says=f"the certificate before it is presented, {', '.join(leaf.names)}: {flows}; the renewed one in "
        f"{ask.pair[0]} follows when the relay would take it",
    )


def _token(ask: hybrid.Ask) -> Check:
    """Without it nothing can be rehearsed, and a renewed certificate is not presented."""
    try:
        api = RelayApi(ask.relay, ask.token_file, ask.relay_ca)
        try:
            ends = api.request("GET", "/v1/whoami").body["expires_at"]
        finally:
            api.close()
    except (Trouble, UnusableFile) as error:
        return Check(name="token", passed=False, says=str(error))
    if ends is None:
        return Check(name="token", passed=True, says=f"{ask.token_file}, without an end")
    left = datetime.fromisoformat(ends) - datetime.now(UTC)
    do = "have a new one made by the relay's operator (gatepost token add --tenant T --out FILE), and replace the file"
    return Check(
        name="token",
        passed=True,
        says=f"{ask.token_file}, until {ends[:10]}: {left.days} days left",
        do=do if left < _SOON else None,
    )


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


def _relayed(config: Config, ask: hybrid.Ask, kept_back: Check | None) -> Check:
    try:
        rehearsal = hybrid.rehearse(config, ask)
    except (Trouble, UnusableFile, NotPossible) as error:
        return Check(name="relayed", passed=False, says=str(error))
    if why := why_refused(rehearsal):
        of_renewed = "of the renewed certificate: " if kept_back else ""
        return Check(name="relayed", passed=False, says=f"{of_renewed}{why}")
    if rehearsal.differences:
        return Check(name="relayed", passed=True, says="; ".join(rehearsal.differences))
    says = f"a session over {ask.smart_host} was recognised; own, null and foreign senders would be relayed"
    return Check(name="relayed", passed=True, says=says)
