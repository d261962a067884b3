"""Which alarms are raised, repeated and cleared: problems of the status in, alarms and what is to be told out.

Laws: an alarm is about one problem, and is raised once; it is repeated once a day while the problem lasts, and cleared
when the problem has stayed away for a while, so that what comes and goes is one alarm; however many objects have the
same kind of problem, few alarms are raised for it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

_AGAIN_S: Final = 86400.0
_CLEARED_AFTER_S: Final = 300.0
_LISTED_FOR_S: Final = 7 * 86400.0
_MOST_OF_A_CODE: Final = 10
_MOST_OF_A_TENANT: Final = 3
"""Of these: what one has wrong hides nothing of another."""
_LONGEST: Final = 1000

OTHERS: Final = "others"
"""What an alarm is about that stands for all beyond `_MOST_OF_A_CODE`."""

Key = tuple[str, str]
"""Code and what it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong and needs a person, as a status shows it."""

    code: str
    says: str
    do: str
    about: str = ""
    """What it is about, where several of one code can stand beside one another."""


class AlarmState(StrEnum):
    SEEN = "seen"
    """By one look; it is raised if the next finds it too."""
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    code: str
    about: str
    state: AlarmState
    since: float
    """Seconds since the epoch, as all times here."""
    seen_at: float
    """When the problem was found last."""
    told_at: float
    """When its state was told last."""
    says: str
    do: str

    @property
    def key(self) -> Key:
        return self.code, self.about


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One thing to be told."""

    alarm: Alarm
    at: float
    is_reminder: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    alarms: Sequence[Alarm]
    """All that are known from now on."""
    notifications: Sequence[Notification]


def look(known: Sequence[Alarm], problems: Sequence[Problem], now: float) -> Looked:
    """What one look at the relay changes."""
    before = {alarm.key: alarm for alarm in known}
    found = {(each.code, each.about): each for each in _few(problems, before)}
    alarms: list[Alarm] = []
    notifications: list[Notification] = []
    for key, problem in found.items():
        alarm = _found(before.get(key), problem, now)
        if alarm.state is AlarmState.FIRING and alarm.told_at == now:
            was_firing = key in before and before[key].state is AlarmState.FIRING
            notifications.append(Notification(alarm=alarm, at=now, is_reminder=was_firing))
        alarms.append(alarm)
    for key, alarm in before.items():
        if key not in found and (left := _not_found(alarm, now)) is not None:
            if left.state is not alarm.state:
                notifications.append(Notification(alarm=left, at=now))
            alarms.append(left)
    return Looked(alarms=alarms, notifications=notifications)


def _found(alarm: Alarm | None, problem: Problem, now: float) -> Alarm:
    says, do = problem.says[:_LONGEST], problem.do[:_LONGEST]
    if alarm is None or alarm.state is AlarmState.RESOLVED:
        return Alarm(
            code=problem.code,
            about=problem.about,
            state=AlarmState.SEEN,
            since=now,
            seen_at=now,
            told_at=0.0,
            says=says,
            do=do,
        )
    is_due = alarm.state is AlarmState.SEEN or not alarm.told_at <= now < alarm.told_at + _AGAIN_S
    return replace(
        alarm,
        state=AlarmState.FIRING,
        seen_at=now,
        told_at=now if is_due else alarm.told_at,
        says=says,
        do=do,
    )


def _not_found(alarm: Alarm, now: float) -> Alarm | None:
    """None: it is of no interest any more."""
    match alarm.state:
        case AlarmState.SEEN:
            return None
        case AlarmState.RESOLVED:
            return alarm if alarm.told_at <= now < alarm.told_at + _LISTED_FOR_S else None
    # A clock that went back clears nothing.
    if now < alarm.seen_at + _CLEARED_AFTER_S:
        return alarm
    return replace(alarm, state=AlarmState.RESOLVED, told_at=now)


def _few(problems: Sequence[Problem], before: Mapping[Key, Alarm]) -> Iterator[Problem]:
    """At most `_MOST_OF_A_CODE` of one code, and one for the others."""
    of_code: dict[str, list[Problem]] = {}
    for each in problems:
        of_code.setdefault(each.code, []).append(each)
    for code, found in of_code.items():
        named = _named(found, before)
        yield from named
        if others := [each for each in found if each not in named]:
            yield Problem(
                code=code,
                about=OTHERS,
                says=f"There are {len(others)} more of the same kind; the first: {others[0].says}",
                do="see all: gatepost status",
            )


def _named(found: Sequence[Problem], before: Mapping[Key, Alarm]) -> list[Problem]:
    """Those that are known stay; of each tenant a few."""
    named: list[Problem] = []
    of_tenant: Counter[str] = Counter()
    for each in sorted(found, key=lambda each: (each.code, each.about) not in before):
        tenant, separator, _ = each.about.partition("/")
        if separator:
            of_tenant[tenant] += 1
        if of_tenant[tenant] <= _MOST_OF_A_TENANT:
            named.append(each)
    return named[:_MOST_OF_A_CODE]
