"""The parts of one worker, each connected with what it needs; `worker` starts and stops them.

Law: a part is made here and nowhere else, from the configuration and the parts before it.
"""

import random
import sqlite3
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gatepost import config as configuration
from gatepost.app import Directory, rules_of
from gatepost.app.bounds import gate_limits, reserved_disk, unfinished_limits
from gatepost.app.figures.counting import Figures
from gatepost.app.one_time_addresses import OneTimeAddresses
from gatepost.app.shared_counts import SharedCounts
from gatepost.app.shared_counts.unfinished import UnfinishedCounts
from gatepost.app.signing import DirectorySigningKeys
from gatepost.app.tls_demands import tls_demands_of
from gatepost.app.tls_files import TlsFiles
from gatepost.config import Config, ListenerConfig
from gatepost.delivery.connection import ConnectionSettings
from gatepost.delivery.destination import DialServices
from gatepost.delivery.scheduler import Scheduler
from gatepost.logs.event_log import EventLog
from gatepost.logs.log_series import FileLimits
from gatepost.logs.log_shares import Whose
from gatepost.logs.log_writer import LogWriter
from gatepost.logs.protocol_log_files import ProtocolLogFiles
from gatepost.logs.seen_servers import SeenServers, StoredSeenServers
from gatepost.logs.session_records import SessionRecords
from gatepost.logs.trace_log import TraceLog
from gatepost.mail.address import Mailbox
from gatepost.mail.path_grammar import BadPath, read_mailbox
from gatepost.mail.session_id import SessionIds
from gatepost.net.dns import Resolver
from gatepost.net.own_addresses import OwnListeners, is_own_address
from gatepost.protocol_log.codec import Side
from gatepost.receiving import replies
from gatepost.receiving.account import SessionAccount
from gatepost.receiving.cached_attribution import CachedAttribution
from gatepost.receiving.capacity import Capacity
from gatepost.receiving.limits import TenantGate
from gatepost.receiving.own_servers import LATELY_S, REMEMBERED, OwnServers
from gatepost.receiving.seen_servers import seen_servers_of
from gatepost.receiving.services import AcceptanceSettings, ListenerServices, Services
from gatepost.receiving.session_gate import SessionGate
from gatepost.receiving.session_record import session_record
from gatepost.receiving.traced import received_by
from gatepost.receiving.turns import Turns
from gatepost.receiving.unfinished import UnfinishedContent
from gatepost.store.queue.capacity import disk_size
from gatepost.store.queue.sqlite_queue import SqliteQueueStore
from gatepost.store.trace.writer import Retention, SqliteTraceWriter
from gatepost.tenancy.reach import Reach

_RECORD_FILE_SIZE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """What a worker writes beside the queue, all by one thread."""

    writer: LogWriter
    events: EventLog
    send: ProtocolLogFiles
    receive: ProtocolLogFiles | None
    records: SessionRecords[SessionAccount]
    seen_servers: SeenServers[SessionAccount]
    trace: TraceLog[SessionAccount]
    figures: Figures

    def record(self, session: SessionAccount) -> None:
        if self.receive:
            self.receive.belongs(
                session.session_id, session.tenant, by_stranger=session.by_stranger, ended=bool(session.why)
            )
        self.records.add(session)
        self.seen_servers.add(session)
        self.trace.add(session)
        self.figures.add(session)


def logs_of(config: Config, number: int) -> Logs:
    writer = LogWriter()
    figures = Figures(number, (each.name for each in config.listeners), writer)
    return Logs(
        writer=writer,
        events=EventLog(config.log, writer, heed=figures.heed, worker=number),
        figures=figures,
        send=_protocol_log(config, config.send_log_folder, Side.SEND, writer),
        receive=_protocol_log(config, config.receive_log_folder, Side.RECEIVE, writer)
        if config.protocol_log.receive
        else None,
        records=_records(config, number, writer),
        seen_servers=SeenServers(config.seen_servers_folder, number % config.workers, seen_servers_of, writer),
        trace=_trace(config, number, writer),
    )


def _protocol_log(config: Config, folder: Path, side: Side, writer: LogWriter) -> ProtocolLogFiles:
    limits = FileLimits(
        file_size=config.protocol_log.max_file_size,
        folder_size=config.protocol_log.max_folder_size,
        max_age_s=config.protocol_log.max_age_days * 86400,
    )
    return ProtocolLogFiles(folder, side, writer, limits, in_shares=True, workers=config.workers)


def _records(config: Config, number: int, writer: LogWriter) -> SessionRecords[SessionAccount]:
    return SessionRecords(
        config.sessions_folder,
        number,
        session_record,
        writer,
        FileLimits(
            file_size=_RECORD_FILE_SIZE,
            folder_size=config.sessions.max_folder_size,
            max_age_s=config.sessions.max_age_days * 86400,
        ),
        whose=lambda session: Whose(session.tenant, session.by_stranger),
        workers=config.workers,
    )


def _trace(config: Config, number: int, writer: LogWriter) -> TraceLog[SessionAccount]:
    kept = Retention(max_age_s=config.trace.max_age_days * 86400, max_octets=config.trace.max_folder_size)
    store = SqliteTraceWriter(config.trace_folder, number, kept, report=writer.report)
    return TraceLog(store, received_by, writer, config.trace.max_folder_size, config.workers)


def dialling_of(
    config: Config, logs: Logs, tls: TlsFiles, resolver: Resolver, ids: SessionIds, signing_keys: DirectorySigningKeys
) -> DialServices:
    """How mail leaves."""
    reach = reach_of(config)
    return DialServices(
        resolver=resolver,
        tls=tls.for_next_hops(),
        tls_demands=tls_demands_of(config, resolver, reach, logs.events),
        log=logs.send,
        next_session_id=ids.next,
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
        own_message=signing_keys.own_message,
        per_destination=config.delivery.per_destination,
        reach=reach,
    )


def reach_of(config: Config) -> Reach:
    return Reach(
        allowed=config.delivery.allow_internal,
        internal=config.delivery.internal_networks,
        is_own=is_own_address,
        is_own_listener=OwnListeners((each.host, each.port) for each in config.listeners).include,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What strangers and tenants may take of the relay as a whole."""

    capacity: Capacity
    tenants: TenantGate
    unfinished: UnfinishedContent
    unfinished_counts: UnfinishedCounts
    own_servers: OwnServers
    turns: Turns


def bounds_of(config: Config, directory: Directory, counts: SharedCounts, events: EventLog) -> Bounds:
    disk = disk_size(config.queue_folder)
    capacity = Capacity(
        least_free_disk=config.queue.least_free_disk,
        reserved_disk=reserved_disk(config.queue, disk),
        most_recipients=config.queue.most_recipients,
        emit=events.emit,
    )
    return Bounds(
        capacity=capacity,
        tenants=TenantGate(config.tenant_limits, directory, counts.tenants, capacity.queued, events.emit),
        unfinished=UnfinishedContent(unfinished_limits(config.queue, disk), counts.unfinished, capacity, events.emit),
        unfinished_counts=counts.unfinished,
        own_servers=OwnServers(directory, time.time, _servers_seen(config, events)),
        turns=Turns(),
    )


def _servers_seen(config: Config, events: EventLog) -> list[tuple[str, str, float]]:
    since = datetime.now(UTC) - timedelta(seconds=LATELY_S)
    try:
        return StoredSeenServers(config.seen_servers_folder).servers(since, REMEMBERED)
    except sqlite3.Error as error:
        events.emit("store-unavailable", problem=f"{config.seen_servers_folder} cannot be read: {error}")
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """What all listeners of a worker share."""

    config: Config
    signing_keys: DirectorySigningKeys
    directory: Directory
    logs: Logs
    tls: TlsFiles
    bounds: Bounds
    one_time_addresses: OneTimeAddresses
    ids: SessionIds
    store: SqliteQueueStore
    """For new mail."""
    scheduler: Scheduler


def listener_of(shared: Reception, listener: ListenerConfig) -> ListenerServices:
    config, logs, bounds, store = shared.config, shared.logs, shared.bounds, shared.store
    judge = shared.tls.judge_for(listener)
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
        shared=Services(
            attribution=CachedAttribution(shared.directory, judge, rules_of(listener)),
            store=store,
            new_content=store.new_content,
            waiting=lambda: store.backlog,
            submit=shared.scheduler.submit,
            claim_at_once=shared.scheduler.has_room_for,
            is_full=lambda: bounds.capacity.is_full,
            unfinished=bounds.unfinished,
            tenants=bounds.tenants,
            events=logs.events,
            now=time.time,
            one_time_addresses=shared.one_time_addresses,
            signing_keys=shared.signing_keys,
        ),
        tls=shared.tls.for_listener(listener, judge),
        gate=SessionGate(gate_limits(listener.limits), bounds.own_servers, time.time, logs.events.emit),
        turns=bounds.turns,
        least_content_rate=listener.limits.content_rate,
        proxy_from=listener.proxy_from,
        log=logs.receive,
        next_session_id=shared.ids.next,
        record=logs.record,
        opened=set(),
    )


def _postmaster(config: Config) -> Mailbox | None:
    if config.postmaster is None:
        return None
    mailbox = read_mailbox(config.postmaster)
    if isinstance(mailbox, BadPath):
        raise configuration.ConfigError(f"{config.file}: postmaster = {config.postmaster!r}: {mailbox.says}")
    return mailbox
