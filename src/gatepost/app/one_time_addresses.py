"""One-time addresses, for a worker: looked up in the directory it reads, kept by a thread that changes it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from gatepost.admin.enrolment import one_time_addresses
from gatepost.app import Directory, open_editor
from gatepost.config import Config
from gatepost.logs.event_log import EventLog
from gatepost.net.certificates import lineage
from gatepost.queue.store import StoreError
from gatepost.tenancy.candidates import ChainJudge
from gatepost.tenancy.enrolment import Objection, objection
from gatepost.tenancy.evidence import Evidence
from gatepost.tenancy.fields import Record
from gatepost.tenancy.one_time_address import OneTimeAddress


class OneTimeAddresses:
    """`receiving.services.OneTimeAddresses`."""

    def __init__(self, config: Config, directory: Directory, events: EventLog) -> None:
        self._config = config
        self._directory = directory
        self._events = events
        self._keeping: set[asyncio.Task[None]] = set()

    def at(self, local_part: str) -> OneTimeAddress | None:
        return self._directory.one_time_address_at(local_part)

    def objection(
        self, one_time_address: OneTimeAddress, evidence: Evidence, judge: ChainJudge, at: datetime
    ) -> Objection | None:
        certificate = evidence.certificate
        has_public_marks = certificate is not None and lineage(certificate.leaf.der).publicly_issued
        return objection(self._directory, one_time_address, evidence, judge, at, has_public_marks=has_public_marks)

    def refused(self, one_time_address: OneTimeAddress, seen: Record, objection: Objection) -> None:
        refused = {
            **seen,
            "code": objection.code,
            "says": objection.says,
            "claimed_by": list(objection.claimed_by),
        }
        self._soon(self._note_refused, one_time_address, refused)

    def rehearsed(self, one_time_address: OneTimeAddress, seen: Record, at: datetime) -> None:
        self._soon(self._keep, one_time_address, seen, at)

    def _soon(self, keep: Callable[..., object], *what: object) -> None:
        task = asyncio.get_running_loop().create_task(self._keep_soon(keep, *what))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def enrolled(self, one_time_address: OneTimeAddress, seen: Record, at: datetime) -> bool:
        return await asyncio.to_thread(self._keep, one_time_address, seen, at)

    async def _keep_soon(self, keep: Callable[..., object], *what: object) -> None:
        try:
            await asyncio.to_thread(keep, *what)
        except StoreError as error:
            self._events.emit("store-unavailable", problem=str(error))

    def _note_refused(self, one_time_address: OneTimeAddress, refused: Record) -> None:
        editor = open_editor(self._config, who=f"{one_time_address.purpose} {one_time_address.id}")
        try:
            editor.note_refused(replace(one_time_address, refused=refused))
        finally:
            editor.close()

    def _keep(self, one_time_address: OneTimeAddress, seen: Record, at: datetime) -> bool:
        editor = open_editor(self._config, who=f"{one_time_address.purpose} {one_time_address.id}")
        try:
            return one_time_addresses.keep(editor, one_time_address, seen, at)
        finally:
            editor.close()
