"""Whether the relay lives, and whether it takes mail now."""

import time
from typing import Final, NamedTuple

from gatepost.app.figures import snapshots
from gatepost.config import Config

_SILENT_S: Final = 30.0
"""A worker that was silent for so long does not live."""


class Health(NamedTuple):
    is_good: bool
    says: str


def is_live(config: Config) -> Health:
    """Else whoever started it should start it again."""
    found, now = snapshots.read(config.status_folder), time.time()
    if not found.is_running or found.serve is None:
        return Health(False, "gatepost serve is not running")
    heard = max((each["at"] for each in found.workers), default=found.serve["started_at"])
    if now - heard > _SILENT_S:
        return Health(False, f"no worker was heard of for {now - heard:.0f} s")
    return Health(True, "live")


def is_ready(config: Config) -> Health:
    """Whether mail that comes now is taken."""
    found = snapshots.read(config.status_folder)
    if not found.is_running:
        return Health(False, "gatepost serve is not running")
    workers = found.fresh(time.time())
    if not workers:
        return Health(False, "no worker serves")
    reasons = [each["why_not"] for each in workers if each["why_not"]]
    if len(reasons) == len(workers):
        return Health(False, reasons[0])
    return Health(True, f"ready: {len(workers)} of {config.workers} workers")
