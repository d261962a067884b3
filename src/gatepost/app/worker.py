"""One worker process: receiving and delivery in one event loop, with a queue file of its own.

`python -m gatepost.app.worker NUMBER READY-FD LISTENER-FD…` is how the supervisor starts it; nobody else does. The
configuration comes in by standard input, as the supervisor read it: a worker that is started again serves the same
listeners, however far somebody has got with editing the file.

Laws: the directory, certificates and an operator's changes of the queue take effect within a second, without restart;
SIGTERM lets transactions in flight finish, and so does the end of the supervisor; nobody is left waiting at a socket
whose worker cannot keep mail.
"""

import asyncio
import gc
import os
import pickle
import random
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gatepost import config as configuration
from gatepost.admin.verification import recheck
from gatepost.app import open_directory, open_editor, open_judge, rules_of
from gatepost.app.appointments import Appointments
from gatepost.app.delivery_events import DeliveryEventLog
from gatepost.app.in_use import InUse
from gatepost.app.renewal_watch import RenewalWatch
from gatepost.config import Config, ListenerConfig
from gatepost.delivery.connection import ConnectionSettings
from gatepost.delivery.destination import DialServices
from gatepost.delivery.scheduler import Scheduler, SchedulerSettings
from gatepost.mail.address import Mailbox
from gatepost.mail.path_grammar import BadPath, read_mailbox
from gatepost.mail.session_id import SessionIds
from gatepost.net.certificates import CredentialError
from gatepost.net.dns import Resolver
from gatepost.net.judgement import Judge
from gatepost.net.tls_client import ClientTlsContexts
from gatepost.net.tls_server import ServerTlsContexts
from gatepost.protocol_log.codec import Side
from gatepost.queue.store import StoreError
from gatepost.receiving import replies
from gatepost.receiving.acceptance import AcceptanceSettings, Attributor, Services
from gatepost.receiving.connection import ListenerServices, SessionEnd
from gatepost.receiving.limits import SessionGate, TenantGate
from gatepost.receiving.listener import Listener, turn_away
from gatepost.receiving.session_record import session_record
from gatepost.receiving.sightings import sightings_of
from gatepost.store.event_log import EventLog
from gatepost.store.log_series import FileLimits
from gatepost.store.log_writer import LogWriter
from gatepost.store.protocol_log_files import ProtocolLogFiles
from gatepost.store.session_records import SessionRecords
from gatepost.store.sightings import Sightings
from gatepost.store.sqlite_queue import SqliteQueueStore
from gatepost.tenancy.evidence import CertificateFacts

_LOOK_EVERY_S = 0.2
"""How often changes by others are looked for; a change is live within a second (design §6)."""
_FILES_EVERY_S = 2.0
"""How often certificate files are looked at."""
_VERIFY_EVERY_S = 3600.0
_STOP_PATIENCE_S = 30.0
_TURN_AWAY_S = 2.0
"""How long connections are turned away before the store is tried again, by the next process."""

_READ_ONLY_ERRORS = (StoreError, OSError)


def main(arguments: list[str]) -> int:
    number, ready, *fds = arguments
    config: Config = pickle.load(sys.stdin.buffer)
    sockets = [socket.socket(fileno=int(fd)) for fd in fds]
    try:
        import uvloop
    except ImportError:
        return asyncio.run(_run(config, int(number), int(ready), sockets))
    return uvloop.run(_run(config, int(number), int(ready), sockets))


async def _run(config: Config, number: int, ready: int, sockets: list[socket.socket]) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    try:
        worker = Worker(config, number, sockets)
    except (StoreError, CredentialError) as error:
        _say(str(number), error)
        await turn_away(sockets, stopping, _TURN_AWAY_S)
        return 1
    loop.add_signal_handler(signal.SIGHUP, worker.look_at_files)
    loop.set_exception_handler(worker.tell_bug)
    await worker.start()
    # The commit thread needs the interpreter after each sync; Python's 5 ms would be most of a peer's wait.
    sys.setswitchinterval(0.0005)
    # What lives as long as the process is not looked at again by the collector; sessions are freed by reference count.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    os.write(ready, b"1")
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


class Worker:
    def __init__(self, config: Config, number: int, sockets: list[socket.socket]) -> None:
        self._config = config
        self._number = number
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
        self._send_log = ProtocolLogFiles(config.send_log_folder, Side.SEND, self._log_writer, self._log_limits)
        self._resolver = Resolver(config.nameservers)
        in_use = InUse(config)
        self._refreshes.append(in_use.refresh)
        client_tls = ClientTlsContexts(self._server_judge(), self._certificate_renewed, in_use)
        self._refreshes.append(client_tls.refresh)
        self._dial = DialServices(
            resolver=self._resolver,
            tls=client_tls,
            log=self._send_log,
            next_session_id=self._ids.next,
            clock=time.time,
            shuffle=random.shuffle,
            own_names=frozenset({config.hostname}),
            connection=ConnectionSettings(hostname=config.hostname),
            retry=config.retry,
            per_destination=config.delivery.per_destination,
        )
        self._appointments = Appointments(config, self._directory, self._events)
        self._queues = [self._queue(queue) for queue in _queues_of(number, config)]
        self._tenants = TenantGate(config.tenant_limits.messages_per_minute, config.tenant_limits.sessions)
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
        )
        self._sightings: Sightings[SessionEnd] = Sightings(
            config.sightings_folder, number, sightings_of, self._log_writer
        )
        self._receive_log = (
            ProtocolLogFiles(config.receive_log_folder, Side.RECEIVE, self._log_writer, self._log_limits)
            if limits.receive
            else None
        )
        self._listeners = [
            Listener(sock, self._listener(listener)) for sock, listener in zip(sockets, config.listeners, strict=True)
        ]
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._log_writer.start()
        for queue in self._queues:
            queue.scheduler.start()
        for listener in self._listeners:
            await listener.start()
        self._tasks = [asyncio.create_task(self._look_for_changes())]
        self._tasks += [asyncio.create_task(self._carry_out_orders(queue.store)) for queue in self._queues]
        if self._number == 0:
            self._tasks.append(asyncio.create_task(self._keep_verifying()))
            self._tasks.append(asyncio.create_task(RenewalWatch(self._config, self._events).run()))

    async def stop(self) -> None:
        """Finish transactions in flight, then deliveries in flight, then the store, then the logs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(listener.stop(_STOP_PATIENCE_S) for listener in self._listeners))
        for queue in self._queues:
            await queue.scheduler.stop()
            await queue.store.close()
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

    def _queue(self, number: int) -> _Queue:
        store = SqliteQueueStore(self._config.queue_folder, number)
        scheduler = Scheduler(
            store,
            self._directory,
            self._dial,
            DeliveryEventLog(self._events),
            SchedulerSettings(connections=self._config.delivery.connections),
        )
        return _Queue(store, scheduler)

    def _listener(self, listener: ListenerConfig) -> ListenerServices:
        config, queue = self._config, self._queues[0]
        judge = open_judge(config, listener)
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
            ),
            services=Services(
                attributor=Attributor(self._directory, judge, rules_of(listener)),
                store=queue.store,
                new_content=queue.store.new_content,
                waiting=lambda: queue.store.backlog,
                submit=queue.scheduler.submit,
                claim_at_once=queue.scheduler.has_room_for,
                tenants=self._tenants,
                events=self._events,
                now=time.time,
                appointments=self._appointments,
            ),
            tls=self._server_tls(listener, judge),
            gate=SessionGate(listener.limits.sessions, listener.limits.sessions_per_address),
            proxy_from=listener.proxy_from,
            log=self._receive_log,
            next_session_id=self._ids.next,
            session_ended=self._session_ended,
            opened=set(),
        )

    def _session_ended(self, session: SessionEnd) -> None:
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

    # --- what others change -----------------------------------------------------------------------------------------

    async def _look_for_changes(self) -> None:
        next_files = 0.0
        supervisor = os.getppid()
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if os.getppid() != supervisor:
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
                events = await recheck(editor, self._resolver, datetime.now(UTC), grace)
                for event in events:
                    self._events.emit("domain-verification", problem=str(event))
            except _READ_ONLY_ERRORS as error:
                self._events.emit("store-unavailable", problem=str(error))
            finally:
                editor.close()
            await asyncio.sleep(_VERIFY_EVERY_S)


def _queues_of(number: int, config: Config) -> list[int]:
    """The worker's own queue, and those of workers that a smaller `workers` setting left without one."""
    stored = {int(file.stem) for file in config.queue_folder.glob("*.sqlite") if file.stem.isdecimal()}
    orphans = sorted(queue for queue in stored if queue >= config.workers and queue % config.workers == number)
    return [number, *orphans]


def _postmaster(config: Config) -> Mailbox | None:
    if config.postmaster is None:
        return None
    mailbox = read_mailbox(config.postmaster)
    if isinstance(mailbox, BadPath):
        raise configuration.ConfigError(f"{config.file}: postmaster = {config.postmaster!r}: {mailbox.says}")
    return mailbox


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
