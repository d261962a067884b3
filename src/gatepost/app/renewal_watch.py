"""The renewal watch of a worker, connected: its rehearsals are processes of their own."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from gatepost.app.alarms import Alarm, Alarms
from gatepost.app.child import run_module
from gatepost.app.hybrid import installation
from gatepost.config import Config
from gatepost.hybrid.watch import RenewalAlarm, RenewalWatch
from gatepost.logs.event_log import EventLog

_LONGEST_S = 180.0


def renewal_watch(config: Config, events: EventLog, alarms: Alarms) -> RenewalWatch:
    here, look = installation(config), partial(look_in_child, config)
    return RenewalWatch(here, look, events, lambda found: alarms.raise_(_alarm(found)), follow=config.hybrid.follow)


async def look_in_child(config: Config) -> Mapping[str, Any]:
    """What `hybrid.renewal.look` says."""
    try:
        ended = await run_module("gatepost.app.renewal", config, _LONGEST_S)
        found: Mapping[str, Any] = json.loads(ended.output)
        return found
    except TimeoutError:
        why = f"no end within {_LONGEST_S:.0f} s"
    except ValueError:
        why = (ended.errors.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1]
    return {"outcome": "not-rehearsed", "problem": f"the rehearsal broke off: {why}"}


def _alarm(found: RenewalAlarm) -> Alarm:
    return Alarm(code=found.code, tenant=None, subject=found.sha256, title=found.title, says=found.says, do=found.do)
