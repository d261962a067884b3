"""One-time addresses, for a worker: looked up in the directory it reads, kept by a thread that changes it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from gatepost.admin.enrolment import appointments
from gatepost.app import Directory, open_editor
from gatepost.config import Config
from gatepost.logs.event_log import EventLog
from gatepost.net.certificates import lineage
from gatepost.queue.store import StoreError
from gatepost.tenancy.appointment import Appointment
from gatepost.tenancy.candidates import ChainJudge
from gatepost.tenancy.enrolment import Objection, objection
from gatepost.tenancy.evidence import Evidence
from gatepost.tenancy.fields import Record


class Appointments:
    """`receiving.services.OneTimeAddresses`."""

    def __init__(self, config: Config, directory: Directory, events: EventLog) -> None:
        self._config = config
        self._directory = directory
        self._events = events
        self._keeping: set[asyncio.Task[None]] = set()

    def at(self, local_part: str) -> Appointment | None:
        return self._directory.appointment_at(local_part)

    def objection(
        self, appointment: Appointment, evidence: Evidence, judge: ChainJudge, at: datetime
    ) -> Objection | None:
        certificate = evidence.certificate
        has_public_marks = certificate is not None and lineage(certificate.leaf.der).publicly_issued
        return objection(self._directory, appointment, evidence, judge, at, has_public_marks=has_public_marks)

    def refused(self, appointment: Appointment, seen: Record, objection: Objection) -> None:
        refused = {
            **seen,
            "code": objection.code,
            "says": objection.says,
            "claimed_by": list(objection.claimed_by),
        }
        self._soon(self._note_refused, appointment, refused)

    def rehearsed(self, appointment: Appointment, seen: Record, at: datetime) -> None:
        self._soon(self._keep, appointment, seen, at)

    def _soon(self, keep: Callable[..., object], *what: object) -> None:
        task = asyncio.get_running_loop().create_task(self._keep_soon(keep, *what))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def enrolled(self, appointment: Appointment, seen: Record, at: datetime) -> bool:
        return await asyncio.to_thread(self._keep, appointment, seen, at)

    async def _keep_soon(self, keep: Callable[..., object], *what: object) -> None:
        try:
            await asyncio.to_thread(keep, *what)
        except StoreError as error:
            self._events.emit("store-unavailable", problem=str(error))

    def _note_refused(self, appointment: Appointment, refused: Record) -> None:
        editor = open_editor(self._config, who=f"{appointment.purpose} {appointment.id}")
        try:
            editor.note_refused(replace(appointment, refused=refused))
        finally:
            editor.close()

    def _keep(self, appointment: Appointment, seen: Record, at: datetime) -> bool:
        editor = open_editor(self._config, who=f"{appointment.purpose} {appointment.id}")
        try:
            return appointments.keep(editor, appointment, seen, at)
        finally:
            editor.close()
