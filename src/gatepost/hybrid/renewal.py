"""One look at a renewed certificate and at the token, in a process of its own (`python -m gatepost.app.renewal`).

What flows through: the files of the last apply; a rehearsal with the relay; then either the copy that workers present
is replaced, or the outcome says why not. If the edge follows, the relay's connector learns the new name first.
"""

from contextlib import closing
from typing import Any

from gatepost.hybrid import setup
from gatepost.hybrid.desire import RELAY
from gatepost.hybrid.errors import HybridError, UnusableFile
from gatepost.hybrid.installation import Installation
from gatepost.hybrid.ports import Credentials
from gatepost.hybrid.rehearsal import rehearse, why_refused
from gatepost.hybrid.relay_token import noted_token, renewed_token
from gatepost.hybrid.request import SetupRequest
from gatepost.hybrid.usable import usable_credentials

_FIX = "gatepost hybrid plan --out plan.json, then gatepost hybrid apply plan.json"


def look(here: Installation, *, follow: bool) -> dict[str, Any]:
    """What came of it: `outcome` and what an operator wants to know; of the token, if it was time to renew it."""
    request = here.last_request()
    return {**_token(here, request), **_certificate(here, request, follow=follow)}


def _token(here: Installation, request: SetupRequest) -> dict[str, Any]:
    """First of all: without it nothing can be rehearsed."""
    noted = noted_token(here.folder)
    if noted is None or not noted.is_due(here.ports.clock.now()):
        return {}
    try:
        with closing(here.ports.relay(request)) as api:
            renewed = renewed_token(here.folder, api)
    except HybridError as error:
        return {"token_problem": str(error)}
    return {"token_renewed": f"{renewed.expires_at:%Y-%m-%d %H:%M}Z"}


def _certificate(here: Installation, request: SetupRequest, *, follow: bool) -> dict[str, Any]:
    presented = here.presented.of(*request.pair)
    try:
        renewed = usable_credentials(here.ports.certificates, *request.files, here.ports.clock.now())
    except UnusableFile as error:
        return {"outcome": "unusable", "problem": f"{error}; {_until(presented)}"}
    if presented is not None and presented.leaf.sha256 == renewed.leaf.sha256:
        return {"outcome": "unchanged", **(_follow(here, request) if follow else {})}
    facts = {"names": ", ".join(renewed.leaf.names), "sha256": renewed.leaf.sha256}
    try:
        followed = _follow(here, request) if follow else {}
        outcome = rehearse(here, request)
    except HybridError as error:
        return _kept(here, request, presented, {"outcome": "not-rehearsed", "problem": str(error), **facts})
    if outcome.accepted:
        here.presented.keep(*request.pair)
        return {"outcome": "presented", **facts, **followed}
    refused = {"outcome": "refused", "problem": why_refused(outcome), "do": _FIX, **facts}
    return _kept(here, request, presented, refused)


def _follow(here: Installation, request: SetupRequest) -> dict[str, Any]:
    """The relay's connector as it should be for this certificate; the edge is not touched."""
    plan = setup.plan(here, request)
    if not plan.changes or any(change.side != RELAY for change in plan.changes):
        return {}
    setup.apply_at_relay(here, plan)
    return {"changed": ", ".join(change.object for change in plan.changes)}


def _kept(
    here: Installation, request: SetupRequest, presented: Credentials | None, outcome: dict[str, Any]
) -> dict[str, Any]:
    """The old certificate stays while it is valid; an expired one is worse than one nobody has tried."""
    not_after = presented.leaf.not_after if presented else None
    if not_after is None or not_after <= here.ports.clock.now():
        here.presented.keep(*request.pair)
        return {**outcome, "outcome": "presented-unproven"}
    return {**outcome, "problem": f"{outcome['problem']}; {_until(presented)}"}


def _until(presented: Credentials | None) -> str:
    if presented is None or presented.leaf.not_after is None:
        return "no earlier certificate is at hand"
    return f"the certificate before it stays in use, which ends {presented.leaf.not_after:%Y-%m-%d %H:%M}Z"
