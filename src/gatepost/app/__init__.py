"""Wiring: the only floor that knows every class. Faces ask it for what they need, already connected.

`supervisor` runs `gatepost serve`, `worker` is one of its processes, `setup` writes a first configuration.
"""

import getpass
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gatepost.admin.directory.editor import BulkEditor
from gatepost.admin.sessions.explain import Relay
from gatepost.config import Config, ConsoleConfig, ListenerConfig
from gatepost.errors import GatepostError
from gatepost.protocol_log.codec import Side
from gatepost.queue.orders import Ordered
from gatepost.queue.store import QueueAdmin, StoreUnavailable
from gatepost.store.directory.editor import SqliteDirectoryEditor as DirectoryEditor
from gatepost.store.directory.sqlite_directory import SqliteDirectory as Directory
from gatepost.tenancy.allowance import Allowance
from gatepost.tenancy.attribution import GATEPOST, RuleSet
from gatepost.tenancy.directory import Directory as AnyDirectory
from gatepost.tenancy.evidence import CertificateFacts

if TYPE_CHECKING:
    from gatepost.admin.forecast.forecast import Terms
    from gatepost.admin.people.recognition import IdentityProvider
    from gatepost.logs.protocol_log_files import FollowedProtocolLogs, StoredProtocolLogs
    from gatepost.logs.seen_servers import StoredSeenServers
    from gatepost.logs.session_records import StoredSessions
    from gatepost.net.intermediates import KnownIntermediates
    from gatepost.net.judgement import Judge
    from gatepost.trace.search import TraceReader

__all__ = [
    "CertificateFileError",
    "Directory",
    "DirectoryEditor",
    "ListenerNotFound",
    "QueueAdmin",
    "follow_protocol_logs",
    "forecast_terms",
    "open_bulk_editor",
    "open_directory",
    "open_editor",
    "open_identity_providers",
    "open_judge",
    "open_protocol_logs",
    "open_queue_admin",
    "open_relay",
    "open_sessions",
    "open_trace",
    "operator_name",
    "read_certificates",
    "relay_at",
    "rules_of",
]


class CertificateFileError(GatepostError):
    """Why a certificate file cannot be used, in one line."""


class ListenerNotFound(GatepostError):
    """No listener of that name; the message lists those there are."""


def open_directory(config: Config) -> Directory:
    """The directory, to read. Raises `StoreError`."""
    return Directory(config.directory_file)


def open_editor(
    config: Config,
    who: str | None = None,
    address: str | None = None,
    *,
    by_tenant: bool = False,
    beyond_limits: bool = False,
) -> DirectoryEditor:
    """The directory, to change; changes are audited under `who`, or whoever runs this, and `address`, if it is asked
    for from elsewhere. Raises `StoreError`.

    A data folder that is not there yet is made: whoever wrote gatepost.toml by hand need not run `gatepost init`.
    """
    _make_data_folder(config)
    allowance = Allowance(limits=config.tenant_limits, by_tenant=by_tenant, beyond=beyond_limits)
    return DirectoryEditor(config.directory_file, who=who or operator_name(), address=address, allowance=allowance)


def open_bulk_editor(config: Config, *, beyond_limits: bool = False) -> BulkEditor:
    """The directory, to change much of it at once. Raises `StoreError`."""
    from gatepost.store.directory.bulk import SqliteBulkEditor

    _make_data_folder(config)
    allowance = Allowance(limits=config.tenant_limits, beyond=beyond_limits)
    return SqliteBulkEditor(config.directory_file, who=operator_name(), allowance=allowance)


def _make_data_folder(config: Config) -> None:
    try:
        config.data.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"data folder {config.data} cannot be made: {error.strerror}") from None


def open_queue_admin(config: Config, who: str | None = None) -> QueueAdmin:
    """All queues of the data folder, whether their workers run or not; orders are given by `who`, or whoever runs
    this."""
    from gatepost.app.order_events import order_event
    from gatepost.store.queue.admin import SqliteQueueAdmin
    from gatepost.store.trace.notes import note

    def tell(ordered: Sequence[Ordered]) -> None:
        now = time.time()
        note(config.trace_folder, [order_event(each, now) for each in ordered], now)

    return SqliteQueueAdmin(config.queue_folder, operator=who or operator_name(), tell=tell)


def open_identity_providers(console: ConsoleConfig) -> Mapping[str, "IdentityProvider"]:
    """By name."""
    if not console.providers:
        return {}
    from gatepost.net.oidc import OidcProvider

    return {each.name: OidcProvider(each) for each in console.providers}


def open_sessions(config: Config) -> "StoredSessions":
    """What `why` reads."""
    from gatepost.logs.session_records import StoredSessions

    return StoredSessions(config.sessions_folder)


def open_trace(config: Config) -> "TraceReader":
    """What `trace` reads."""
    from gatepost.store.trace.reader import SqliteTraceReader

    return SqliteTraceReader(config.trace_folder)


def open_seen_servers(config: Config) -> "StoredSeenServers":
    """What `forecast` reads."""
    from gatepost.logs.seen_servers import StoredSeenServers

    return StoredSeenServers(config.seen_servers_folder)


def forecast_terms(config: Config) -> "Terms":
    from gatepost.admin.forecast.forecast import Terms

    return Terms(grace=timedelta(days=config.verification_grace_days), claim=timedelta(days=config.claim_days))


def open_protocol_logs(config: Config) -> "StoredProtocolLogs":
    """What `protocol-log show` reads."""
    from gatepost.logs.protocol_log_files import StoredProtocolLogs

    return StoredProtocolLogs(_log_folders(config))


def follow_protocol_logs(config: Config, side: Side | None) -> "FollowedProtocolLogs":
    """What `protocol-log follow` reads: rows from now on, of one side or both."""
    from gatepost.logs.protocol_log_files import FollowedProtocolLogs

    return FollowedProtocolLogs({each: folder for each, folder in _log_folders(config).items() if side in (None, each)})


def _log_folders(config: Config) -> dict[Side, Path]:
    return {Side.RECEIVE: config.receive_log_folder, Side.SEND: config.send_log_folder}


def open_relay(config: Config, listener: str | None) -> Relay:
    """What `explain` asks: the listener called `listener`, or the first. Raises `ListenerNotFound`, `StoreError`."""
    found = _listener(config, listener)
    from gatepost.app.intermediates import known_intermediates

    return relay_at(config, found, open_directory(config), open_judge(config, found, known_intermediates(config)))


def relay_at(config: Config, found: ListenerConfig, directory: AnyDirectory, judge: "Judge") -> Relay:
    return Relay(
        hostname=config.hostname,
        listener=found.name,
        directory=directory,
        judge=judge,
        rules=rules_of(found),
        help_link=config.help_link,
    )


def open_judge(config: Config, listener: ListenerConfig, intermediates: "KnownIntermediates | None" = None) -> "Judge":
    """Who judges client certificates for `listener`, by the light of what verified chains have shown."""
    from gatepost.net.judgement import Judge

    roots = config.tls.client_roots if config.tls else None
    purpose = "clientAuth" if listener.require_client_auth else None
    return Judge(roots, required_purpose=purpose, intermediates=intermediates)


def open_public_judge() -> "Judge":
    """Who judges certificates for a service with public roots: by those of this system."""
    from gatepost.net.judgement import Judge

    return Judge(None)


def rules_of(listener: ListenerConfig) -> RuleSet:
    return replace(GATEPOST, wildcard_certificate_for_exact_name=listener.wildcard_certificates)


def read_certificates(file: Path) -> tuple[CertificateFacts, ...]:
    """The chain in a PEM file, leaf first. Raises `CertificateFileError`."""
    from gatepost.net.certificates import CredentialError, read_chain

    try:
        return read_chain(file)
    except CredentialError as error:
        raise CertificateFileError(str(error)) from None


def _listener(config: Config, name: str | None) -> ListenerConfig:
    if name is None:
        return config.listeners[0]
    for listener in config.listeners:
        if listener.name == name:
            return listener
    known = ", ".join(listener.name for listener in config.listeners)
    raise ListenerNotFound(f"no listener {name} in {config.file}; available: {known}")


def operator_name() -> str:
    """Who is at the keyboard: behind sudo, the person and not root."""
    if name := os.environ.get("SUDO_USER"):
        return name
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
