"""One-time addresses, for a worker: looked up in the directory it reads, kept by a thread that changes it."""

import asyncio
from datetime import datetime

from gatepost.admin import appointments
from gatepost.app import Directory, open_editor
from gatepost.config import Config
from gatepost.mail.address import ReversePath
from gatepost.queue.store import StoreError
from gatepost.store.event_log import EventLog
from gatepost.tenancy.appointment import Appointment, may_enrol
from gatepost.tenancy.record import Record


class Appointments:
    """`receiving.acceptance.Appointments`."""

    def __init__(self, config: Config, directory: Directory, events: EventLog) -> None:
        self._config = config
        self._directory = directory
        self._events = events
        self._keeping: set[asyncio.Task[None]] = set()

    def at(self, local_part: str) -> Appointment | None:
        return self._directory.appointment_at(local_part)

    def may_enrol(self, tenant: str, reverse_path: ReversePath) -> bool:
        return may_enrol(self._directory, tenant, reverse_path)

    def rehearsed(self, appointment: Appointment, seen: Record, at: datetime) -> None:
        task = asyncio.get_running_loop().create_task(self._keep_soon(appointment, seen, at))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def enrolled(self, appointment: Appointment, seen: Record, at: datetime) -> bool:
        return await asyncio.to_thread(self._keep, appointment, seen, at)

    async def _keep_soon(self, appointment: Appointment, seen: Record, at: datetime) -> None:
        try:
            await asyncio.to_thread(self._keep, appointment, seen, at)
        except StoreError as error:
            self._events.emit("store-unavailable", problem=str(error))

    def _keep(self, appointment: Appointment, seen: Record, at: datetime) -> bool:
        editor = open_editor(self._config, who=f"{appointment.purpose} {appointment.id}")
        try:
            return appointments.keep(editor, appointment, seen, at)
        finally:
            editor.close()
