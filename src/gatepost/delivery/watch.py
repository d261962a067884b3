"""Looks, now and then, for mail that is due and that nobody sees to (`watchdog` decides when that is an alarm)."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

from gatepost.delivery.due_mail import DueMail
from gatepost.delivery.events import DeliveryEvents
from gatepost.delivery.routes import Routes
from gatepost.delivery.settling import Settling
from gatepost.delivery.watchdog import Watchdog
from gatepost.queue.message import Claim
from gatepost.queue.store import QueueKey, QueueStore, StoreError


class Watch:
    def __init__(
        self,
        store: QueueStore,
        routes: Routes,
        due: DueMail,
        settling: Settling,
        events: DeliveryEvents,
        clock: Callable[[], float],
        elapsed: Callable[[], float],
        stuck_after_s: float,
    ) -> None:
        self._store = store
        self._routes = routes
        self._due = due
        self._settling = settling
        self._events = events
        self._clock = clock
        self._elapsed = elapsed
        self._stuck_after_s = stuck_after_s
        self._watchdog = Watchdog(stuck_after_s)

    async def run(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            try:
                overdue = await asyncio.to_thread(self._store.overdue, self._clock() - self._stuck_after_s)
            except StoreError as error:
                self._events.warning(str(error))
                continue
            for what in self._watchdog.look(self._unattended(overdue), self._elapsed()):
                self._events.stuck(what, self._watchdog.alarms)

    def _unattended(self, overdue: Sequence[QueueKey]) -> Iterator[str]:
        attended = {recipient.id for claim in self._claims_in_hand() for recipient in claim.recipients}
        for recipient in self._store.claimed():
            if recipient not in attended:
                yield f"message {self._store.message_id_of(recipient)}"
        if not self._due.has_room:
            return
        avoided = self._due.avoided()
        for tenant, domain in overdue:
            if tenant not in avoided.tenants and (tenant, domain) not in avoided.keys:
                yield f"mail{f' of {tenant}' if tenant else ''} to {domain}"

    def _claims_in_hand(self) -> Iterator[Claim]:
        yield from self._settling.claims()
        for destination in self._routes.destinations:
            yield from destination.waiting
            for connection in destination.connections:
                if connection.claim is not None:
                    yield connection.claim
