"""One worker process: receiving and delivery in one event loop, with a queue file of its own.

`python -m gatepost.app.worker NUMBER FILE READY-FD LISTENER-FD… COUNTS-FD` is how the supervisor starts it and nobody
else. What stood in the configuration file comes in by standard input, as the supervisor read it: a worker that is
started again serves the same listeners, however far somebody has got with editing the file.

A worker takes the first queue of its place that no other process works for new mail. It empties those besides that
were left: its predecessor's (RETIRE, see `supervisor`), a dead worker's, and those of places that are no more.

Laws: the directory, certificates and an operator's changes of the queue take effect within a second, without restart;
SIGTERM lets transactions in flight finish, and so does the end of the supervisor; nobody is left waiting at a socket
whose worker cannot keep mail.
"""

import asyncio
import gc
import os
import random
import signal
import socket
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from gatepost import config as configuration
from gatepost.admin.directory.verification import lapse, recheck
from gatepost.admin.forecast.notices import Notice
from gatepost.app import open_directory, open_editor, open_judge, rules_of
from gatepost.app.alarms import Alarms
from gatepost.app.appointments import Appointments
from gatepost.app.bounds import gate_limits, reserved_disk, unfinished_limits
from gatepost.app.delivery_events import DeliveryEventLog
from gatepost.app.forecasting import NoticeRounds
from gatepost.app.hybrid import wizard_folder
from gatepost.app.intermediates import known_intermediates
from gatepost.app.renewal_watch import renewal_watch
from gatepost.app.rolling_restart import RETIRE
from gatepost.app.shared_counts import SharedCounts
from gatepost.config import Config, ListenerConfig
from gatepost.delivery.connection import ConnectionSettings
from gatepost.delivery.destination import DialServices
from gatepost.delivery.notifications import MadeContent
from gatepost.delivery.scheduler import Scheduler, SchedulerSettings
from gatepost.hybrid.installation import presented_folder
from gatepost.hybrid.presented_certificate import PresentedFiles
from gatepost.logs.event_log import EventLog
from gatepost.logs.log_series import FileLimits
from gatepost.logs.log_shares import Whose
from gatepost.logs.log_writer import LogWriter
from gatepost.logs.protocol_log_files import ProtocolLogFiles
from gatepost.logs.session_records import SessionRecords
from gatepost.logs.sightings import Sightings, StoredSightings
from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox
from gatepost.mail.envelope import Body
from gatepost.mail.path_grammar import BadPath, read_mailbox
from gatepost.mail.session_id import SessionIds
from gatepost.net.certificates import CredentialError
from gatepost.net.dns import Resolver
from gatepost.net.judgement import Judge
from gatepost.net.own_addresses import OwnListeners, is_own_address
from gatepost.net.tls_client import ClientTlsContexts
from gatepost.net.tls_server import ServerTlsContexts
from gatepost.protocol_log.codec import Side
from gatepost.queue.message import NewMessage, NewRecipient
from gatepost.queue.store import StoreError, StoreInUse
from gatepost.receiving import replies
from gatepost.receiving.acceptance import AcceptanceSettings, Attributor, Services
from gatepost.receiving.connection import ListenerServices, SessionEnd
from gatepost.receiving.limits import TenantGate
from gatepost.receiving.listener import Listener, turn_away
from gatepost.receiving.own_servers import LATELY_S, REMEMBERED, OwnServers
from gatepost.receiving.room import Room
from gatepost.receiving.session_gate import SessionGate
from gatepost.receiving.session_record import session_record
from gatepost.receiving.sightings import sightings_of
from gatepost.receiving.turns import Turns
from gatepost.receiving.unfinished import UnfinishedContent
from gatepost.store.queue.capacity import disk_size, free_disk, recipients_by_tenant
from gatepost.store.queue.sqlite_queue import SqliteQueueStore
from gatepost.tenancy.evidence import CertificateFacts
from gatepost.tenancy.reach import Reach

_LOOK_EVERY_S = 0.2
"""How often changes by others are looked for; a change is live within a second (design §6)."""
_FILES_EVERY_S = 2.0
"""How often certificate files are looked at."""
_VERIFY_EVERY_S = 3600.0
_ADOPT_EVERY_S = 0.5
_ROOM_EVERY_S = 1.0
_COUNT_EVERY_S = 5.0
_COUNT_SHARE = 20
"""Counting what is queued takes a twentieth of the time at most."""
_STOP_PATIENCE_S = 30.0
_DELIVERIES_END_WITHIN_S = 8.0
_COURTESY_S = 3.0
"""How old a session may be that is still let through with its first message when a successor serves already."""
_TURN_AWAY_S = 2.0
"""How long connections are turned away before the store is tried again, by the next process."""

_READ_ONLY_ERRORS = (StoreError, OSError)


def main(arguments: list[str]) -> int:
    number, file, ready, *fds, shared = arguments
    config = configuration.parse(Path(file), sys.stdin.read())
    sockets = [socket.socket(fileno=int(fd)) for fd in fds]
    counts = SharedCounts(int(shared), int(number), config.workers)
    try:
        import uvloop
    except ImportError:
        return asyncio.run(_run(config, int(number), int(ready), sockets, counts))
    return uvloop.run(_run(config, int(number), int(ready), sockets, counts))


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
        self._log_writer = LogWriter()
        self._events = EventLog(config.log, self._log_writer, worker=number)
        self._directory = open_directory(config)
        self._ids = SessionIds(number)
        self._refreshes: list[Callable[[], str | None]] = []
        """Certificates and roots that are loaded again when their files change; each tells its trouble."""
        limits = config.protocol_log
        self._log_limits = FileLimits(
            file_size=limits.max_file_size,
            folder_size=limits.max_folder_size,
            max_age_s=limits.max_age_days * 86400,
        )
        self._send_log = self._protocol_log(config.send_log_folder, Side.SEND)
        self._intermediates = known_intermediates(config, self._log_writer)
        self._resolver = Resolver(config.nameservers)
        presented = PresentedFiles(presented_folder(wizard_folder(config)))
        self._refreshes.append(presented.refresh)
        client_tls = ClientTlsContexts(self._server_judge(), self._certificate_renewed, presented)
        self._refreshes.append(client_tls.refresh)
        self._dial = DialServices(
            resolver=self._resolver,
            tls=client_tls,
            log=self._send_log,
            next_session_id=self._ids.next,
            clock=time.time,
            elapsed=time.monotonic,
            shuffle=random.shuffle,
            own_names=frozenset({config.hostname}),
            connection=ConnectionSettings(
                hostname=config.hostname,
                connect_s=config.delivery.connect_s,
                handshake_s=config.delivery.tls_s,
                timeouts=config.delivery.timeouts,
            ),
            retry=config.retry,
            per_destination=config.delivery.per_destination,
            reach=Reach(
                allowed=config.delivery.allow_internal,
                internal=config.delivery.internal_networks,
                is_own=is_own_address,
                is_own_listener=OwnListeners((each.host, each.port) for each in config.listeners).include,
            ),
        )
        self._appointments = Appointments(config, self._directory, self._events)
        self._alarms = Alarms(config, self._keep_notice, self._events)
        self._queues = [self._queue(_first_free_queue(config, number))]
        """The first takes new mail; the others were adopted, to be emptied."""
        self._not_adopted: set[int] = set()
        self._emptied: set[int] = set()
        self._successor_serves = False
        self._room = Room(
            least_free_disk=config.queue.least_free_disk,
            reserved_disk=reserved_disk(config.queue, disk_size(config.queue_folder)),
            most_recipients=config.queue.most_recipients,
            emit=self._events.emit,
        )
        self._tenants = TenantGate(
            config.tenant_limits, self._directory, counts.tenants, self._room.queued, self._events.emit
        )
        self._unfinished_counts = counts.unfinished
        self._unfinished = UnfinishedContent(
            unfinished_limits(config.queue, disk_size(config.queue_folder)),
            counts.unfinished,
            self._room,
            self._events.emit,
        )
        self._own_servers = OwnServers(self._directory, time.time, self._servers_seen())
        self._turns = Turns()
        self._records: SessionRecords[SessionEnd] = SessionRecords(
            config.sessions_folder,
            number,
            session_record,
            self._log_writer,
            FileLimits(
                file_size=64 * 1024 * 1024,
                folder_size=config.sessions.max_folder_size,
                max_age_s=config.sessions.max_age_days * 86400,
            ),
            whose=lambda session: Whose(session.acceptance.tenant, session.acceptance.by_stranger),
            workers=config.workers,
        )
        self._sightings: Sightings[SessionEnd] = Sightings(
            config.sightings_folder, self._place, sightings_of, self._log_writer
        )
        self._receive_log = self._protocol_log(config.receive_log_folder, Side.RECEIVE) if limits.receive else None
        self._listeners = [
            Listener(sock, self._listener(listener)) for sock, listener in zip(sockets, config.listeners, strict=True)
        ]
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._log_writer.start()
        for queue in self._queues:
            self._work(queue)
        for listener in self._listeners:
            await listener.start()
        self._tasks = [asyncio.create_task(self._look_for_changes()), asyncio.create_task(self._keep_adopting())]
        self._tasks.append(asyncio.create_task(self._look_for_room()))
        if self._place == 0:
            self._tasks.append(asyncio.create_task(self._keep_verifying()))
            self._tasks.append(asyncio.create_task(NoticeRounds(self._config, self._keep_notice, self._events).run()))
            self._tasks.append(asyncio.create_task(renewal_watch(self._config, self._events, self._alarms).run()))

    def retire(self, stopping: asyncio.Event) -> None:
        self._successor_serves = True
        stopping.set()

    async def stop(self) -> None:
        """Finish transactions in flight, then deliveries in flight, then the store, then the logs."""
        for task in self._tasks:
            task.cancel()
        courtesy_s = _COURTESY_S if self._successor_serves else 0.0
        await asyncio.gather(*(listener.stop(_STOP_PATIENCE_S, courtesy_s) for listener in self._listeners))
        await asyncio.gather(*(self._close(queue, _DELIVERIES_END_WITHIN_S) for queue in self._queues))
        self._directory.close()
        self._log_writer.close()

    def tell_bug(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What a callback raised is a bug of ours: one line with its place, and the worker goes on."""
        error = context.get("exception")
        place = traceback.extract_tb(error.__traceback__)[-1:] if error else []
        where = f" at {Path(place[0].filename).name}:{place[0].lineno}" if place else ""
        what = f"{type(error).__name__}: {error}" if error else str(context.get("message"))
        self._events.emit("bug", problem=f"{what}{where}; please report it")

    # --- parts ------------------------------------------------------------------------------------------------------

    def _servers_seen(self) -> list[tuple[str, str, float]]:
        since = datetime.now(UTC) - timedelta(seconds=LATELY_S)
        try:
            return StoredSightings(self._config.sightings_folder).servers(since, REMEMBERED)
        except sqlite3.Error as error:
            self._events.emit("store-unavailable", problem=f"{self._config.sightings_folder} cannot be read: {error}")
            return []

    def _queue(self, store: SqliteQueueStore) -> _Queue:
        scheduler = Scheduler(
            store,
            self._directory,
            self._dial,
            DeliveryEventLog(self._events, self._alarms, self._config.retry.hold_refused_s),
            SchedulerSettings(connections=self._config.delivery.connections),
        )
        return _Queue(store, scheduler)

    def _listener(self, listener: ListenerConfig) -> ListenerServices:
        config, queue = self._config, self._queues[0]
        judge = open_judge(config, listener, self._intermediates)
        self._refreshes.append(judge.refresh)
        return ListenerServices(
            machine=configuration.server_settings(config, listener),
            greeting=replies.greeting(config.hostname),
            acceptance=AcceptanceSettings(
                hostname=config.hostname,
                listener=listener.name,
                refuse_at_end=listener.refuse_at == "end-of-data",
                require_tls=listener.require_tls,
                help_link=config.help_link,
                postmaster=_postmaster(config),
                irregular_paths_of_strangers=listener.irregular_paths == "all",
            ),
            services=Services(
                attributor=Attributor(self._directory, judge, rules_of(listener)),
                store=queue.store,
                new_content=queue.store.new_content,
                waiting=lambda: queue.store.backlog,
                submit=queue.scheduler.submit,
                claim_at_once=queue.scheduler.has_room_for,
                is_full=lambda: self._room.is_full,
                unfinished=self._unfinished,
                tenants=self._tenants,
                events=self._events,
                now=time.time,
                appointments=self._appointments,
            ),
            tls=self._server_tls(listener, judge),
            gate=SessionGate(gate_limits(listener.limits), self._own_servers, time.time, self._events.emit),
            turns=self._turns,
            least_content_rate=listener.limits.content_rate,
            proxy_from=listener.proxy_from,
            log=self._receive_log,
            next_session_id=self._ids.next,
            session_ended=self._session_ended,
            opened=set(),
        )

    def _protocol_log(self, folder: Path, side: Side) -> ProtocolLogFiles:
        limits, workers = self._log_limits, self._config.workers
        return ProtocolLogFiles(folder, side, self._log_writer, limits, in_shares=True, workers=workers)

    def _session_ended(self, session: SessionEnd) -> None:
        if self._receive_log:
            acceptance = session.acceptance
            self._receive_log.belongs(
                session.session_id,
                acceptance.tenant,
                by_stranger=acceptance.by_stranger,
                ended=bool(session.why),
            )
        self._records.add(session)
        self._sightings.add(session)

    def _server_tls(self, listener: ListenerConfig, judge: Judge) -> ServerTlsContexts | None:
        tls = self._config.tls
        if tls is None or not listener.starttls:
            return None
        files = [(each.certificate, each.key) for each in tls.certificates]
        contexts = ServerTlsContexts(files, judge, self._certificate_renewed)
        self._refreshes.append(contexts.refresh)
        return contexts

    def _server_judge(self) -> Judge:
        judge = Judge(self._config.tls.server_roots if self._config.tls else None, required_purpose="serverAuth")
        self._refreshes.append(judge.refresh)
        return judge

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
            store = await asyncio.to_thread(SqliteQueueStore, self._config.queue_folder, number)
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
                listener.tell(time.time())
            if time.monotonic() >= next_files:
                next_files = time.monotonic() + _FILES_EVERY_S
                self.look_at_files()

    async def _carry_out_orders(self, store: SqliteQueueStore) -> None:
        while True:
            try:
                await store.carry_out_orders()
            except StoreError as error:
                self._events.emit("store-unavailable", problem=str(error))
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _look_for_room(self) -> None:
        folder, room = self._config.queue_folder, self._room
        next_count = 0.0
        while True:
            try:
                written = self._unfinished_counts.ever
                room.free_disk_is(free_disk(folder), written)
                began = time.monotonic()
                if room.counting_is_wanted and began >= next_count:
                    room.counted(await asyncio.to_thread(recipients_by_tenant, folder))
                    now = time.monotonic()
                    next_count = now + max(_COUNT_EVERY_S, _COUNT_SHARE * (now - began))
            except _READ_ONLY_ERRORS as error:
                self._events.emit("store-unavailable", problem=str(error))
            await asyncio.sleep(_ROOM_EVERY_S)

    def look_at_files(self) -> None:
        """Certificates and roots whose files changed are loaded again."""
        for refresh in self._refreshes:
            problem = refresh()
            if problem:
                self._events.emit("certificate-not-loaded", problem=problem)

    def _certificate_renewed(self, leaf: CertificateFacts) -> None:
        self._events.emit(
            "certificate-renewed",
            subject=leaf.subject,
            names=", ".join(leaf.names),
            not_after=leaf.not_after,
            sha256=leaf.sha256,
        )

    async def _keep_verifying(self) -> None:
        """Domains are checked daily; each hour those whose day is over (one worker does it for all)."""
        while True:
            editor = open_editor(self._config)
            try:
                grace = timedelta(days=self._config.verification_grace_days)
                lost = await recheck(editor, self._resolver, datetime.now(UTC), grace)
                lapsed = lapse(editor, datetime.now(UTC), timedelta(days=self._config.claim_days))
                for event in (*lost, *lapsed):
                    self._events.emit("domain-verification", problem=str(event))
            except _READ_ONLY_ERRORS as error:
                self._events.emit("store-unavailable", problem=str(error))
            finally:
                editor.close()
            await asyncio.sleep(_VERIFY_EVERY_S)

    async def _keep_notice(self, notice: Notice) -> str:
        contact = read_mailbox(notice.contact)
        assert isinstance(contact, Mailbox), "what is stored as a contact was read as a mailbox"
        queue, now = self._queues[0], time.time()
        message = NewMessage(
            session_id=self._ids.next(now),
            received_at=now,
            reverse_path=NULL_REVERSE_PATH,
            recipients=(NewRecipient(forward_path=contact, tenant=None, connector=None),),
            content=MadeContent(notice.octets),
            body=Body.SEVEN_BIT if notice.octets.isascii() else Body.EIGHT_BIT_MIME,
            smtputf8=not notice.contact.isascii(),
        )
        accepted = await queue.store.accept(message, claim=True)
        queue.scheduler.submit(accepted.claims)
        return accepted.message_id


def _first_free_queue(config: Config, number: int) -> SqliteQueueStore:
    for queue in count(number % config.workers, config.workers):
        try:
            return SqliteQueueStore(config.queue_folder, queue)
        except StoreInUse:
            continue
    raise AssertionError("numbers do not run out")


def _postmaster(config: Config) -> Mailbox | None:
    if config.postmaster is None:
        return None
    mailbox = read_mailbox(config.postmaster)
    if isinstance(mailbox, BadPath):
        raise configuration.ConfigError(f"{config.file}: postmaster = {config.postmaster!r}: {mailbox.says}")
    return mailbox


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
