"""What the process of the alarms does: look at the relay, raise and clear alarms, post them.

Laws: looking takes a small share of the time, however large the queue is; one thing is posted at a time, and after a
failure nothing before its pause is over; what cannot be kept or told is one line of the log, not one at each try.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from gatepost import __version__
from gatepost.admin.status.problems import problems_of
from gatepost.alarm import alarms as alarm_rules
from gatepost.alarm.alarms import Alarm, AlarmState, Problem
from gatepost.alarm.told import SIGNATURE_HEADER, Told, body, signature
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
        self._cannot_be_kept = ""

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
        try:
            looked = alarm_rules.look(self._stored.alarms(), self._find_problems(), self._clock())
            self._stored.keep(looked, self._channels)
        except (StoreError, OSError) as error:
            if self._cannot_be_kept != str(error):
                self._cannot_be_kept = str(error)
                self._events.emit("store-unavailable", problem=str(error))
            return
        self._cannot_be_kept = ""
        for each in looked.notifications:
            self._log(each.alarm)

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
        try:
            waiting = await asyncio.to_thread(self._due)
            if waiting is not None:
                await self._post(waiting)
        except (StoreError, OSError) as error:
            if self._cannot_be_kept != str(error):
                self._cannot_be_kept = str(error)
                self._events.emit("store-unavailable", problem=str(error))

    def _due(self) -> Told | None:
        if self._alarm.webhook is None or self._stored.channel("webhook").next_at > self._clock():
            return None
        return next(iter(self._stored.waiting("webhook")), None)

    async def _post(self, told: Told) -> None:
        try:
            await post_alarm(self._config, self._alarm, told, self._clock())
        except GatepostError as error:
            state = await asyncio.to_thread(self._stored.was_not_told, "webhook", str(error), self._clock())
            if state.failures == 1:
                self._events.emit("alarm-not-sent", problem=str(error))
            return
        await asyncio.to_thread(self._stored.was_told, "webhook", [told])


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
