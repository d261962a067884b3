"""`hybrid verify`: whether both sides are as they were applied, and whether mail would be relayed now."""

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from gatepost.hybrid.errors import HybridError, UnusableFile
from gatepost.hybrid.installation import Installation
from gatepost.hybrid.plan import Plan
from gatepost.hybrid.rehearsal import rehearse, why_refused
from gatepost.hybrid.request import SetupRequest
from gatepost.hybrid.setup import plan as planned
from gatepost.hybrid.usable import usable_credentials
from gatepost.tenancy.token import Scope

_SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    name: str
    passed: bool
    says: str
    do: str | None = None


def verify(here: Installation) -> tuple[Check, ...]:
    """Raises `NothingApplied`."""
    request = here.last_request()
    kept_back = _kept_back(here, request)
    return (
        _certificate(here, request),
        *((kept_back,) if kept_back else ()),
        _token(here, request),
        *_both_sides(here, request),
        _relayed(here, request, kept_back),
    )


def _kept_back(here: Installation, request: SetupRequest) -> Check | None:
    """Which certificate is presented, where that is not the one in the file."""
    shown = None if request.postfix else here.presented.of(*request.pair)
    try:
        in_file = here.ports.certificates.credentials(*request.files).leaf
    except UnusableFile:
        in_file = None
    if shown is None or (in_file is not None and shown.leaf.sha256 == in_file.sha256):
        return None
    leaf = shown.leaf
    over = leaf.not_after is not None and leaf.not_after <= here.ports.clock.now()
    flows = "it has expired" if over else f"mail flows with it until {leaf.not_after:%Y-%m-%d %H:%M} UTC"
    return Check(
        name="presented",
        passed=not over,
        says=f"the certificate before it is presented, {', '.join(leaf.names)}: {flows}; the renewed one in "
        f"{request.pair[0]} follows when the relay would take it",
    )


def _token(here: Installation, request: SetupRequest) -> Check:
    """Without it nothing can be rehearsed, and a renewed certificate is not presented."""
    try:
        with closing(here.ports.relay(request)) as api:
            who = api.request("GET", "/v1/whoami").body
    except HybridError as error:
        return Check(name="token", passed=False, says=str(error))
    ends = who["expires_at"]
    if ends is None:
        return Check(name="token", passed=True, says=f"{request.token_file}, without an end")
    left = datetime.fromisoformat(ends) - here.ports.clock.now()
    renews = Scope.RENEW in who["scopes"] and not request.postfix
    do = "ask the relay's operator for a new one (gatepost token add --tenant T --out FILE), and replace the file"
    return Check(
        name="token",
        passed=True,
        says=f"{request.token_file}, until {ends[:10]}: {left.days} days left" + ("; renews itself" if renews else ""),
        do=do if left < _SOON and not renews else None,
    )


def _certificate(here: Installation, request: SetupRequest) -> Check:
    now = here.ports.clock.now()
    try:
        leaf = usable_credentials(here.ports.certificates, *request.files, now).leaf
    except UnusableFile as error:
        return Check(name="certificate", passed=False, says=str(error))
    says = f"{', '.join(leaf.names)} from {leaf.issuer}, until {leaf.not_after:%Y-%m-%d}"
    if leaf.not_after and leaf.not_after - now < _SOON:
        do = "rehearse its successor with: gatepost hybrid rehearse --certificate NEXT.pem --key NEXT.key"
        return Check(name="certificate", passed=True, says=f"{says}: {(leaf.not_after - now).days} days left", do=do)
    return Check(name="certificate", passed=True, says=says)


def _both_sides(here: Installation, request: SetupRequest) -> tuple[Check, ...]:
    try:
        plan = planned(here, request)
    except HybridError as error:
        return (Check(name="both-sides", passed=False, says=str(error)),)
    return (_as_applied(plan), *((_kept(plan),) if plan.kept else ()))


def _as_applied(plan: Plan) -> Check:
    if not plan.changes:
        return Check(name="both-sides", passed=True, says="relay and edge are as they were applied")
    objects = ", ".join(dict.fromkeys(f"{change.object} ({change.side})" for change in plan.changes))
    return Check(
        name="both-sides",
        passed=False,
        says=f"differs from the last apply: {objects}",
        do="see and repair it with: gatepost hybrid plan --out plan.json, then gatepost hybrid apply plan.json",
    )


def _kept(plan: Plan) -> Check:
    names = ", ".join(each.name for each in plan.kept)
    return Check(name="changed-by-hand", passed=True, says=f"changed manually since the last apply, and kept: {names}")


def _relayed(here: Installation, request: SetupRequest, kept_back: Check | None) -> Check:
    try:
        rehearsal = rehearse(here, request)
    except HybridError as error:
        return Check(name="relayed", passed=False, says=str(error))
    if why := why_refused(rehearsal):
        of_renewed = "of the renewed certificate: " if kept_back else ""
        return Check(name="relayed", passed=False, says=f"{of_renewed}{why}")
    if rehearsal.differences:
        return Check(name="relayed", passed=True, says="; ".join(rehearsal.differences))
    says = f"a session over {request.smart_host} was recognised; own, null and foreign senders would be relayed"
    return Check(name="relayed", passed=True, says=says)
