"""One worker process: receiving and delivery in one event loop, with a queue file of its own.

The supervisor has it started by a `launcher`.

A worker takes the first queue of its place that no other process works for new mail. It empties those besides that
were left: its predecessor's (RETIRE, see `supervisor`), a dead worker's, and those of places that are no more.

Laws: the directory, certificates and an operator's changes of the queue take effect within a second, without restart;
SIGTERM lets transactions in flight finish, and so does the end of the supervisor; nobody is left waiting at a socket
whose worker cannot keep mail.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from gatepost.admin.directory.verification import VerificationRounds
from gatepost.admin.forecast.notices import Notice, message_of
from gatepost.admin.signing.watching import KeyRounds
from gatepost.app import open_directory, open_editor
from gatepost.app.admin_wiring import name_servers_within_reach
from gatepost.app.alarming.mail import AlarmMail
from gatepost.app.alarms import Alarms
from gatepost.app.delivery_events import DeliveryEventLog
from gatepost.app.delivery_trace import DeliveryTrace
from gatepost.app.figures.snapshots import keep_writing, worker_file
from gatepost.app.figures.snapshots import write as write_snapshot
from gatepost.app.forecasting import NoticeRounds
from gatepost.app.intermediates import known_intermediates
from gatepost.app.one_time_addresses import OneTimeAddresses
from gatepost.app.parts import Reception, bounds_of, dialling_of, listener_of, logs_of
from gatepost.app.renewal_watch import renewal_watch
from gatepost.app.rolling_restart import RETIRE
from gatepost.app.shared_counts import SharedCounts
from gatepost.app.signing import signing_keys_of
from gatepost.app.tls_demands import resolver_of
from gatepost.app.tls_files import TlsFiles
from gatepost.config import Config
from gatepost.delivery.scheduler import Scheduler, SchedulerSettings
from gatepost.hybrid.watch import RenewalWatch
from gatepost.mail.session_id import SessionIds
from gatepost.net.certificates import CredentialError
from gatepost.net.every_name_server import EveryNameServer
from gatepost.queue.store import StoreError, StoreInUse
from gatepost.receiving.listener import Listener, turn_away
from gatepost.store.queue.capacity import free_disk, recipients_by_tenant
from gatepost.store.queue.sqlite_queue import SqliteQueueStore

_LOOK_EVERY_S = 0.2
"""How often changes by others are looked for; a change is live within a second (design §6)."""
_FILES_EVERY_S = 2.0
"""How often certificate files are looked at."""
_ADOPT_EVERY_S = 0.5
_ROOM_EVERY_S = 1.0
_FIGURES_EVERY_S = 1.0
_COUNT_EVERY_S = 5.0
_COUNT_SHARE = 20
"""Counting what is queued takes a twentieth of the time at most."""
_STOP_PATIENCE_S = 30.0
_DELIVERIES_END_WITHIN_S = 8.0
_GRACE_S = 3.0
"""How old a session may be that is still let through with its first message when a successor serves already."""
_TURN_AWAY_S = 2.0
"""How long connections are turned away before the store is tried again, by the next process."""

_READ_ONLY_ERRORS = (StoreError, OSError)


def main(config: Config, arguments: Sequence[str], descriptors: Sequence[int]) -> int:
    """`arguments`: its number. `descriptors`: to say on that it serves, a socket a listener, the shared counts."""
    number = int(arguments[0])
    ready, *listeners, shared = descriptors
    sockets = [socket.socket(fileno=fd) for fd in listeners]
    counts = SharedCounts(shared, number, config.workers)
    try:
        import uvloop
    except ImportError:
        return asyncio.run(_run(config, number, ready, sockets, counts))
    return uvloop.run(_run(config, number, ready, sockets, counts))


async def _run(config: Config, number: int, ready: int, sockets: list[socket.socket], counts: SharedCounts) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    try:
        worker = Worker(config, number, sockets, counts)
    except (StoreError, CredentialError) as error:
        _say(str(number), error)
        await turn_away(sockets, stopping, _TURN_AWAY_S)
        return 1
    loop.add_signal_handler(RETIRE, worker.retire, stopping)
    loop.set_exception_handler(worker.tell_bug)
    await worker.start()
    # The commit thread needs the interpreter after each sync; Python's 5 ms would be most of a peer's wait.
    sys.setswitchinterval(0.0005)
    # What lives as long as the process is not looked at again by the collector; sessions are freed by reference count.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        os.write(ready, b"1")
    except BrokenPipeError:
        # The supervisor died while this worker started: nobody would restart or stop it.
        stopping.set()
    os.close(ready)
    await stopping.wait()
    await worker.stop()
    return 0


def _say(number: str, error: Exception) -> None:
    print(f"gatepost: worker {number}: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the log is not up yet


@dataclass(slots=True)
class _Queue:
    """A queue file and who empties it."""

    store: SqliteQueueStore
    scheduler: Scheduler
    orders: asyncio.Task[None] | None = None
    """Carries out what operators decide."""


class Worker:
    def __init__(self, config: Config, number: int, sockets: list[socket.socket], counts: SharedCounts) -> None:
        self._config = config
        self._number = number
        self._supervisor = os.getppid()
        self._logs = logs_of(config, number)
        self._events = self._logs.events
        self._directory = open_directory(config)
        self._signing_keys = signing_keys_of(config, self._directory, self._events)
        self._ids = SessionIds(number)
        self._tls = TlsFiles(config, self._events, known_intermediates(config, self._logs.writer))
        self._resolver = resolver_of(config)
        self._dial = dialling_of(config, self._logs, self._tls, self._resolver, self._ids, self._signing_keys)
        self._alarms = Alarms(config, self._keep_notice, self._events)
        self._delivery_trace = DeliveryTrace(self._logs.trace)
        self._queues = [self._queue(_first_free_queue(config, number, self._logs.figures.committed))]
        """The first takes new mail; the others were adopted, to be emptied."""
        self._not_adopted: set[int] = set()
        self._emptied: set[int] = set()
        self._successor_serves = False
        self._bounds = bounds_of(config, self._directory, counts, self._events)
        shared = self._reception()
        self._listeners = [
            Listener(sock, listener_of(shared, listener))
            for sock, listener in zip(sockets, config.listeners, strict=True)
        ]
        self._tasks: list[asyncio.Task[None]] = []

    def _reception(self) -> Reception:
        return Reception(
            config=self._config,
            signing_keys=self._signing_keys,
            directory=self._directory,
            logs=self._logs,
            tls=self._tls,
            bounds=self._bounds,
            one_time_addresses=OneTimeAddresses(self._config, self._directory, self._events),
            ids=self._ids,
            store=self._queues[0].store,
            scheduler=self._queues[0].scheduler,
        )

    async def start(self) -> None:
        self._logs.writer.start()
        for queue in self._queues:
            self._work(queue)
        for listener in self._listeners:
            await listener.start()
        self._tasks = [asyncio.create_task(self._look_for_changes()), asyncio.create_task(self._keep_adopting())]
        self._tasks.append(asyncio.create_task(self._look_for_room()))
        self._tasks.append(asyncio.create_task(self._dial.tls_demands.begin()))
        self._tasks.append(asyncio.create_task(keep_writing(self._write_figures, _FIGURES_EVERY_S, self._say_bug)))
        if self._place == 0:
            self._tasks += [asyncio.create_task(round_.run()) for round_ in self._rounds()]

    def retire(self, stopping: asyncio.Event) -> None:
        self._successor_serves = True
        stopping.set()

    async def stop(self) -> None:
        """Finish transactions in flight, then deliveries in flight, then the store, then the logs."""
        for task in self._tasks:
            task.cancel()
        grace_s = _GRACE_S if self._successor_serves else 0.0
        await asyncio.gather(*(listener.stop(_STOP_PATIENCE_S, grace_s) for listener in self._listeners))
        await asyncio.gather(*(self._close(queue, _DELIVERIES_END_WITHIN_S) for queue in self._queues))
        self._directory.close()
        self._logs.writer.close()
        self._write_figures()

    def tell_bug(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What a callback raised is a bug of ours: one line with its place, and the worker goes on."""
        error = context.get("exception")
        if error:
            self._say_bug(error)
        else:
            self._events.emit("bug", problem=f"{context.get('message')}; please report it")

    def _say_bug(self, error: BaseException) -> None:
        place = traceback.extract_tb(error.__traceback__)[-1:]
        where = f" at {Path(place[0].filename).name}:{place[0].lineno}" if place else ""
        self._events.emit("bug", problem=f"{type(error).__name__}: {error}{where}; please report it")

    def _rounds(self) -> list[VerificationRounds | KeyRounds | NoticeRounds | RenewalWatch | AlarmMail]:
        """What one worker does for all."""
        config, events = self._config, self._events
        verification = VerificationRounds(
            lambda: closing(open_editor(config)),
            self._resolver,
            events,
            grace=timedelta(days=config.verification_grace_days),
            claim=timedelta(days=config.claim_days),
        )
        rounds: list[VerificationRounds | KeyRounds | NoticeRounds | RenewalWatch | AlarmMail] = [
            verification,
            KeyRounds(
                lambda: closing(open_editor(config)),
                EveryNameServer(self._resolver, name_servers_within_reach(config)),
                events,
                config.hostname,
                timedelta(seconds=config.retry.expiry_s),
            ),
            NoticeRounds(config, self._keep_notice, events),
            renewal_watch(config, events, self._alarms),
        ]
        if config.alarm and config.alarm.mail:
            rounds.append(AlarmMail(config, config.alarm.mail, self._keep_notice, events))
        return rounds

    def _queue(self, store: SqliteQueueStore) -> _Queue:
        scheduler = Scheduler(
            store,
            self._directory,
            self._dial,
            DeliveryEventLog(
                self._events,
                self._delivery_trace,
                self._logs.figures,
                self._alarms,
                self._config.retry.hold_refused_s,
            ),
            SchedulerSettings(connections=self._config.delivery.connections),
        )
        return _Queue(store, scheduler)

    # --- queues that nobody works -----------------------------------------------------------------------------------

    @property
    def _place(self) -> int:
        return self._number % self._config.workers

    async def _keep_adopting(self) -> None:
        while True:
            for number in self._orphans():
                await self._adopt(number)
            await asyncio.sleep(_ADOPT_EVERY_S)
            for queue in self._queues[1:]:
                if queue.store.is_empty() and not queue.scheduler.in_hand:
                    await self._let_go(queue)

    def _orphans(self) -> list[int]:
        """The queues of this worker's place that are not its own yet; somebody may still work them."""
        mine = {queue.store.number for queue in self._queues} | self._emptied
        stored = {int(file.stem) for file in self._config.queue_folder.glob("*.sqlite") if file.stem.isdecimal()}
        return sorted(queue for queue in stored - mine if queue % self._config.workers == self._place)

    async def _adopt(self, number: int) -> None:
        try:
            # A large file takes its time to open.
            committed = self._logs.figures.committed
            store = await asyncio.to_thread(SqliteQueueStore, self._config.queue_folder, number, committed)
        except StoreInUse:
            return
        except StoreError as error:
            if number not in self._not_adopted:
                self._not_adopted.add(number)
                self._events.emit("store-unavailable", problem=str(error))
            return
        self._not_adopted.discard(number)
        queue = self._queue(store)
        self._work(queue)
        self._queues.append(queue)

    def _work(self, queue: _Queue) -> None:
        queue.scheduler.start()
        queue.orders = asyncio.create_task(self._carry_out_orders(queue.store))

    async def _let_go(self, queue: _Queue) -> None:
        """It is empty, and may be the next worker's for new mail."""
        self._queues.remove(queue)
        self._emptied.add(queue.store.number)
        await self._close(queue, grace_s=0.0)

    async def _close(self, queue: _Queue, grace_s: float) -> None:
        if queue.orders:
            queue.orders.cancel()
        await queue.scheduler.stop(grace_s)
        await queue.store.close()

    # --- what others change -----------------------------------------------------------------------------------------

    async def _look_for_changes(self) -> None:
        next_files = 0.0
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if os.getppid() != self._supervisor:
                # Nobody would restart or stop this process any more.
                self._events.emit("supervisor-gone", problem="the supervisor died; this worker stops as by SIGTERM")
                os.kill(os.getpid(), signal.SIGTERM)
                return
            try:
                self._directory.refresh()
                for queue in self._queues:
                    if queue.store.changed_by_others():
                        queue.scheduler.wake()
            except _READ_ONLY_ERRORS as error:
                self._events.emit("store-unavailable", problem=str(error))
            for listener in self._listeners:
                listener.record(time.time())
            if time.monotonic() >= next_files:
                next_files = time.monotonic() + _FILES_EVERY_S
                self._tls.look()

    def _write_figures(self) -> None:
        """That they are new also says that this loop goes round."""
        why_not = "the queue is full" if self._bounds.capacity.is_full else None
        with suppress(OSError):
            file = worker_file(self._config.status_folder, self._number)
            write_snapshot(file, self._logs.figures.snapshot(os.getpid(), why_not))

    async def _carry_out_orders(self, store: SqliteQueueStore) -> None:
        while True:
            try:
                await store.carry_out_orders(self._delivery_trace.ordered)
            except StoreError as error:
                self._events.emit("store-unavailable", problem=str(error))
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _look_for_room(self) -> None:
        folder, capacity = self._config.queue_folder, self._bounds.capacity
        next_count = 0.0
        while True:
            try:
                written = self._bounds.unfinished_counts.ever
                capacity.free_disk_is(free_disk(folder), written)
                began = time.monotonic()
                if capacity.needs_counts and began >= next_count:
                    capacity.counted(await asyncio.to_thread(recipients_by_tenant, folder))
                    now = time.monotonic()
                    next_count = now + max(_COUNT_EVERY_S, _COUNT_SHARE * (now - began))
            except _READ_ONLY_ERRORS as error:
                self._events.emit("store-unavailable", problem=str(error))
            await asyncio.sleep(_ROOM_EVERY_S)

    async def _keep_notice(self, notice: Notice) -> str:
        queue, now = self._queues[0], time.time()
        notice = replace(notice, octets=self._signing_keys.own_message(notice.octets, now))
        accepted = await queue.store.accept(message_of(notice, self._ids.next(now), now), claim=True)
        self._delivery_trace.made_here(accepted.claims)
        queue.scheduler.submit(accepted.claims)
        return accepted.message_id


def _first_free_queue(config: Config, number: int, measured: Callable[[int, float], None]) -> SqliteQueueStore:
    for queue in count(number % config.workers, config.workers):
        try:
            return SqliteQueueStore(config.queue_folder, queue, measured)
        except StoreInUse:
            continue
    raise AssertionError("numbers do not run out")
