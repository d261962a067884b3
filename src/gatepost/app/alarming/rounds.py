"""What the process of the alarms does: look at the relay, raise and clear alarms, post them.

Laws: looking takes a small share of the time, however large the queue is; one thing is posted at a time, and after a
failure nothing before its pause is over; a disk that is full or away keeps no alarm from being posted; what cannot be
kept or told is one line of the log, not one at each try.
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from typing import Final
from uuid import uuid4

from gatepost import __version__
from gatepost.admin.status.problems import problems_of
from gatepost.alarm import alarms as alarm_rules
from gatepost.alarm.alarms import Alarm, AlarmState, Key, Problem
from gatepost.alarm.told import SIGNATURE_HEADER, Told, body, signature, told_of
from gatepost.app.alarming.secret import read_secret
from gatepost.app.own_credentials import RememberedForecast
from gatepost.app.status import observed
from gatepost.config import AlarmConfig, Config
from gatepost.errors import GatepostError
from gatepost.logs.event_log import EventLog
from gatepost.net.webhook import WebhookFailed, post
from gatepost.queue.store import StoreError
from gatepost.store.alarm.sqlite_alarms import Channel, SqliteAlarms

_LOOK_EVERY_S: Final = 5.0
_LOOK_SHARE: Final = 20
"""Looking takes a twentieth of the time at most."""
_TELL_EVERY_S: Final = 1.0
_KEEP_EVERY_S: Final = 60.0
_MEMORY_PAUSE_S: Final = 300.0
"""After a failure, while the store that counts failures is away."""


class AlarmRounds:
    def __init__(
        self,
        config: Config,
        alarm: AlarmConfig,
        events: EventLog,
        clock: Callable[[], float] = time.time,
        find_problems: Callable[[], list[Problem]] | None = None,
    ) -> None:
        self._config = config
        self._alarm = alarm
        self._events = events
        self._clock = clock
        self._find_problems = find_problems or self._problems
        self._forecast = RememberedForecast()
        self._stored = SqliteAlarms(config.alarms_file)
        self._channels = channels_of(alarm)
        self._known: Sequence[Alarm] | None = None
        """As the last look left them; None: there was none, and the file says."""
        self._kept_at = -math.inf
        self._cannot_be_kept = ""
        self._unkept: dict[Key, Told] = {}
        """What is to be told and could not be written down; of each alarm the newest."""
        self._posted: set[str] = set()
        """Ids of those that were posted, until it is sure that the file has them no more."""
        self._memory_again_at = 0.0
        """0: the file counts failures."""

    async def run(self) -> None:
        await asyncio.gather(self._keep_looking(), self._keep_telling())

    async def _keep_looking(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.to_thread(self.look)
            await asyncio.sleep(max(_LOOK_EVERY_S, _LOOK_SHARE * (time.monotonic() - began)))

    async def _keep_telling(self) -> None:
        while True:
            await self.tell()
            await asyncio.sleep(_TELL_EVERY_S)

    def look(self) -> None:
        now = self._clock()
        try:
            known = self._stored.alarms() if self._known is None else self._known
        except StoreError as error:
            self._say_once(error)
            known = ()
        looked = alarm_rules.look(known, self._find_problems(), now)
        told = [told_of(each, str(uuid4())) for each in looked.notifications]
        if told or self._unkept or self._is_due(known, looked.alarms, now):
            self._keep(looked.alarms, told, now)
        self._known = looked.alarms
        for each in looked.notifications:
            self._log(each.alarm)

    def _is_due(self, known: Sequence[Alarm], alarms: Sequence[Alarm], now: float) -> bool:
        """When an alarm was seen last changes at each look, and is written down now and then."""
        is_same = {(each.key, each.state) for each in known} == {(each.key, each.state) for each in alarms}
        return not is_same or not self._kept_at <= now < self._kept_at + _KEEP_EVERY_S

    def _keep(self, alarms: Sequence[Alarm], told: Sequence[Told], now: float) -> None:
        """Where the disk does not take it, what is to be told stays in memory until it does."""
        unkept = {**self._unkept, **_by_key(told)}
        posted = set(self._posted)
        try:
            self._stored.keep(alarms, list(unkept.values()), self._channels)
            self._stored.remove("webhook", posted)
        except StoreError as error:
            self._unkept = unkept
            self._say_once(error)
            return
        self._unkept, self._kept_at, self._cannot_be_kept = {}, now, ""
        self._posted.difference_update(posted)

    def _say_once(self, error: StoreError) -> None:
        if self._cannot_be_kept != str(error):
            self._cannot_be_kept = str(error)
            self._events.emit("store-unavailable", problem=str(error))

    def _log(self, alarm: Alarm) -> None:
        about, subject = alarm.code, alarm.about or None
        if alarm.state is AlarmState.RESOLVED:
            self._events.emit("alarm-cleared", about=about, subject=subject)
        else:
            self._events.emit("alarm-raised", about=about, subject=subject, problem=alarm.says, do=alarm.do)

    def _problems(self) -> list[Problem]:
        return problems_of(observed(self._config, self._forecast.all))

    async def tell(self) -> None:
        """The oldest of what waits for the webhook, if it is time."""
        if self._alarm.webhook is None or self._clock() < self._memory_again_at:
            return
        if (waiting := await asyncio.to_thread(self._due)) is not None:
            await self._post(waiting)

    def _due(self) -> Told | None:
        """Of the file and, while it takes nothing more, of memory: then an alarm is needed most."""
        stored: Sequence[Told] = ()
        try:
            if self._stored.channel("webhook").next_at > self._clock():
                return None
            stored = self._stored.waiting("webhook")
        except StoreError as error:
            self._say_once(error)
        newest = {**_by_key(stored), **self._unkept}
        return next((each for each in newest.values() if each.id not in self._posted), None)

    async def _post(self, told: Told) -> None:
        try:
            await post_alarm(self._config, self._alarm, told, self._clock())
        except GatepostError as error:
            await asyncio.to_thread(self._was_not_told, str(error))
            return
        self._posted.add(told.id)
        self._memory_again_at = 0.0
        try:
            await asyncio.to_thread(self._stored.was_told, "webhook", [told])
        except StoreError as error:
            self._say_once(error)

    def _was_not_told(self, problem: str) -> None:
        try:
            is_first = self._stored.was_not_told("webhook", problem, self._clock()).failures == 1
        except StoreError as error:
            self._say_once(error)
            is_first = self._memory_again_at == 0.0
            self._memory_again_at = self._clock() + _MEMORY_PAUSE_S
        if is_first:
            self._events.emit("alarm-not-sent", problem=problem)


def _by_key(told: Sequence[Told]) -> dict[Key, Told]:
    return {(each.code, each.about): each for each in told}


def channels_of(alarm: AlarmConfig) -> list[Channel]:
    webhook: list[Channel] = ["webhook"] if alarm.webhook else []
    mail: list[Channel] = ["mail"] if alarm.mail else []
    return webhook + mail


async def post_alarm(config: Config, alarm: AlarmConfig, told: Told, now: float) -> None:
    """Raises `GatepostError`: there is no usable secret, or nobody was told."""
    assert alarm.webhook, "asked where there is one"
    content = body(told, config.hostname, __version__)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"Gatepost/{__version__}",
        SIGNATURE_HEADER: signature(read_secret(alarm), content, now),
    }
    try:
        await post(alarm.webhook, content, headers, alarm.roots)
    except ValueError as error:
        raise WebhookFailed(f"the webhook failed: {error}") from None
