"""Alarms: what stops mail now is told at once, by mail, to whoever runs this server.

What flows through: what a worker found wrong in, one message to `postmaster` out, or to the contact of the tenant that
it concerns where no postmaster is set. Laws: one thing is told once a day, however many workers find it; a tenant has
a few alarms a day, however many its smart hosts are; each is in the event log besides, so that one that is not sent is
not lost.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gatepost.admin.forecast.notices import Notice, alarm_notice
from gatepost.app import open_directory
from gatepost.config import Config
from gatepost.logs.event_log import EventLog
from gatepost.logs.sent_notices import SentNotices
from gatepost.queue.store import StoreError

_MOST_OF_A_TENANT: Final = 5
"""Alarms of one kind that a worker raises in a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    code: str
    """The event that tells of it."""
    tenant: str | None
    """The tenant that it concerns, if it is only one."""
    subject: str
    """What it is about, the same at each look: the key of being told once."""
    title: str
    says: str
    do: str


class Alarms:
    def __init__(self, config: Config, keep: Callable[[Notice], Awaitable[str]], events: EventLog) -> None:
        """`keep` stores a notice's message and returns its queue id."""
        self._config = config
        self._keep = keep
        self._events = events
        self._told = SentNotices(config.notices_file)
        self._seen: dict[tuple[str, str, str], str] = {}
        """The day on which this worker raised each."""
        self._sending: set[asyncio.Task[None]] = set()

    def raise_(self, alarm: Alarm) -> None:
        """Returns at once; the message follows."""
        at = datetime.now(UTC)
        what, day = (alarm.code, alarm.tenant or "", alarm.subject), f"{at:%Y-%m-%d}"
        today = {each: when for each, when in self._seen.items() if when == day}
        if what in today or (alarm.tenant and sum(each[:2] == what[:2] for each in today) >= _MOST_OF_A_TENANT):
            return
        self._seen = today | {what: day}
        task = asyncio.get_running_loop().create_task(self._send(alarm, at))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, alarm: Alarm, at: datetime) -> None:
        try:
            contact = await asyncio.to_thread(self._contact, alarm.tenant)
            key = (alarm.tenant or "", alarm.code, alarm.subject, f"{at:%Y-%m-%d}", 0)
            if contact is None or not self._told.remember_new(key, at):
                return
            notice = alarm_notice(
                tenant=alarm.tenant or "",
                contact=contact,
                keys=(key,),
                title=alarm.title,
                paragraphs=(alarm.says, f"Action: {alarm.do}"),
                at=at,
                hostname=self._config.hostname,
            )
            queue_id = await self._keep(notice)
        except (StoreError, OSError) as error:
            self._events.emit("store-unavailable", problem=str(error))
            return
        self._events.emit("alarm-sent", about=alarm.code, contact=contact, tenant=alarm.tenant, queue_id=queue_id)

    def _contact(self, tenant: str | None) -> str | None:
        if self._config.postmaster or tenant is None:
            # The operator who has alarms by mail hears of it by these.
            has_alarms = self._config.alarm is not None and self._config.alarm.mail is not None
            return None if has_alarms else self._config.postmaster
        directory = open_directory(self._config)
        try:
            found = directory.tenant(tenant)
            return found.contact if found else None
        finally:
            directory.close()
