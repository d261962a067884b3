"""What `gatepost status` finds out: snapshots of the workers, the queue, the disk, certificates and what ends.

Law: what cannot be read is said in the answer, and everything else is shown.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeVar

from dns.exception import DNSException

from gatepost import __version__
from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.forecast.forecast import ForecastItem
from gatepost.admin.forecast.own_credentials import OwnCertificate
from gatepost.admin.status.observed import Face, Listener, NameServer, Observed
from gatepost.admin.status.status import status
from gatepost.app import open_editor, open_queue_admin
from gatepost.app.figures import snapshots
from gatepost.app.interpreter import interpreter
from gatepost.app.own_credentials import certificates, foreseen
from gatepost.app.tls_demands import dane_of, resolver_of
from gatepost.config import Config
from gatepost.net.dns import is_address
from gatepost.net.name_servers import ask_each
from gatepost.queue.store import QueueCount, QueueFilter, StoreError, StoreUnavailable
from gatepost.store.alarm.sqlite_alarms import SqliteAlarms
from gatepost.store.queue.capacity import disk_size, free_disk
from gatepost.store.trace.day_file import damaged_files
from gatepost.tenancy.signing_key import IN_DNS, SigningKey
from gatepost.tenancy.tenant import SendConnector, TlsLevel

_DNS_WITHIN_S: Final = 3.0
_MANY_FAILURES: Final = 3
"""Of the webhook in a row: it was away for a minute."""

Found = TypeVar("Found")
Foresee = Callable[[Config, DirectoryEditor, datetime], list[ForecastItem]]


def relay_status(config: Config) -> dict[str, Any]:
    return status(observed(config))


def observed(config: Config, foresee: Foresee = foreseen) -> Observed:
    found, now = snapshots.read(config.status_folder), time.time()
    not_found_out: list[str] = []

    def found_out(look: Callable[[], Found], otherwise: Found) -> Found:
        try:
            return look()
        except (StoreError, OSError) as error:
            not_found_out.append(str(error))
            return otherwise

    folder = config.queue_folder if config.queue_folder.exists() else config.file.parent
    queue = found_out(lambda: _queue(config), _Queue((), ()))
    running = found.serve if found.is_running else None
    is_there = running is not None
    directory = found_out(lambda: _directory(config, foresee, is_there=is_there), _Directory((), (), False, (), ()))
    needs_dns = running is not None and directory.needs_dns
    why_no_dane = _why_no_dane(config) if running is not None and directory.demand_dane else None
    return Observed(
        now=now,
        version=running["version"] if running else __version__,
        interpreter=interpreter(),
        running_since=running["started_at"] if running else None,
        listeners=[
            Listener(address=each.name, tls=each.starttls and config.tls is not None) for each in config.listeners
        ],
        places=config.workers,
        workers=found.workers if running else (),
        minutes=found.total["minutes"] if running else {},
        ended=running["ended"] if running else (),
        faces=[Face(name=each["name"], address=each["address"], pid=each["pid"]) for each in running["faces"]]
        if running
        else (),
        name_servers=_name_servers(config) if needs_dns else (),
        needs_dns=needs_dns,
        queue=queue.counts,
        unreadable=queue.unreadable,
        damaged_trace=found_out(lambda: damaged_files(config.trace_folder), []),
        not_found_out=not_found_out,
        alarms_not_told=found_out(lambda: _alarms_not_told(config), ""),
        free_disk=found_out(lambda: free_disk(folder), 2 * config.queue.least_free_disk),
        disk=found_out(lambda: disk_size(folder), 0),
        least_free_disk=config.queue.least_free_disk,
        certificates=directory.certificates,
        ending=directory.ending,
        lost_keys=directory.lost_keys,
        without_dane=directory.demand_dane if why_no_dane else (),
        why_no_dane=why_no_dane or "",
    )


class _Queue(NamedTuple):
    counts: Sequence[QueueCount]
    unreadable: Sequence[str]


def _queue(config: Config) -> _Queue:
    admin = open_queue_admin(config)
    return _Queue(admin.counts(QueueFilter()), admin.unreadable())


class _Directory(NamedTuple):
    certificates: Sequence[OwnCertificate]
    ending: Sequence[ForecastItem]
    needs_dns: bool
    lost_keys: Sequence[SigningKey]
    demand_dane: Sequence[str]


def _directory(config: Config, foresee: Foresee, *, is_there: bool) -> _Directory:
    """`is_there`: a relay that runs has one; a new one in its place would look well. Raises `StoreError`."""
    if is_there and not config.directory_file.exists():
        raise StoreUnavailable(f"{config.directory_file}: it is missing; is the data folder mounted?")
    with closing(open_editor(config)) as editor:
        ways_out = [each for each in editor.all_send_connectors() if each.enabled]
        return _Directory(
            list(certificates(config, editor)),
            foresee(config, editor, datetime.now(UTC)),
            any(map(_needs_dns, ways_out)),
            [key for key in editor.signing_keys.every() if key.missing_since and key.state in IN_DNS],
            ["/".join(filter(None, (each.tenant, each.name))) for each in ways_out if each.tls is TlsLevel.DANE],
        )


def _alarms_not_told(config: Config) -> str:
    if config.alarm is None or config.alarm.webhook is None or not config.alarms_file.exists():
        return ""
    channel = SqliteAlarms(config.alarms_file).channel("webhook")
    return channel.problem if channel.failures >= _MANY_FAILURES else ""


def _needs_dns(connector: SendConnector) -> bool:
    """Smart hosts that are all addresses are reached without it."""
    return not connector.smart_hosts or not all(is_address(each.host) for each in connector.smart_hosts)


def _why_no_dane(config: Config) -> str | None:
    """None also where no name server answers or none is known, which is a problem of its own and does not disable it in
    a worker."""

    async def ask() -> str | None:
        async with asyncio.timeout(_DNS_WITHIN_S):
            return await dane_of(config, resolver_of(config), lambda problem: None).why_disabled()

    try:
        return asyncio.run(ask())
    except (TimeoutError, DNSException):
        return None


def _name_servers(config: Config) -> list[NameServer]:
    return [
        NameServer(address=each.server, took_s=each.took_s, problem=each.problem)
        for each in ask_each(config.dns.nameservers, config.hostname)
    ]
