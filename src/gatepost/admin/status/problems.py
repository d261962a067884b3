"""What is wrong with the relay now and needs a person.

The one place that decides it: `gatepost status` shows these problems, and the alarms are raised and cleared by them.
Law: each has a code, what it is about, a sentence and the next step; the first two are the same at each look for as
long as it is the same problem.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from shlex import quote
from typing import Any, Final

from gatepost.admin.forecast.forecast import ForecastCode, ForecastItem
from gatepost.admin.status.observed import HEARD_OF_S, Observed
from gatepost.alarm.alarms import Problem
from gatepost.queue.message import RecipientState
from gatepost.queue.store import QueueCount
from gatepost.tenancy.fields import time_text

_SOON: Final = timedelta(days=14)
_OLD_MAIL_S: Final = 4 * 3600.0
"""As long as a sender waits before the delay is reported."""
_RECENT_S: Final = 3600.0
_MOST_NAMED: Final = 3
_MOST_ENDS: Final = 3
"""Of one process within `_RECENT_S`: a fourth is no accident."""
_IDLE_MINUTES: Final = 10
_FEWEST_WAITING: Final = 3
"""Domains: mail that waits for fewer says something about them, and not about this relay."""
_DOWN_S: Final = 600.0
_SPIKE_MINUTES: Final = 10
_FEWEST_REFUSED: Final = 100
_SPIKE: Final = 10


def problems_of(seen: Observed) -> list[Problem]:
    """The gravest first."""
    return [
        *_of_processes(seen),
        *_of_stores(seen),
        *_of_queue(seen),
        *_of_delivery(seen),
        *_of_refusals(seen),
        *_of_disk(seen),
        *_of_dns(seen),
        *_of_signing_keys(seen),
        *_of_alarms(seen),
        *_of_errors(seen),
        *_of_ends(seen),
    ]


def _of_processes(seen: Observed) -> Iterator[Problem]:
    if seen.running_since is None:
        yield Problem(code="not-running", says="gatepost serve is not running.", do="systemctl start gatepost")
        return
    read_why = "read why in the log: journalctl -u gatepost"
    missing = seen.places - len(seen.serving)
    is_starting = seen.now - seen.running_since < HEARD_OF_S
    if missing > 0 and not is_starting:
        yield Problem(code="worker-not-serving", says=f"{missing} of {seen.places} workers do not serve.", do=read_why)
    ends = Counter(each["name"] for each in seen.ended if seen.now - each["at"] < _RECENT_S)
    for name, count in sorted(ends.items()):
        if count > _MOST_ENDS:
            says = f"The process of {name} ended {count} times within the last hour."
            yield Problem(code="process-keeps-ending", about=name, says=says, do=read_why)
    for face in seen.faces:
        if face.pid is None and not is_starting:
            at = f" at {face.address}" if face.address else ""
            says = f"The process of {face.name}{at} does not run."
            yield Problem(code="process-not-serving", about=face.name, says=says, do=read_why)


def _of_alarms(seen: Observed) -> Iterator[Problem]:
    if seen.alarms_not_told:
        yield Problem(
            code="alarm-not-sent",
            says=f"Alarms cannot be posted: {seen.alarms_not_told}.",
            do="repair the receiver or [alarm] in gatepost.toml, then: gatepost alarm test",
        )


def _of_stores(seen: Observed) -> Iterator[Problem]:
    for line in seen.not_found_out:
        yield Problem(
            code="store-unavailable",
            about=line.partition(":")[0],
            says=line,
            do="check the disk and the permissions of the data folder",
        )
    for line in seen.unreadable:
        yield Problem(
            code="queue-unreadable", about=line.partition(" ")[0], says=line, do="see docs/howto/backup-and-restore.md"
        )
    for line in seen.damaged_trace:
        yield Problem(
            code="trace-damaged",
            about=line.partition(" ")[0],
            says=line,
            do="check the disk; then move the file away: what it held is not found by gatepost trace",
        )


def _of_queue(seen: Observed) -> Iterator[Problem]:
    if any(each["why_not"] for each in seen.serving):
        yield Problem(
            code="queue-full",
            says="New mail is refused with 452, because the queue is full.",
            do="free disk space, or find out what is queued: gatepost queue list",
        )
    old = [each for each in _waiting(seen) if seen.now - each.oldest_received_at > _OLD_MAIL_S]
    if old:
        oldest = min(old, key=lambda each: each.oldest_received_at)
        hours = (seen.now - oldest.oldest_received_at) / 3600
        yield Problem(
            code="queue-old",
            says=f"{sum(each.recipients for each in old)} recipients are in queues whose oldest message has waited "
            f"for {hours:.0f} h, to {oldest.domain}.",
            do=f"see why: gatepost queue list --domain {oldest.domain}",
        )


def _waiting(seen: Observed) -> list[QueueCount]:
    return [each for each in seen.queue if each.state is not RecipientState.HELD]


def _of_delivery(seen: Observed) -> Iterator[Problem]:
    yield from _of_no_delivery(seen)
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for worker in seen.serving:
        for fault in worker.get("next_hops", ()):
            key = (fault["code"], fault["about"])
            if key not in found or fault["since"] < found[key]["since"]:
                found[key] = fault
    for (code, about), fault in sorted(found.items()):
        if code != "next-hop-down" or seen.now - fault["since"] >= _DOWN_S:
            says = f"{fault['says']} (since {time_of(fault['since'])})"
            yield Problem(code=code, about=about, says=says, do=fault["do"])


def _of_no_delivery(seen: Observed) -> Iterator[Problem]:
    idle_s = _IDLE_MINUTES * 60
    if seen.running_since is None or seen.now - seen.running_since < idle_s:
        return
    waiting = [each for each in _waiting(seen) if seen.now - each.oldest_received_at >= idle_s]
    if len({each.domain for each in waiting}) < _FEWEST_WAITING:
        return
    if not any(each["delivered"] for each in last_minutes(seen, _IDLE_MINUTES)):
        yield Problem(
            code="nothing-delivered",
            says=f"Nothing was delivered for {_IDLE_MINUTES} minutes, and mail to "
            f"{len({each.domain for each in waiting})} domains waits.",
            do="see the last replies: gatepost queue list",
        )


def _of_refusals(seen: Observed) -> Iterator[Problem]:
    """Of one reason, so many more than in the time before that something has changed."""
    if seen.running_since is None or seen.now - seen.running_since < _RECENT_S:
        return
    now = _refused(last_minutes(seen, _SPIKE_MINUTES))
    hour = _refused(last_minutes(seen, 60))
    for reason, count in sorted(now.items()):
        before = (hour[reason] - count) / (60 - _SPIKE_MINUTES) * _SPIKE_MINUTES
        if reason != "other" and count >= _FEWEST_REFUSED and count > _SPIKE * before:
            yield Problem(
                code="many-refusals",
                about=reason,
                says=f"{count} recipients were refused in {_SPIKE_MINUTES} minutes for {reason}, more than "
                f"{_SPIKE} times as many as before.",
                do=f"list it: gatepost trace --outcome refused --reason {reason}",
            )


def _refused(minutes: Sequence[Mapping[str, Any]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for each in minutes:
        found.update(each["refused"])
    return found


def _of_disk(seen: Observed) -> Iterator[Problem]:
    if seen.free_disk < 2 * seen.least_free_disk:
        says = (
            f"The disk of the queue has {seen.free_disk // 2**20} MiB left; below {seen.least_free_disk // 2**20} MiB"
        )
        yield Problem(code="disk-low", says=f"{says}, mail is refused with 452.", do="free disk space")


def _of_dns(seen: Observed) -> Iterator[Problem]:
    silent = [each for each in seen.name_servers if each.took_s is None]
    if seen.needs_dns and silent and len(silent) == len(seen.name_servers):
        yield Problem(
            code="dns-does-not-answer",
            says="No name server answers: " + "; ".join(f"{each.address}: {each.problem}" for each in silent) + ".",
            do="check them, and nameservers in [dns] of gatepost.toml",
        )
    if seen.without_dane:
        more = len(seen.without_dane) - _MOST_NAMED
        names = ", ".join(seen.without_dane[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        yield Problem(
            code="dane-disabled",
            says=f"Mail with TLS level dane is not sent ({names}): {seen.why_no_dane}.",
            do="install a validating resolver on this machine, and set nameservers in [dns] of gatepost.toml",
        )


def _of_signing_keys(seen: Observed) -> Iterator[Problem]:
    for key in seen.lost_keys:
        since = f" (since {time_text(key.missing_since)})" if key.missing_since else ""
        yield Problem(
            code="signing-key-missing",
            about=key.label,
            says=f"DNS does not show {key.record_name}, and receivers cannot verify mail from {key.domain}{since}.",
            do=f"publish the record: gatepost dkim show {quote(key.tenant or '-')} {key.domain} "
            f"--selector {key.selector}",
        )


def _of_errors(seen: Observed) -> Iterator[Problem]:
    """The last of each kind within the hour."""
    last: dict[str, Mapping[str, Any]] = {}
    for worker in seen.workers:
        for error in worker["errors"]:
            if seen.now - error["at"] < _RECENT_S and error["at"] > last.get(error["event"], {"at": 0.0})["at"]:
                last[error["event"]] = error
    for event, error in sorted(last.items()):
        if event != "queue-full":
            yield Problem(
                code=event,
                says=f"{error['problem']} (at {time_of(error['at'])})",
                do=error.get("do") or "see docs/reference/events.md, and the log: journalctl -u gatepost",
            )


def _of_ends(seen: Observed) -> Iterator[Problem]:
    at = datetime.fromtimestamp(seen.now, UTC)
    for each in seen.ending:
        if _needs_a_person(each, at):
            about = "/".join(filter(None, (each.tenant, each.connector, each.subject)))
            yield Problem(code=each.code.value, about=about, says=each.says, do=each.do)


def _needs_a_person(ends: ForecastItem, at: datetime) -> bool:
    if ends.code is ForecastCode.RENEWAL_STUCK:
        return True
    if ends.due_at is None:
        # A certificate file that cannot be read.
        return ends.code is ForecastCode.OWN_CERTIFICATE_EXPIRES
    return ends.due_at - at <= _SOON


def last_minutes(seen: Observed, minutes: int) -> list[Mapping[str, Any]]:
    """What was counted in whole minutes that are over."""
    this = int(seen.now // 60)
    return [each for minute, each in seen.minutes.items() if this - minutes <= int(minute) < this]


def time_of(at: float) -> str | None:
    return time_text(datetime.fromtimestamp(round(at), UTC))
