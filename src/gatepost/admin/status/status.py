"""How the relay is now: what was found out becomes one document, with the problems that need a person.

Law: whatever is wrong has a code, a sentence and the next step; what cannot be found out is a problem too.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gatepost.admin.status.observed import HEARD_OF_S, Observed
from gatepost.admin.status.problems import last_minutes, problems_of, time_of
from gatepost.queue.message import RecipientState
from gatepost.queue.store import QueueCount
from gatepost.tenancy.fields import time_text

Record = dict[str, Any]

_HOUR: Final = 60


def status(seen: Observed) -> Record:
    """Design §7."""
    problems = problems_of(seen)
    return {
        "ok": not problems,
        "version": seen.version,
        "python": {"version": seen.interpreter.version, "optimized": seen.interpreter.optimized},
        "at": time_of(seen.now),
        "uptime_seconds": None if seen.running_since is None else round(seen.now - seen.running_since),
        "listeners": [
            {"address": each.address, "tls": each.tls, "serving": bool(seen.serving)} for each in seen.listeners
        ],
        "workers": [_worker(each, seen.now) for each in seen.workers],
        "processes": [
            {"name": each.name, "address": each.address, "pid": each.pid, "serving": each.pid is not None}
            for each in seen.faces
        ],
        "rates": {"last_minute": _rates(seen, 1), "last_hour": _rates(seen, _HOUR)},
        "queue": _queue(seen),
        "store": {"disk_free_bytes": seen.free_disk, "disk_bytes": seen.disk},
        "dns": [
            {
                "server": each.address,
                "answers": each.took_s is not None,
                "milliseconds": None if each.took_s is None else round(each.took_s * 1000, 1),
                "problem": each.problem or None,
            }
            for each in seen.name_servers
        ],
        "certificates": [
            {
                "what": each.what,
                "tenant": each.tenant or None,
                "names": list(each.names),
                "not_after": time_text(each.not_after),
            }
            for each in seen.certificates
        ],
        "ends": [
            {
                "code": each.code.value,
                "tenant": each.tenant or None,
                "about": each.about,
                "due_at": time_text(each.due_at),
                "says": each.says,
            }
            for each in seen.ending
            if each.due_at is not None
        ],
        "problems": [{"code": each.code, "about": each.about, "says": each.says, "do": each.do} for each in problems],
    }


def _worker(snapshot: Mapping[str, Any], now: float) -> Record:
    is_heard_of = abs(now - snapshot["at"]) < HEARD_OF_S
    return {
        "number": snapshot["number"],
        "pid": snapshot["pid"],
        "started_at": time_of(snapshot["started_at"]),
        "state": ("full" if snapshot["why_not"] else "serving") if is_heard_of else "silent",
    }


def _rates(seen: Observed, minutes: int) -> Record:
    counted = last_minutes(seen, minutes)
    refused: dict[str, int] = {}
    for each in counted:
        for reason, count in each["refused"].items():
            refused[reason] = refused.get(reason, 0) + count
    return {
        "accepted": sum(each["accepted"] for each in counted),
        "refused": dict(sorted(refused.items(), key=lambda each: -each[1])),
        "delivered": sum(each["delivered"] for each in counted),
        "deferred": sum(each["deferred"] for each in counted),
        "failed": sum(each["failed"] for each in counted),
    }


def _queue(seen: Observed) -> Record:
    by_tenant: dict[str | None, list[QueueCount]] = {}
    for count in seen.queue:
        by_tenant.setdefault(count.tenant, []).append(count)
    by_state: dict[str, int] = dict.fromkeys((state.value for state in RecipientState), 0)
    for count in seen.queue:
        by_state[count.state.value] += count.recipients
    return {
        "recipients": sum(count.recipients for count in seen.queue),
        "oldest_at": _oldest(seen.queue),
        "states": by_state,
        "tenants": [
            {"tenant": tenant, "recipients": sum(each.recipients for each in counts), "oldest_at": _oldest(counts)}
            for tenant, counts in sorted(by_tenant.items(), key=lambda each: each[0] or "")
        ],
    }


def _oldest(counts: Sequence[QueueCount]) -> str | None:
    oldest = min((each.oldest_received_at for each in counts), default=None)
    return None if oldest is None else time_of(oldest)
