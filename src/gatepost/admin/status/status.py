"""How the relay is now: what was found out becomes one document, with the problems that need a person.

Law: whatever is wrong has a code, a sentence and the next step; what cannot be found out is a problem too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gatepost.admin.forecast.forecast import ForecastItem
from gatepost.queue.message import RecipientState
from gatepost.queue.store import QueueCount
from gatepost.tenancy.fields import time_text

Record = dict[str, Any]

_SOON: Final = timedelta(days=14)
_OLD_MAIL_S: Final = 4 * 3600.0
"""As long as a sender waits before the delay is reported."""
_RECENT_S: Final = 3600.0
_HEARD_OF_S: Final = 10.0
_HOUR: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    code: str
    says: str
    do: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    what: str
    tenant: str | None
    names: Sequence[str]
    not_after: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    address: str
    tls: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was found out, at `now`."""

    now: float
    version: str
    running_since: float | None
    """None: the server does not run."""
    listeners: Sequence[Listener]
    places: int
    """How many workers there should be."""
    workers: Sequence[Mapping[str, Any]]
    """Snapshots of those that there are."""
    minutes: Mapping[str, Mapping[str, Any]]
    """What was counted in each minute since the epoch."""
    queue: Sequence[QueueCount]
    unreadable: Sequence[str]
    """Of parts of the queue, one line each."""
    free_disk: int
    disk: int
    least_free_disk: int
    certificates: Sequence[Certificate]
    ending: Sequence[ForecastItem]
    """What will stop working."""


def status(seen: Observed) -> Record:
    """Design §7."""
    problems = [*_of_processes(seen), *_of_queue(seen), *_of_disk(seen), *_of_errors(seen), *_of_ends(seen)]
    return {
        "ok": not problems,
        "version": seen.version,
        "at": _time(seen.now),
        "uptime_seconds": None if seen.running_since is None else round(seen.now - seen.running_since),
        "listeners": [
            {"address": each.address, "tls": each.tls, "serving": bool(_serving(seen))} for each in seen.listeners
        ],
        "workers": [_worker(each, seen.now) for each in seen.workers],
        "rates": {"last_minute": _rates(seen, 1), "last_hour": _rates(seen, _HOUR)},
        "queue": _queue(seen),
        "store": {"disk_free_bytes": seen.free_disk, "disk_bytes": seen.disk},
        "certificates": [
            {
                "what": each.what,
                "tenant": each.tenant,
                "names": list(each.names),
                "not_after": time_text(each.not_after),
            }
            for each in seen.certificates
        ],
        "problems": [{"code": each.code, "says": each.says, "do": each.do} for each in problems],
    }


# --- parts ------------------------------------------------------------------------------------------------------------


def _worker(snapshot: Mapping[str, Any], now: float) -> Record:
    is_heard_of = abs(now - snapshot["at"]) < _HEARD_OF_S
    return {
        "number": snapshot["number"],
        "pid": snapshot["pid"],
        "started_at": _time(snapshot["started_at"]),
        "state": ("full" if snapshot["why_not"] else "serving") if is_heard_of else "silent",
    }


def _rates(seen: Observed, minutes: int) -> Record:
    """Of whole minutes that are over."""
    this = int(seen.now // 60)
    counted = [each for minute, each in seen.minutes.items() if this - minutes <= int(minute) < this]
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
    return None if oldest is None else _time(oldest)


# --- problems ---------------------------------------------------------------------------------------------------------


def _serving(seen: Observed) -> list[Mapping[str, Any]]:
    if seen.running_since is None:
        return []
    return [each for each in seen.workers if abs(seen.now - each["at"]) < _HEARD_OF_S]


def _of_processes(seen: Observed) -> list[Problem]:
    if seen.running_since is None:
        return [Problem(code="not-running", says="gatepost serve is not running.", do="systemctl start gatepost")]
    missing = seen.places - len(_serving(seen))
    if missing <= 0 or seen.now - seen.running_since < _HEARD_OF_S:
        return []
    return [
        Problem(
            code="worker-not-serving",
            says=f"{missing} of {seen.places} workers do not serve.",
            do="read why in the log: journalctl -u gatepost",
        )
    ]


def _of_queue(seen: Observed) -> list[Problem]:
    found = [
        Problem(code="queue-unreadable", says=line, do="see docs/howto/backup-and-restore.md")
        for line in seen.unreadable
    ]
    if any(each["why_not"] for each in _serving(seen)):
        found.append(
            Problem(
                code="queue-full",
                says="New mail is refused with 452, because the queue is full.",
                do="free disk space, or find out what is queued: gatepost queue list",
            )
        )
    old = [
        each for each in seen.queue if each.state.value != "held" and seen.now - each.oldest_received_at > _OLD_MAIL_S
    ]
    if old:
        oldest = min(old, key=lambda each: each.oldest_received_at)
        hours = (seen.now - oldest.oldest_received_at) / 3600
        found.append(
            Problem(
                code="queue-old",
                says=f"{sum(each.recipients for each in old)} recipients are in queues whose oldest message has waited "
                f"for {hours:.0f} h, to {oldest.domain}.",
                do=f"see why: gatepost queue list --domain {oldest.domain}",
            )
        )
    return found


def _of_disk(seen: Observed) -> list[Problem]:
    if seen.free_disk >= 2 * seen.least_free_disk:
        return []
    says = f"The disk of the queue has {seen.free_disk // 2**20} MiB left; below {seen.least_free_disk // 2**20} MiB"
    return [Problem(code="disk-low", says=f"{says}, mail is refused with 452.", do="free disk space")]


def _of_errors(seen: Observed) -> list[Problem]:
    """The last of each kind within the hour."""
    last: dict[str, Mapping[str, Any]] = {}
    for worker in seen.workers:
        for error in worker["errors"]:
            if seen.now - error["at"] < _RECENT_S and error["at"] > last.get(error["event"], {"at": 0.0})["at"]:
                last[error["event"]] = error
    return [
        Problem(
            code=event,
            says=f"{error['problem']} (at {_time(error['at'])})",
            do="see docs/reference/events.md, and the log: journalctl -u gatepost",
        )
        for event, error in sorted(last.items())
        if event != "queue-full"
    ]


def _of_ends(seen: Observed) -> list[Problem]:
    at = datetime.fromtimestamp(seen.now, UTC)
    return [
        Problem(code=each.code.value, says=each.says, do=each.do)
        for each in seen.ending
        if each.due_at is not None and each.due_at - at <= _SOON
    ]


def _time(at: float) -> str | None:
    return time_text(datetime.fromtimestamp(round(at), UTC))
