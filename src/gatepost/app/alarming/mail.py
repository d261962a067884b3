"""Alarms by mail, through this relay's own queue; one worker does it for all.

Laws: all that waits goes in one message, and the next follows after a pause, so that a bad hour is a few messages; a
message is on stable storage before its alarms count as told.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from gatepost.admin.forecast.notices import Notice, alarm_notice
from gatepost.alarm.told import TEST, mail_paragraphs, mail_title
from gatepost.config import Config
from gatepost.logs.event_log import EventLog
from gatepost.queue.store import StoreError
from gatepost.store.alarm.sqlite_alarms import SqliteAlarms

_LOOK_EVERY_S: Final = 2.0
_PAUSE_S: Final = 300.0
"""Between two messages."""


class AlarmMail:
    def __init__(
        self,
        config: Config,
        contact: str,
        keep: Callable[[Notice], Awaitable[str]],
        events: EventLog,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`keep` stores a notice's message and returns its queue id."""
        self._config = config
        self._contact = contact
        self._keep = keep
        self._events = events
        self._clock = clock
        self._stored = SqliteAlarms(config.alarms_file)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                await self.go()
            except (StoreError, OSError) as error:
                self._events.emit("store-unavailable", problem=str(error))
                await asyncio.sleep(_PAUSE_S)

    async def go(self) -> None:
        """Send what waits, if it is time."""
        if not self._config.alarms_file.exists():
            return
        now = self._clock()
        told = await asyncio.to_thread(self._stored.waiting, "mail")
        channel = await asyncio.to_thread(self._stored.channel, "mail")
        # What an operator tests is not to wait; a clock that went back ends the pause.
        is_early = now < channel.next_at <= now + _PAUSE_S and all(each.code != TEST for each in told)
        if not told or is_early:
            return
        notice = alarm_notice(
            tenant="",
            contact=self._contact,
            keys=(),
            title=mail_title(told, self._config.hostname),
            paragraphs=mail_paragraphs(told),
            at=datetime.fromtimestamp(now, UTC),
            hostname=self._config.hostname,
        )
        queue_id = await self._keep(notice)
        await asyncio.to_thread(self._stored.was_told, "mail", told, now + _PAUSE_S)
        about = ", ".join(dict.fromkeys(each.code for each in told))
        self._events.emit("alarm-sent", about=about, contact=self._contact, tenant=None, queue_id=queue_id)
