"""One look at a renewed certificate: `python -m gatepost.app.renewal gatepost.toml`, started by the renewal watch.

What flows through: the files of the last apply; a rehearsal with the relay; then either the copy that workers present
is replaced, or one JSON object says why not. With `[hybrid] follow = true` the relay's connector learns the new name
first.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gatepost.app import hybrid
from gatepost.app.in_use import keep_in_use, presented_now
from gatepost.app.relay_api import UnusableFile
from gatepost.config import Config, read
from gatepost.hybrid.apply import Trouble, WorldMoved
from gatepost.hybrid.desire import RELAY, NotPossible
from gatepost.hybrid.journal import Busy
from gatepost.hybrid.rehearsal import why_refused
from gatepost.net.credentials import Credentials

_FIX = "gatepost hybrid plan --out plan.json, then gatepost hybrid apply plan.json"
_NOT_NOW = (Trouble, WorldMoved, Busy, NotPossible, UnusableFile)


def look(config: Config) -> dict[str, Any]:
    """What came of it: `outcome` and what an operator wants to know."""
    ask = hybrid.last_ask(config)
    pair = ask.pair
    shown = presented_now(config, *pair)
    try:
        following = hybrid.usable_credentials(*ask.files, datetime.now(UTC))
    except UnusableFile as error:
        return {"outcome": "unusable", "problem": f"{error}; {_until(shown)}"}
    if shown is not None and shown.leaf.sha256 == following.leaf.sha256:
        return {"outcome": "unchanged", **(_follow(config, ask) if config.hybrid.follow else {})}
    told = {"names": ", ".join(following.leaf.names), "sha256": following.leaf.sha256}
    try:
        followed = _follow(config, ask) if config.hybrid.follow else {}
        outcome = hybrid.rehearse(config, ask)
    except _NOT_NOW as error:
        return _kept(config, pair, shown, {"outcome": "not-rehearsed", "problem": str(error), **told})
    if outcome.accepted:
        keep_in_use(config, *pair)
        return {"outcome": "presented", **told, **followed}
    refused = {"outcome": "refused", "problem": why_refused(outcome), "do": _FIX, **told}
    return _kept(config, pair, shown, refused)


def _follow(config: Config, ask: hybrid.Ask) -> dict[str, Any]:
    """The relay's connector as it should be for this certificate; the edge is not touched."""
    plan = hybrid.plan(config, ask)
    if not plan.changes or any(change.side != RELAY for change in plan.changes):
        return {}
    hybrid.apply_at_relay(config, plan)
    return {"changed": ", ".join(change.object for change in plan.changes)}


def _kept(config: Config, pair: tuple[str, str], shown: Credentials | None, told: dict[str, Any]) -> dict[str, Any]:
    """The old certificate stays while it is valid; an expired one is worse than one nobody has tried."""
    not_after = shown.leaf.not_after if shown else None
    if not_after is None or not_after <= datetime.now(UTC):
        keep_in_use(config, *pair)
        return {**told, "outcome": "presented-unproven"}
    return {**told, "problem": f"{told['problem']}; {_until(shown)}"}


def _until(shown: Credentials | None) -> str:
    if shown is None or shown.leaf.not_after is None:
        return "no earlier certificate is at hand"
    return f"the certificate before it stays in use, which ends {shown.leaf.not_after:%Y-%m-%d %H:%M}Z"


if __name__ == "__main__":
    print(json.dumps(look(read(Path(sys.argv[1])))))  # noqa: T201 - read by the watch
